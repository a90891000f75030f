"""Conversations that ask for a text to be said again: the plainest exercise in copying, and the quickest to teach it."""

from random import Random

from harmony_text import Answer, Conversation, Thought, User
from questions import any_day, any_effort
from values import TRAIN, Values, say

ASKED = (
    "Repeat this: {}",
    "Repeat exactly: {}",
    "Say this again: {}",
    "Copy this text: {}",
    "Please write this once more:\n{}",
    "{}\n\nRepeat the text above.",
)
KINDS = ("word", "word", "made", "noun", "person", "number", "city", "phrase", "ident", "path", "code", "longdate")
LONGEST_PIECES = 12


class Repeater:
    """Draws texts of random words, names, numbers and phrases, to be repeated to the letter."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.values = Values(rng, TRAIN)

    def conversation(self) -> Conversation:
        text = " ".join(self.piece() for _ in range(self.rng.randint(3, LONGEST_PIECES)))
        asked = self.rng.choice(ASKED).format(text)
        thought = [Thought("I repeat the text.")] if self.rng.random() < 0.85 else []
        return Conversation((User(asked), *thought, Answer(text)), any_day(self.rng), any_effort(self.rng))

    def piece(self) -> str:
        """A word, a name, a number, a phrase, a path or a line of code."""
        return say(self.values.make(self.rng.choice(KINDS)))

"""Ask about the Python topics in many wordings. Knows the topics' fields, and never says a held-out wording."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from random import Random

from guess import Guesser
from harmony_text import Answer, Conversation, Message, Thought, User

NOUN_TEMPLATES = """What is {}?|What's {}?|what is {} in python|What does {} mean?|what does {} do|Explain {}.|explain {} to a beginner
Can you explain {}?|Please explain {} in simple words.|Tell me about {}.|tell me something about {}|I don't get {}.|I do not understand {}.
Could you describe {} with an example?|Describe {}.|Give me an example of {}.|Show me {} in Python.|How does {} work?|how do I use {}
How is {} used in Python?|When should I use {}?|what is {} good for|Why would I need {}?|{}?|{} in Python|python {}
What do I have to know about {}?|Help me understand {}.|I am learning Python. What is {}?|I keep reading about {}. What is it?
Define {}.|Teach me {}.|Can you show {} with code?|What is meant by {} in Python?|I need a short explanation of {}.|what's the point of {}
Give me a summary of {}.|How would you explain {} to a child?|Somebody mentioned {}. What is that?|What exactly is {} in Python?
I have a question about {}.|Could you help me with {}?|Introduce me to {}.|{} explained|what are the basics of {}|example for {}"""
TASK_TEMPLATES = """How do I {}?|how to {}|how to {} in python|How can I {} in Python?|What's the best way to {}?|What is the way to {} in Python?
I need to {}, how?|I want to {}.|I want to {} in Python. How?|show me code to {}|Show me how to {}.|Can you show me how to {}?
Is there a way to {}?|How does one {}?|How would you {} in Python?|Please help me {}.|Write code to {}.|Give me an example that shows how to {}.
I'm trying to {}. What do I write?|python: {}|{}|What code do I need to {}?|How should I {}?|Tell me how to {}.|Explain how to {}.
Could you tell me how to {}?|I have to {} for my homework.|My program must {}. How?|what is the easiest way to {}|Can Python {}?
Which function lets me {}?|What do I use to {}?|what's the pythonic way to {}|I don't know how to {}.|can i {} with python
Teach me to {}.|In Python, how do you {}?|How do people {}?|simple way to {}?|Need a snippet to {}.|What are the steps to {}?"""
PREFIXES = (
    "Hi! ",
    "Hello, ",
    "Hey, ",
    "quick question: ",
    "Please: ",
    "Sorry, beginner here. ",
    "python: ",
    "One question: ",
    "Hi, ",
    "ok, ",
)
SUFFIXES = (" please", " Please.", " Thanks!", " thanks", " Thank you.", " Briefly.", " in short", " with an example", " In Python.", " Keep it short.")  # fmt: skip
INSTRUCTIONS = ("You are a helpful assistant.", "Answer briefly.", "You are a Python tutor.", "You help beginners with Python.", "Be friendly and short.")  # fmt: skip
OWN_PREFIXES = (
    "self-",
    "talk-",
)  # topics about the model itself, asked more often: a demonstration must know what it is
OWN_WEIGHT = 2.5
NO_THOUGHT_SHARE = 0.15
BLENDED_SHARE, BAG_SHARE, SHORTEST_BLENDED = 0.15, 0.6, 5
SCATTERED_TRIES = 4
MOST_LOST, SHUFFLED_SHARE, STRANGERS = 0.5, 0.5, (0, 0, 0, 1, 2, 3)


@dataclass(frozen=True, slots=True)
class Topic:
    id: str
    nouns: tuple[str, ...]
    tasks: tuple[str, ...]
    questions: tuple[str, ...]
    held_out: tuple[str, ...]
    facts: tuple[tuple[str, ...], ...]
    thinking: str
    answer: str


def read_topics(folder: Path) -> list[Topic]:
    """The topics of all `.toml` files, each with its further wordings from the `.txt` files beside them."""
    tables = [table for path in sorted(folder.glob("*.toml")) for table in tomllib.loads(path.read_text())["topic"]]
    wordings = read_wordings(folder)
    unknown = wordings.keys() - {table["id"] for table in tables}
    assert not unknown, f"wordings of unknown topics: {unknown}"
    return [read_topic(table, wordings.get(table["id"], [])) for table in tables]


def read_wordings(folder: Path) -> dict[str, list[str]]:
    """Questions under the line `== id` of their topic."""
    wordings: dict[str, list[str]] = {}
    for path in sorted(folder.glob("*.txt")):
        for line in filter(None, path.read_text().splitlines()):
            if line.startswith("== "):
                into = wordings.setdefault(line[3:].strip(), [])
            else:
                into.append(line.strip())
    return wordings


def read_topic(table: dict[str, list[str]], wordings: list[str]) -> Topic:
    lists = {key: tuple(table.get(key, ())) for key in ("nouns", "tasks", "questions", "held_out")}
    lists["questions"] += tuple(wordings)
    facts = tuple(tuple(group) for group in table["facts"])
    return Topic(
        id=str(table["id"]), **lists, facts=facts, thinking=str(table["thinking"]), answer=str(table["answer"]).strip()
    )


def normalise(question: str) -> str:
    return re.sub(r"[^a-z0-9_.]+", " ", question.lower()).strip(" .")


def templates(text: str) -> list[str]:
    return text.replace("\n", "|").split("|")


NOUN_LIST, TASK_LIST = templates(NOUN_TEMPLATES), templates(TASK_TEMPLATES)


class Asker:
    """Asks about topics, keeping clear of every held-out wording."""

    def __init__(self, topics: list[Topic], rng: Random) -> None:
        self.topics = topics
        self.rng = rng
        self.weights = [OWN_WEIGHT if topic.id.startswith(OWN_PREFIXES) else 1.0 for topic in topics]
        self.guesser = Guesser({topic.id: [*topic.nouns, *topic.tasks, *topic.questions] for topic in topics})
        self.forbidden = {normalise(question) for topic in topics for question in topic.held_out}

    def ask(self, topic: Topic) -> str:
        for _ in range(50):
            question = self.add_noise(self.blend(topic))
            if normalise(question) not in self.forbidden:
                return question
        raise AssertionError(f"every wording of {topic.id} is held out")

    def blend(self, topic: Topic) -> str:
        """A question, or pieces of two on the same topic, or some of its words: what a topic is told by is in its words.

        Without this the model learns whole questions by heart instead: it knew 31 % of the held-out wordings where
        counting words (naive Bayes over the same wordings) knew 69 %.
        """
        words, kind = self.word_question(topic).split(" "), self.rng.random()
        if kind < BLENDED_SHARE and len(words) >= SHORTEST_BLENDED:
            others = self.word_question(topic).split(" ")
            cut, start = self.rng.randint(2, len(words)), self.rng.randrange(max(1, len(others) - 2))
            return " ".join(words[:cut] + others[start:])
        if kind < BLENDED_SHARE + BAG_SHARE and len(words) >= SHORTEST_BLENDED:
            return self.scatter_clearly(words, topic)
        return " ".join(words)

    def scatter_clearly(self, words: list[str], topic: Topic) -> str:
        """Some of the words, as long as they still tell the topic: "recursion in python" may not teach RecursionError."""
        for _ in range(SCATTERED_TRIES):
            scattered = " ".join(self.scatter(words))
            if self.guesser.guess(scattered) == topic.id:
                return scattered
        return " ".join(words)

    def scatter(self, words: list[str]) -> list[str]:
        """Lose words, half the time mix them, and put in some of another topic's question."""
        lost = self.rng.uniform(0, MOST_LOST)
        kept = [word for word in words if self.rng.random() > lost] or words[-1:]
        others = self.word_question(self.rng.choice(self.topics)).split(" ")
        for _ in range(self.rng.choice(STRANGERS)):
            kept.insert(self.rng.randint(0, len(kept)), self.rng.choice(others))
        if self.rng.random() < SHUFFLED_SHARE:
            self.rng.shuffle(kept)
        return kept

    def word_question(self, topic: Topic) -> str:
        ways = ["question"] * 6 + ["noun"] * 3 * bool(topic.nouns) + ["task"] * 2 * bool(topic.tasks)
        match self.rng.choice(ways):
            case "noun":
                question = self.rng.choice(NOUN_LIST).format(self.rng.choice(topic.nouns))
            case "task":
                question = self.rng.choice(TASK_LIST).format(self.rng.choice(topic.tasks))
            case _:
                return self.rng.choice(topic.questions)
        return question[:1].upper() + question[1:] if self.rng.random() < 0.3 else question

    def add_noise(self, question: str) -> str:
        if self.rng.random() < 0.2:
            question = self.rng.choice(PREFIXES) + question
        if self.rng.random() < 0.15:
            question += self.rng.choice(SUFFIXES)
        if self.rng.random() < 0.2:
            question = question.lower()
        if self.rng.random() < 0.2:
            question = question.rstrip("?.!")
        return self.mistype(question) if self.rng.random() < 0.12 else question

    def mistype(self, question: str) -> str:
        """Swap, drop or double one letter inside a word."""
        spots = [i for i in range(1, len(question) - 2) if question[i].isalpha() and question[i + 1].isalpha()]
        if not spots:
            return question
        at = self.rng.choice(spots)
        first, second = question[at], question[at + 1]
        return question[:at] + self.rng.choice((second + first, second, first + first + second)) + question[at + 2 :]

    def conversation(self) -> Conversation:
        (topic,) = self.rng.choices(self.topics, self.weights)
        return self.settle((User(self.ask(topic)), *self.reply(topic.thinking, topic.answer)))

    def question_and_thought(self) -> tuple[int, Conversation]:
        """A topic's place, a question, and what it is about, and no answer: the same words teach more questions."""
        (place,) = self.rng.choices(range(len(self.topics)), self.weights)
        topic = self.topics[place]
        return place, self.settle((User(self.ask(topic)), Thought(topic.thinking)))

    def reply(self, thinking: str, answer: str) -> tuple[Message, ...]:
        if self.rng.random() < NO_THOUGHT_SHARE:
            return (Answer(answer),)
        return (Thought(thinking), Answer(answer))

    def settle(self, messages: tuple[Message, ...]) -> Conversation:
        instructions = self.rng.choice(INSTRUCTIONS) if self.rng.random() < 0.12 else ""
        return Conversation(messages, date=any_day(self.rng), reasoning=any_effort(self.rng), instructions=instructions)


def any_day(rng: Random) -> str:
    return f"{rng.randint(2024, 2027)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"


def any_effort(rng: Random) -> str:
    return rng.choice(("low", "medium", "medium", "high"))

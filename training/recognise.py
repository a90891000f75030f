"""Which topic is a question about? Questions without end, and heads beside the model that learn to tell."""

from pathlib import Path
from random import Random

import torch
from torch import Tensor
from torch.nn import functional

from data import Asked, build_batch, read_asked
from harmony_text import SYSTEM_PARTS, Conversation, Thought, User, write_parts
from meanings import SHARPNESS
from model import Model
from questions import Asker, read_topics
from tokenizer import Encoder

FOLDER = Path(__file__).parent / "topics"
LOOKED_AT = (3, 4, 6)  # so many layers lie behind the heads beside the model
BARE_SHARE = 0.9  # of the questions stand without a system message


class Questions:
    """Asks about topics; a question is never one of those held out."""

    def __init__(self, encoder: Encoder, seed: int) -> None:
        self.encoder, self.rng = encoder, Random(seed)
        self.asker = Asker(read_topics(FOLDER), self.rng)
        self.remembered: dict[str, list[int]] = {}

    @property
    def topics(self) -> int:
        return len(self.asker.topics)

    def ask(self) -> Asked:
        place, talk = self.asker.question_and_thought()
        return self.read(place, talk, bare=self.rng.random() < BARE_SHARE)

    def held_out(self) -> list[Asked]:
        return [
            self.read(place, Conversation((User(question), Thought(topic.thinking))), bare=True)
            for place, topic in enumerate(self.asker.topics)
            for question in topic.held_out
        ]

    def read(self, place: int, talk: Conversation, *, bare: bool) -> Asked:
        self.remembered.clear()  # of questions that never come again
        return read_asked(place, write_parts(talk)[SYSTEM_PARTS * bare :], self.encoder, self.remembered)


def guess_topics(model: Model, streams: list[Tensor], asked: tuple[Asked, ...]) -> list[Tensor]:
    """What each head makes of the questions: of the mean of their embeddings, in the middle, and at the end."""
    rows, ready = torch.arange(len(asked)), torch.tensor([one.ready for one in asked])
    shares = torch.zeros(streams[0].shape[:2])
    for share, one in zip(shares, asked, strict=True):
        share[one.question] = 1 / (one.question.stop - one.question.start)
    mean = torch.bmm(shares[:, None], streams[0])[:, 0]
    looks = [functional.rms_norm(streams[depth][rows, ready], mean.shape[-1:]) for depth in LOOKED_AT]
    looks = [mean * SHARPNESS, *looks]
    return [head(look) for head, look in zip(model.aside, looks, strict=True)]


def compute_topic_loss(model: Model, streams: list[Tensor], asked: tuple[Asked, ...]) -> Tensor:
    """The words' own loss hardly says which topic was meant: few words of a text decide it."""
    topics = torch.tensor([one.topic for one in asked])
    return sum(functional.cross_entropy(logits, topics) for logits in guess_topics(model, streams, asked))  # type: ignore[return-value]


@torch.no_grad()
def count_recognised(model: Model, questions: list[Asked], dtype: torch.dtype) -> list[float]:
    """The share of the questions that each head tells the topic of."""
    batch = build_batch(questions)
    guessed = guess_topics(model, model.run(batch.tokens, dtype)[0], batch.asked)
    topics = torch.tensor([one.topic for one in batch.asked])
    return [round(float((logits.argmax(1) == topics).float().mean()), 3) for logits in guessed]

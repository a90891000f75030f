"""Documents as arrays of ids, and batches of documents of like length. Knows nothing of the model."""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tokenizer import Encoder

UNLEARNED_WEIGHT = 0.0  # of what others say: with 0.1, more than half of the gradient went to their random words
OPENING_TOKENS, OPENING_WEIGHT = 12, 4.0  # the first words of a text decide which text it will be; the rest follows
SHORTEST_TEXT = 12  # characters; what is shorter is a header
POOL = 1024  # questions that are made and sorted by length at once
STEP = 16  # lengths are rounded up to this, so that rows of a batch differ by less
LONGEST = 1024
LARGEST_RANDOM = 4087  # the tokens below harmony's


@dataclass(frozen=True, slots=True)
class Document:
    kind: str
    ids: np.ndarray  # of uint16
    weights: np.ndarray  # of float32, one for each id: how much its prediction counts

    @property
    def padded(self) -> int:
        """The length of the row this document needs, as input (one id less than it has)."""
        return -(-(len(self.ids) - 1) // STEP) * STEP


@dataclass(frozen=True, slots=True)
class Asked(Document):
    """A question alone, whose topic is known, with the thought that it calls for."""

    topic: int
    question: slice  # where it stands
    ready: int  # the position after which the thought comes


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of equal length; padding has weight 0. Causal attention needs no mask for padding at the end."""

    tokens: Tensor
    targets: Tensor
    weights: Tensor
    kinds: list[str]
    asked: tuple[Asked, ...] = ()  # what the rows ask, where that is known


def read_documents(path: Path, encoder: Encoder) -> list[Document]:
    """Encode a documents file; a document longer than the longest row is cut."""
    documents = []
    remembered: dict[str, list[int]] = {}  # short parts (roles, headers) come again and again
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            entry = json.loads(line)
            documents.append(read_document(entry["kind"], entry["parts"], encoder, remembered))
    return [document for document in documents if len(document.ids) > 1]


def read_document(kind: str, parts: list[list], encoder: Encoder, remembered: dict[str, list[int]]) -> Document:  # type: ignore[type-arg]
    ids: list[int] = []
    weights: list[float] = []
    for text, learn in parts:
        if len(text) > 100:
            piece = encoder.encode(text)
        else:
            piece = remembered.get(text) or remembered.setdefault(text, encoder.encode(text))
        ids += piece
        weights += weigh(text, len(piece)) if learn else [UNLEARNED_WEIGHT] * len(piece)
    return Document(kind, np.array(ids[: LONGEST + 1], np.uint16), np.array(weights[: LONGEST + 1], np.float32))


def weigh(text: str, tokens: int) -> list[float]:
    """Weights of a learned text: its opening counts more."""
    opening = min(tokens, OPENING_TOKENS) if len(text) > SHORTEST_TEXT else 0
    return [OPENING_WEIGHT] * opening + [1.0] * (tokens - opening)


def group(documents: Sequence[Document], tokens: int, chooser: random.Random) -> list[list[Document]]:
    """Shuffle, then put documents of like length together, about `tokens` ids a batch, and shuffle the batches."""
    documents = sorted(chooser.sample(documents, len(documents)), key=lambda document: document.padded)
    batches: list[list[Document]] = [[]]
    for document in documents:
        # Sorted: this document is the longest so far, every row becomes as long.
        if batches[-1] and (len(batches[-1]) + 1) * document.padded > tokens:
            batches.append([])
        batches[-1].append(document)
    chooser.shuffle(batches)
    return batches


def build_batch(documents: list[Document]) -> Batch:
    rows, length = len(documents), max(document.padded for document in documents)
    tokens = torch.zeros(rows, length, dtype=torch.long)
    targets, weights = torch.zeros_like(tokens), torch.zeros(rows, length)
    for row, document in enumerate(documents):
        ids, count = torch.from_numpy(document.ids.astype(np.int64)), len(document.ids) - 1
        tokens[row, :count], targets[row, :count] = ids[:-1], ids[1:]
        weights[row, :count] = torch.from_numpy(document.weights[1:])
    asked = tuple(document for document in documents if isinstance(document, Asked))
    return Batch(tokens, targets, weights, [document.kind for document in documents], asked)


def read_asked(topic: int, parts: list[list], encoder: Encoder, remembered: dict[str, list[int]]) -> Asked:  # type: ignore[type-arg]
    """A question and the opening of its thought, each one part of the document."""
    document = read_document("topic", parts, encoder, remembered)
    ends = np.cumsum([len(remembered.get(text) or encoder.encode(text)) for text, _ in parts])
    user = max(at for at, (text, _) in enumerate(parts) if text == "user")
    thought = max(at for at, (text, learned) in enumerate(parts) if learned and len(text) > SHORTEST_TEXT)
    question = slice(int(ends[user + 1]), int(ends[user + 2]))
    ready, enough = int(ends[thought - 1]) - 1, int(ends[thought - 1]) + OPENING_TOKENS
    return Asked(document.kind, document.ids[:enough], document.weights[:enough], topic, question, ready)


def endless_topics(ask: Callable[[], Asked], tokens: int, seed: int) -> Iterator[Batch]:
    """New questions each time, those of like length together."""
    chooser = random.Random(seed)
    while True:
        for together in group([ask() for _ in range(POOL)], tokens, chooser):
            yield build_batch(together)


def endless_batches(documents: list[Document], tokens: int, seed: int) -> Iterator[Batch]:
    """Every document once, in a new order each time around, without end."""
    chooser = random.Random(seed)
    while True:
        for together in group(documents, tokens, chooser):
            yield build_batch(together)


def endless_repeats(tokens: int, seed: int) -> Iterator[Batch]:
    """Random tokens in which one stretch comes twice, and only its second coming is learned: copying and nothing else.

    The attention that finds "where did this stand before, and what came next" forms here within some hundred steps;
    on conversations alone it had not formed in 1,500.
    """
    chooser = np.random.default_rng(seed)
    while True:
        length = int(chooser.choice((64, 96, 128, 192)))
        rows = chooser.integers(256, LARGEST_RANDOM, (tokens // length, length + 1))
        weights = np.zeros((len(rows), length), np.float32)
        for row, learned in zip(rows, weights, strict=True):
            size = chooser.integers(4, length // 2)
            first = chooser.integers(0, length - 2 * size + 1)
            second = chooser.integers(first + size, length - size + 1)
            row[second : second + size] = row[first : first + size]
            learned[second : second + size - 1] = 1
        ids = torch.from_numpy(rows)
        yield Batch(ids[:, :-1], ids[:, 1:].contiguous(), torch.from_numpy(weights), ["repeat"] * len(rows))

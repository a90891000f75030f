"""The vectors of each collection held in memory, brought up to date from the store before each question."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy

from ossian.rag.store import Vector
from ossian.rag.vectors import Halves, Keys, Vectors

NEVER = -1
HALF_BYTES = 2

Cosines = dict[int, float]
Rows = Sequence[tuple[int, bytes]]  # numbers of chunks, and their vectors as half floats


@dataclass(frozen=True, slots=True)
class Whose:
    """Numbers of a collection and an embedder."""

    collection: int
    embedder: int


class Source(Protocol):
    """Where the vectors of one collection by one embedder are kept, within one transaction."""

    def span(self) -> tuple[int, int]:
        """The first and the last change that are still known; 1 and 0 where there is none."""
        ...

    def load(self) -> Iterator[Rows]:
        """All vectors, some at a time."""
        ...

    def changed(self, seen: int) -> Sequence[int]:
        """The chunks that changed behind a change."""
        ...

    def load_some(self, chunks: Sequence[int]) -> Rows:
        """The vectors of those chunks that are in the collection and have one."""
        ...


@dataclass(slots=True)
class Held:
    """The vectors of one collection by one embedder, as of a change; None: there were none."""

    vectors: Vectors | None = None
    seen: int = NEVER
    turn: threading.Lock = field(default_factory=threading.Lock)
    renewing: bool = False


class Meanings:
    """Finds chunks by their vectors. Many threads may ask."""

    def __init__(self, lists_from: int) -> None:
        self._lists_from = lists_from
        self._turn = threading.Lock()
        self._held: dict[Whose, Held] = {}

    def find(self, source: Source, whose: Whose, question: Vector, count: int, also: Iterable[int]) -> Cosines:
        """Cosines of the nearest chunks, and of those in `also` that have a vector, by chunk."""
        with self._turn:
            held = self._held.setdefault(whose, Held())
        with held.turn:
            bring_up_to_date(source, held)
            if held.vectors is None or held.vectors.width != len(question):
                return {}
            if held.vectors.wants_lists(self._lists_from) and not held.renewing:
                held.renewing = True
                threading.Thread(target=make_lists, args=(held,), daemon=True).start()
            return held.vectors.nearest(question, count) | held.vectors.cosines(question, also)

    def let_go(self, whose: Whose) -> None:
        """Hold these vectors no longer: somebody else finds them."""
        with self._turn:
            self._held.pop(whose, None)


def make_lists(held: Held) -> None:
    """Sort the vectors into lists, which takes seconds, while the old ones serve; what came meanwhile comes after."""
    with held.turn:
        assert held.vectors is not None
        (keys, rows), seen = held.vectors.rows(), held.seen
    vectors = Vectors(keys, rows, in_lists=True)
    with held.turn:
        held.vectors, held.seen, held.renewing = vectors, seen, False


def bring_up_to_date(source: Source, held: Held) -> None:
    first, last = source.span()
    missed = held.seen < first - 1
    if held.seen == NEVER or missed or (held.vectors is None and held.seen < last):
        held.vectors, held.seen = load(source), last
    elif held.vectors is not None and held.seen < last:
        apply_changes(source, held.vectors, held.seen)
        held.seen = last


def load(source: Source) -> Vectors | None:
    """All vectors of a collection; None when there is not one."""
    parts = [unpack(some) for some in source.load()]
    width = parts[0][1].shape[1] if parts else 0
    alike = [part for part in parts if part[1].shape[1] == width]
    if not alike:
        return None
    return Vectors(numpy.concatenate([keys for keys, _ in alike]), numpy.concatenate([halves for _, halves in alike]))


def apply_changes(source: Source, vectors: Vectors, seen: int) -> None:
    """Look again at every chunk that changed since."""
    chunks = source.changed(seen)
    rows = [row for row in source.load_some(chunks) if len(row[1]) == vectors.width * HALF_BYTES]
    keys, halves = unpack(rows)
    vectors.replace(set(chunks) - set(keys.tolist()), keys.tolist(), halves.astype(numpy.float32))


def unpack(rows: Rows) -> tuple[Keys, Halves]:
    """Numbers of chunks, and their vectors in a matrix; those of another width than the first are left out."""
    width = len(rows[0][1]) if rows else 0
    rows = [row for row in rows if len(row[1]) == width]
    halves = numpy.frombuffer(b"".join(vector for _, vector in rows), "<f2").reshape(len(rows), width // HALF_BYTES)
    return numpy.array([key for key, _ in rows], numpy.int64), halves

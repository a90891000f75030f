"""The vectors of each collection held in memory, brought up to date from the SQLite file before each question."""

import sqlite3
import threading
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field

import numpy

from ossian.rag.store import Vector
from ossian.rag.vectors import Halves, Keys, Vectors

INSIDE = """
SELECT 1 FROM places JOIN files ON files.number = file WHERE chunk = chunks.number AND collection = :collection
"""
LOAD = f"""
SELECT chunks.number, vector FROM chunks JOIN vectors ON vectors.digest = chunks.digest
WHERE embedder = :embedder AND EXISTS ({INSIDE})
"""
LOAD_ONE = f"{LOAD} AND chunks.number = :chunk"
CHANGED = "SELECT DISTINCT chunk FROM changes WHERE collection = ? AND number > ?"
NEVER = -1
ROWS_AT_ONCE = 20_000
HALF_BYTES = 2

Cosines = dict[int, float]


@dataclass(frozen=True, slots=True)
class Whose:
    """Numbers of a collection and an embedder."""

    collection: int
    embedder: int


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
        self._held: dict[tuple[int, int], Held] = {}

    def find(
        self, file: sqlite3.Connection, place: Whose, question: Vector, count: int, also: Iterable[int]
    ) -> Cosines:
        """Cosines of the nearest chunks, and of those in `also` that have a vector, by chunk."""
        with self._turn:
            held = self._held.setdefault((place.collection, place.embedder), Held())
        with held.turn:
            bring_up_to_date(file, place, held)
            if held.vectors is None or held.vectors.width != len(question):
                return {}
            if held.vectors.wants_lists(self._lists_from) and not held.renewing:
                held.renewing = True
                threading.Thread(target=make_lists, args=(held,), daemon=True).start()
            return held.vectors.nearest(question, count) | held.vectors.cosines(question, also)


def make_lists(held: Held) -> None:
    """Sort the vectors into lists, which takes seconds, while the old ones serve; what came meanwhile comes after."""
    with held.turn:
        assert held.vectors is not None
        (keys, rows), seen = held.vectors.rows(), held.seen
    vectors = Vectors(keys, rows, in_lists=True)
    with held.turn:
        held.vectors, held.seen, held.renewing = vectors, seen, False


def bring_up_to_date(file: sqlite3.Connection, place: Whose, held: Held) -> None:
    first, last = file.execute("SELECT coalesce(min(number), 1), coalesce(max(number), 0) FROM changes").fetchone()
    missed = held.seen < first - 1
    if held.seen == NEVER or missed or (held.vectors is None and held.seen < last):
        held.vectors, held.seen = load(file, place), last
    elif held.vectors is not None and held.seen < last:
        apply_changes(file, place, held.vectors, held.seen)
        held.seen = last


def load(file: sqlite3.Connection, place: Whose) -> Vectors | None:
    """All vectors of a collection; None when there is not one."""
    rows = file.execute(LOAD, asdict(place))
    parts = []
    while some := rows.fetchmany(ROWS_AT_ONCE):
        parts.append(unpack(some))
    width = parts[0][1].shape[1] if parts else 0
    alike = [part for part in parts if part[1].shape[1] == width]
    if not alike:
        return None
    return Vectors(numpy.concatenate([keys for keys, _ in alike]), numpy.concatenate([halves for _, halves in alike]))


def apply_changes(file: sqlite3.Connection, place: Whose, vectors: Vectors, seen: int) -> None:
    """Look again at every chunk that changed since."""
    chunks = [chunk for (chunk,) in file.execute(CHANGED, (place.collection, seen))]
    rows = [row for chunk in chunks for row in file.execute(LOAD_ONE, {**asdict(place), "chunk": chunk})]
    keys, halves = unpack([row for row in rows if len(row[1]) == vectors.width * HALF_BYTES])
    vectors.replace(set(chunks) - set(keys.tolist()), keys.tolist(), halves.astype(numpy.float32))


def unpack(rows: Sequence[tuple[int, bytes]]) -> tuple[Keys, Halves]:
    """Numbers of chunks, and their vectors in a matrix; those of another width than the first are left out."""
    width = len(rows[0][1]) if rows else 0
    rows = [row for row in rows if len(row[1]) == width]
    halves = numpy.frombuffer(b"".join(vector for _, vector in rows), "<f2").reshape(len(rows), width // HALF_BYTES)
    return numpy.array([key for key, _ in rows], numpy.int64), halves

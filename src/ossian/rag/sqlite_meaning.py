"""The vectors of one collection in the SQLite file of documents, for who holds them in memory."""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from ossian.rag.meanings import Rows, Whose

INSIDE = """
SELECT 1 FROM places JOIN files ON files.number = file WHERE chunk = chunks.number AND collection = :collection
"""
LOAD = f"""
SELECT chunks.number, vector FROM chunks JOIN vectors ON vectors.digest = chunks.digest
WHERE embedder = :embedder AND EXISTS ({INSIDE})
"""
LOAD_ONE = f"{LOAD} AND chunks.number = :chunk"
CHANGED = "SELECT DISTINCT chunk FROM changes WHERE collection = ? AND number > ?"
ROWS_AT_ONCE = 20_000


@dataclass(frozen=True, slots=True)
class SqliteSource:
    """A Source in the transaction that `file` is in."""

    file: sqlite3.Connection
    whose: Whose

    def span(self) -> tuple[int, int]:
        """The first and the last change that are still known; 1 and 0 where there is none."""
        query = "SELECT coalesce(min(number), 1), coalesce(max(number), 0) FROM changes"
        first, last = self.file.execute(query).fetchone()
        return first, last

    def load(self) -> Iterator[Rows]:
        """All vectors, some at a time."""
        rows = self.file.execute(LOAD, asdict(self.whose))
        while some := rows.fetchmany(ROWS_AT_ONCE):
            yield some

    def changed(self, seen: int) -> list[int]:
        """The chunks that changed behind a change."""
        return [chunk for (chunk,) in self.file.execute(CHANGED, (self.whose.collection, seen))]

    def load_some(self, chunks: Sequence[int]) -> Rows:
        """The vectors of those chunks that are in the collection and have one."""
        bounds = asdict(self.whose)
        return [row for chunk in chunks for row in self.file.execute(LOAD_ONE, {**bounds, "chunk": chunk})]

"""The vectors of one collection in the PostgreSQL database of documents, for who holds them in memory."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from ossian.rag.meanings import Rows, Whose
from ossian.rag.postgres_file import Connection

INSIDE = """
SELECT true FROM places JOIN files ON files.number = file WHERE chunk = chunks.number AND collection = %(collection)s
"""
INSIDE_ONE_BY_ONE = f"({INSIDE} LIMIT 1)"  # for few chunks: of EXISTS the planner may make a list of the collection
VECTORS = """
SELECT chunks.number, vector FROM chunks JOIN vectors ON vectors.digest = chunks.digest WHERE embedder = %(embedder)s
"""
LOAD = f"{VECTORS} AND EXISTS ({INSIDE})"
LOAD_SOME = f"{VECTORS} AND chunks.number = ANY(%(chunks)s) AND {INSIDE_ONE_BY_ONE}"
CHANGED = "SELECT DISTINCT chunk FROM changes WHERE collection = %s AND number > %s"
ROWS_AT_ONCE = 20_000


@dataclass(frozen=True, slots=True)
class PostgresSource:
    """A Source in the transaction that `file` is in."""

    file: Connection
    whose: Whose

    def span(self) -> tuple[int, int]:
        """The first and the last change that are still known; 1 and 0 where there is none."""
        query = "SELECT coalesce(min(number), 1), coalesce(max(number), 0) FROM changes"
        first, last = self.file.execute(query).fetchone() or (1, 0)
        return first, last

    def load(self) -> Iterator[Rows]:
        """All vectors, some at a time."""
        with self.file.cursor("vectors", binary=True) as cursor:
            cursor.execute(LOAD, asdict(self.whose))
            while some := cursor.fetchmany(ROWS_AT_ONCE):
                yield some

    def changed(self, seen: int) -> list[int]:
        """The chunks that changed behind a change."""
        return [chunk for (chunk,) in self.file.execute(CHANGED, (self.whose.collection, seen))]

    def load_some(self, chunks: Sequence[int]) -> Rows:
        """The vectors of those chunks that are in the collection and have one."""
        return self.file.execute(LOAD_SOME, {**asdict(self.whose), "chunks": list(chunks)}, binary=True).fetchall()

"""Nearest vectors of large collections by pgvector, in a graph (HNSW) that all servers of a database share.

Knows no words. Where the extension `vector` is not to be had, there are no graphs, and vectors are found in memory.
"""

import logging
import math
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy

from ossian.errors import LibraryFailed
from ossian.rag.meanings import HALF_BYTES, Cosines, Whose, unpack
from ossian.rag.postgres_file import Connection, PostgresFile
from ossian.rag.postgres_meaning import INSIDE_ONE_BY_ONE, PostgresSource
from ossian.rag.store import Vector

log = logging.getLogger(__name__)

LEAST_SHARE = 0.2  # of all chunks: of a smaller collection too few are among the nearest of all
LEAST_LOOK, MOST_LOOK = 100, 1_000  # vectors that a search keeps in view; pgvector takes no more
VECTORS_AT_ONCE = 2_000
BUILD_MEMORY = "512MB"
BUILDERS_LOCK = 0x6F7373  # and the number of the embedder: one server builds

SIZE = "SELECT coalesce(sum(chunks), 0)::bigint FROM files WHERE collection = %s"
ALL_SIZES = "SELECT coalesce(sum(chunks), 0)::bigint FROM files"
NOTE_GRAPH = "INSERT INTO graphs (embedder, width) VALUES (%s, %s) ON CONFLICT DO NOTHING"
SOME = """
SELECT digest, vector FROM vectors WHERE embedder = %s AND digest > %s AND length(vector) = %s
ORDER BY digest LIMIT %s
"""
NEAREST = "SELECT digest, -(vector <#> %s::vector) FROM {near} ORDER BY vector <#> %s::vector LIMIT %s"
CHUNKS = f"SELECT digest, number FROM chunks WHERE digest = ANY(%(digests)s) AND {INSIDE_ONE_BY_ONE}"


@dataclass(frozen=True, slots=True)
class Graph:
    """The vectors of one embedder in a table of pgvector's. Until it is `ready`, some are missing."""

    embedder: int
    width: int
    ready: bool

    @property
    def table(self) -> str:
        return f"near_{self.embedder}"

    def put(self, file: Connection, halves: Mapping[bytes, bytes], clash: str) -> None:
        """Put those vectors in that are as wide as the others, by their digests."""
        rows = [(digest, literal(half)) for digest, half in halves.items() if self.takes(half)]
        query = f"INSERT INTO {self.table} (digest, vector) SELECT digest, vector::vector "
        query += f"FROM unnest(%s::bytea[], %s::text[]) AS new (digest, vector) ON CONFLICT (digest) DO {clash}"
        file.execute(query, ([digest for digest, _ in rows], [text for _, text in rows]))

    def remove(self, file: Connection, digests: Sequence[bytes]) -> None:
        file.execute(f"DELETE FROM {self.table} WHERE digest = ANY(%s)", (digests,))

    def takes(self, half: bytes) -> bool:
        return len(half) == HALF_BYTES * self.width and bool(numpy.isfinite(numpy.frombuffer(half, "<f2")).all())


@dataclass(frozen=True, slots=True)
class Seeker:
    """Looks a question up in a graph. `share` is how much of all chunks the collection has."""

    graph: Graph
    whose: Whose
    share: float

    def find(self, file: Connection, question: Vector, count: int, also: Iterable[int]) -> Cosines:
        """Cosines of the nearest chunks, and of those in `also` that have a vector, by chunk."""
        look = min(MOST_LOOK, max(LEAST_LOOK, 2 * math.ceil(count / self.share)))
        file.execute(f"SET LOCAL hnsw.ef_search = {look}")
        text = str(question.tolist())
        nearest = file.execute(NEAREST.format(near=self.graph.table), (text, text, look)).fetchall()
        bounds = {"digests": [digest for digest, _ in nearest], "collection": self.whose.collection}
        chunks: dict[bytes, int] = dict(file.execute(CHUNKS, bounds).fetchall())
        found = ((chunks[digest], cosine) for digest, cosine in nearest if digest in chunks)
        return dict(islice(found, count)) | self.cosines(file, question, also)

    def cosines(self, file: Connection, question: Vector, chunks: Iterable[int]) -> Cosines:
        rows = PostgresSource(file, self.whose).load_some(list(chunks))
        keys, halves = unpack([row for row in rows if len(row[1]) == HALF_BYTES * self.graph.width])
        if not len(keys):
            return {}
        return dict(zip(keys.tolist(), (halves.astype(numpy.float32) @ question).tolist(), strict=True))


class Graphs:
    """Has graphs built where collections are large, in the background."""

    def __init__(self, database: PostgresFile, from_chunks: int) -> None:
        self._database = database
        self._from_chunks = from_chunks
        self._tried: set[int] = set()
        self._turn = threading.Lock()

    def find(self, file: Connection, whose: Whose, width: int) -> Seeker | None:
        """Who looks questions up for a collection; None while, or because, that is done in memory."""
        (chunks,) = file.execute(SIZE, (whose.collection,)).fetchone() or (0,)
        if chunks < self._from_chunks:
            return None
        (every,) = file.execute(ALL_SIZES).fetchone() or (chunks,)
        if chunks < LEAST_SHARE * every:
            return None
        graph = find_graph(file, whose.embedder)
        if graph and graph.ready:
            return Seeker(graph, whose, chunks / every) if graph.width == width else None
        self._want(Graph(whose.embedder, width, False))
        return None

    def _want(self, graph: Graph) -> None:
        """Have a graph built, once in the life of this server: where it fails, memory serves."""
        with self._turn:
            if graph.embedder in self._tried:
                return
            self._tried.add(graph.embedder)
        threading.Thread(target=self._build, args=(graph,), daemon=True).start()

    def _build(self, graph: Graph) -> None:
        try:
            with self._database.writing() as file:
                file.execute("CREATE EXTENSION IF NOT EXISTS vector SCHEMA public")
                table = f"(digest bytea PRIMARY KEY, vector vector({graph.width}) NOT NULL)"
                file.execute(f"CREATE TABLE IF NOT EXISTS {graph.table} {table}")
                file.execute(NOTE_GRAPH, (graph.embedder, graph.width))
            with self._database.alone() as file:
                fill(file, graph)
        except LibraryFailed as error:
            log.warning("vectors are looked for in memory, without pgvector: %s", error.message)


def find_graph(file: Connection, embedder: int) -> Graph | None:
    row = file.execute("SELECT embedder, width, ready FROM graphs WHERE embedder = %s", (embedder,)).fetchone()
    return Graph(*row) if row else None


def fill(file: Connection, graph: Graph) -> None:
    """Put all vectors that are there in, unless another server is at it; those kept from now on are put in as well."""
    locked = file.execute("SELECT pg_try_advisory_lock(%s, %s)", (BUILDERS_LOCK, graph.embedder)).fetchone()
    if locked != (True,):
        return
    last, width = b"", HALF_BYTES * graph.width
    while rows := file.execute(SOME, (graph.embedder, last, width, VECTORS_AT_ONCE)).fetchall():
        graph.put(file, dict(rows), "NOTHING")
        last = rows[-1][0]
    file.execute(f"SET maintenance_work_mem = '{BUILD_MEMORY}'; SET lock_timeout = 0")
    file.execute(f"DROP INDEX IF EXISTS {graph.table}_graph")  # of a server that died while it built
    query = f"CREATE INDEX CONCURRENTLY {graph.table}_graph ON {graph.table} USING hnsw (vector vector_ip_ops)"
    file.execute(query)
    file.execute("UPDATE graphs SET ready = true WHERE embedder = %s", (graph.embedder,))


def literal(half: bytes) -> str:
    """A vector as pgvector reads it."""
    return str(numpy.frombuffer(half, "<f2").tolist())

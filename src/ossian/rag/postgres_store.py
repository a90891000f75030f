"""Documents in a PostgreSQL database that servers share: files, chunks by content, words, vectors as half floats.

Vectors are compared exactly, in memory, as those of a SQLite file are. Those of a collection of `lists_from` chunks and
more are found by a graph of pgvector's (HNSW), if the extension `vector` is there or may be made; else in memory.
"""

from collections.abc import Iterable, Mapping, Sequence

from ossian.rag.meanings import Meanings, Whose
from ossian.rag.postgres_file import PostgresFile
from ossian.rag.postgres_graph import Graphs, find_graph
from ossian.rag.postgres_meaning import PostgresSource
from ossian.rag.postgres_rows import (
    TRIM_CHANGES,
    Prepared,
    drop_collection,
    drop_file,
    find_collection,
    find_number,
    find_or_make,
    key_of,
    put_file,
)
from ossian.rag.postgres_words import Asked, Stems, cover, find_words
from ossian.rag.rows import NOBODY, read_file, read_vector, write_vector
from ossian.rag.store import Collection, Hit, KeptFile, Placed, Reading, Vector
from ossian.rag.vectors import LISTS_FROM

COLLECTIONS = """
SELECT name, count(files.number), coalesce(sum(chunks), 0)::bigint FROM collections
LEFT JOIN files ON collection = collections.number GROUP BY collections.number ORDER BY name COLLATE "C"
"""
FILES = """
SELECT files.path, size, modified, files.digest, kind, reason, count(places.number),
    count(places.number) FILTER (WHERE %(embedder)s::bigint IS NOT NULL AND vectors.digest IS NULL)
FROM files LEFT JOIN places ON places.file = files.number LEFT JOIN chunks ON chunks.number = places.chunk
LEFT JOIN vectors ON vectors.digest = chunks.digest AND vectors.embedder = %(embedder)s
WHERE collection = %(collection)s
    AND (%(ending)s::text IN ('', path) OR right(path, length(%(ending)s) + 1) = '/' || %(ending)s)
GROUP BY files.number ORDER BY files.path COLLATE "C"
"""
PLACED = """
SELECT places.number, collections.name, path, files.digest, position, chunk, text, context, first_line, last_line, page
FROM places JOIN files ON files.number = file JOIN collections ON collections.number = collection
JOIN chunks ON chunks.number = chunk WHERE places.number = ANY(%s)
"""
PENDING = """
SELECT chunks.number, text FROM chunks WHERE number > %(after)s AND NOT EXISTS (
    SELECT FROM vectors WHERE vectors.digest = chunks.digest AND vectors.embedder = %(embedder)s
) AND (%(collection)s::bigint IS NULL OR EXISTS (
    SELECT FROM places JOIN files ON files.number = file WHERE chunk = chunks.number AND collection = %(collection)s
)) ORDER BY chunks.number LIMIT %(count)s
"""
FIRST_PLACES = """
SELECT chunk, min(places.number) FROM places JOIN files ON files.number = file
WHERE chunk = ANY(%s) AND collection = %s GROUP BY chunk
"""
DEFINITIONS = """
SELECT symbol, chunk, places.number FROM symbols JOIN places ON places.number = place
WHERE collection = %s AND symbol = ANY(%s) ORDER BY place
"""
KEEP_VECTORS = """
INSERT INTO vectors (digest, embedder, unused_since, vector)
SELECT new.digest, %s, CASE WHEN chunks.digest IS NULL THEN clock_timestamp() END, new.vector
FROM unnest(%s::bytea[], %s::bytea[]) AS new (digest, vector) LEFT JOIN chunks ON chunks.digest = new.digest
ON CONFLICT (digest, embedder) DO UPDATE SET unused_since = excluded.unused_since, vector = excluded.vector
"""
NOTE_VECTORS = """
INSERT INTO changes (collection, chunk) SELECT DISTINCT collection, chunk FROM chunks
JOIN places ON chunk = chunks.number JOIN files ON files.number = file WHERE chunks.digest = ANY(%s)
"""
SWEEP = """
DELETE FROM vectors WHERE unused_since < clock_timestamp() - make_interval(secs => %s) RETURNING embedder, digest
"""


class PostgresShelf:
    """A Shelf in a database. May be used by many threads, and the database by many servers."""

    def __init__(self, url: str, lists_from: int = LISTS_FROM) -> None:
        self._file = PostgresFile(url)
        self._stems = Stems()
        self._meanings = Meanings(lists_from)
        self._graphs = Graphs(self._file, lists_from)

    def close(self) -> None:
        """Leave the database; nobody may be using it."""
        self._file.close()

    def keep(self, collection: str, readings: Sequence[Reading]) -> None:
        """Put files into a collection, each in the place of what was known of its path; all of them or none."""
        with self._file.reading() as file:
            prepared = [Prepared.of(file, self._stems, reading) for reading in readings]
        with self._file.writing() as file:
            number = find_or_make(file, "collections", collection)
            for each in prepared:
                put_file(file, number, each)

    def forget(self, collection: str, paths: Iterable[str] | None = None) -> int:
        """Take files out of a collection, or the collection away; tell how many files went."""
        with self._file.writing() as file:
            number = find_collection(file, collection)
            if paths is None:
                return drop_collection(file, number)
            return sum(drop_file(file, number, path) for path in paths)

    def names(self) -> tuple[str, ...]:
        """The collections' names alone, which costs nothing."""
        with self._file.reading() as file:
            return tuple(name for (name,) in file.execute('SELECT name FROM collections ORDER BY name COLLATE "C"'))

    def collections(self) -> tuple[Collection, ...]:
        with self._file.reading() as file:
            return tuple(Collection(*row) for row in file.execute(COLLECTIONS))

    def files(self, collection: str, embedder: str = "", ending: str = "") -> tuple[KeptFile, ...]:
        """The files, by their paths: all, or those of this path or of one that ends in `/` and this."""
        with self._file.reading() as file:
            number = find_collection(file, collection)
            wanted = (find_number(file, "embedders", embedder) or NOBODY) if embedder else None
            rows = file.execute(FILES, {"collection": number, "embedder": wanted, "ending": ending})
            return tuple(read_file(row) for row in rows)

    def find_words(self, collection: str, terms: Sequence[str], count: int) -> list[Hit]:
        """The places that hold any of these words, the best first."""
        with self._file.reading() as file:
            return find_words(file, Asked.of(file, self._stems, find_collection(file, collection), terms), count)

    def cover(self, collection: str, terms: Sequence[str], places: Iterable[int]) -> dict[int, float]:
        """How much of these words stands at each place, rare words counting more: 1 is all of it."""
        with self._file.reading() as file:
            return cover(file, Asked.of(file, self._stems, find_collection(file, collection), terms), places)

    def find_meaning(
        self, collection: str, embedder: str, question: Vector, count: int, also: Iterable[int] = ()
    ) -> dict[int, float]:
        """Cosines of the nearest chunks, and of those in `also` that have a vector, by chunk."""
        with self._file.reading() as file:
            number = find_collection(file, collection)
            wanted = find_number(file, "embedders", embedder)
            if wanted is None:
                return {}
            whose = Whose(number, wanted)
            if seeker := self._graphs.find(file, whose, len(question)):
                self._meanings.let_go(whose)
                return seeker.find(file, question, count, also)
            return self._meanings.find(PostgresSource(file, whose), whose, question, count, also)

    def find_definitions(self, collection: str, names: Sequence[str]) -> dict[str, list[Hit]]:
        """Where each of these names (in small letters) is defined."""
        keys = {key_of(name): name for name in names}
        found: dict[str, list[Hit]] = {name: [] for name in names}
        with self._file.reading() as file:
            number = find_collection(file, collection)
            for key, chunk, place in file.execute(DEFINITIONS, (number, list(keys))):
                found[keys[key]].append(Hit(chunk, place, 1.0))
        return {name: hits for name, hits in found.items() if hits}

    def places_of(self, collection: str, chunks: Iterable[int]) -> dict[int, int]:
        """The first place of each chunk in a collection."""
        wanted = list(chunks)
        with self._file.reading() as file:
            number = find_collection(file, collection)
            found: dict[int, int] = dict(file.execute(FIRST_PLACES, (wanted, number)).fetchall())
        return {chunk: found[chunk] for chunk in wanted if chunk in found}

    def placed(self, places: Iterable[int]) -> dict[int, Placed]:
        """What stands at places; those that are gone are left out."""
        wanted = list(places)
        with self._file.reading() as file:
            rows = {place: row for place, *row in file.execute(PLACED, (wanted,))}
        return {place: Placed(*rows[place]) for place in wanted if place in rows}

    def texts_of(self, chunks: Iterable[int]) -> dict[int, str]:
        """The texts of those chunks that are there."""
        wanted = list(chunks)
        with self._file.reading() as file:
            found: dict[int, str] = dict(
                file.execute("SELECT number, text FROM chunks WHERE number = ANY(%s)", (wanted,)).fetchall()
            )
        return {chunk: found[chunk] for chunk in wanted if chunk in found}

    def pending(self, embedder: str, count: int, collection: str = "", after: int = 0) -> dict[int, str]:
        """The next chunks behind `after` without a vector of this embedder, with their texts; empty at the end."""
        with self._file.reading() as file:
            number = find_collection(file, collection) if collection else None
            wanted = find_number(file, "embedders", embedder)
            bounds = {"after": after, "embedder": wanted, "collection": number, "count": count}
            return dict(file.execute(PENDING, bounds).fetchall())

    def keep_vectors(self, embedder: str, vectors: Mapping[str, Sequence[float]]) -> None:
        """Keep the vectors of texts, each made one long. Texts that no file holds are kept as well."""
        halves = {key_of(text): write_vector(vector) for text, vector in vectors.items()}
        digests = list(halves)
        with self._file.writing() as file:
            number = find_or_make(file, "embedders", embedder)
            file.execute(KEEP_VECTORS, (number, digests, list(halves.values())))
            if graph := find_graph(file, number):
                graph.put(file, halves, "UPDATE SET vector = excluded.vector")
            file.execute(NOTE_VECTORS, (digests,))
            file.execute(TRIM_CHANGES)

    def vectors_of(self, embedder: str, texts: Iterable[str]) -> dict[str, Vector]:
        """The vectors that are kept, by their texts."""
        query = "SELECT digest, vector FROM vectors WHERE digest = ANY(%s) AND embedder = %s"
        keys = {text: key_of(text) for text in texts}
        with self._file.reading() as file:
            number = find_number(file, "embedders", embedder)
            found: dict[bytes, bytes] = dict(file.execute(query, (list(keys.values()), number)).fetchall())
        return {text: read_vector(found[key]) for text, key in keys.items() if key in found}

    def sweep(self, unused_seconds: float) -> int:
        """Erase the vectors of texts that no file has held for so long; tell how many."""
        with self._file.writing() as file:
            gone = file.execute(SWEEP, (unused_seconds,)).fetchall()
            for embedder in {embedder for embedder, _ in gone}:
                if graph := find_graph(file, embedder):
                    graph.remove(file, [digest for each, digest in gone if each == embedder])
            return len(gone)

"""Documents in one SQLite file: files, their chunks by content, an index of words, and vectors as half floats."""

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ossian.rag.meanings import Meanings, Whose
from ossian.rag.rows import NOBODY, read_file, read_vector, words_of, writable, write_vector
from ossian.rag.sqlite_file import SqliteFile, create_words, words_table
from ossian.rag.sqlite_meaning import SqliteSource
from ossian.rag.sqlite_rows import (
    TRIM_CHANGES,
    WordChanges,
    drop_collection,
    drop_file,
    find_collection,
    find_number,
    find_or_make,
    put_file,
)
from ossian.rag.sqlite_words import Counts, cover, find_words
from ossian.rag.store import Collection, Hit, KeptFile, Placed, Reading, Vector, digest_of
from ossian.rag.vectors import LISTS_FROM

FILES = """
SELECT files.path, size, modified, files.digest, kind, reason, count(places.number), total(
    :embedder IS NOT NULL AND places.number IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM vectors WHERE vectors.digest = chunks.digest AND vectors.embedder = :embedder
    )
)
FROM files LEFT JOIN places ON places.file = files.number LEFT JOIN chunks ON chunks.number = places.chunk
WHERE collection = :collection
    AND (:ending IN ('', path) OR substr(path, -length(:ending) - 1) = '/' || :ending)
GROUP BY files.number ORDER BY files.path
"""
PLACED = """
SELECT collections.name, path, files.digest, position, chunk, text, context, first_line, last_line, page
FROM places JOIN files ON files.number = file JOIN collections ON collections.number = collection
JOIN chunks ON chunks.number = chunk WHERE places.number = ?
"""
PENDING = """
SELECT chunks.number, text FROM chunks WHERE number > :after AND NOT EXISTS (
    SELECT 1 FROM vectors WHERE vectors.digest = chunks.digest AND vectors.embedder = :embedder
) AND (:collection IS NULL OR EXISTS (
    SELECT 1 FROM places JOIN files ON files.number = file WHERE chunk = chunks.number AND collection = :collection
)) ORDER BY chunks.number LIMIT :count
"""
FIRST_PLACE = """
SELECT min(places.number) FROM places JOIN files ON files.number = file WHERE chunk = ? AND collection = ?
"""
KEEP_VECTOR = """
INSERT OR REPLACE INTO vectors (digest, embedder, unused_since, vector)
VALUES (?1, ?2, iif(EXISTS (SELECT 1 FROM chunks WHERE digest = ?1), NULL, ?3), ?4)
"""
NOTE_VECTOR = """
INSERT INTO changes (collection, chunk) SELECT DISTINCT collection, chunk FROM chunks
JOIN places ON chunk = chunks.number JOIN files ON files.number = file WHERE chunks.digest = ?
"""


class SqliteShelf:
    """A Shelf in one file. May be used by many threads, and the file by many processes."""

    def __init__(self, path: Path, lists_from: int = LISTS_FROM) -> None:
        self._file = SqliteFile(path)
        self._meanings = Meanings(lists_from)
        self._counts = Counts()

    def close(self) -> None:
        """Close the file; nobody may be using it."""
        self._file.close()

    def keep(self, collection: str, readings: Sequence[Reading]) -> None:
        """Put files into a collection, each in the place of what was known of its path; all of them or none."""
        readings = [writable(reading) for reading in readings]
        spread_out = [[words_of(chunk) for chunk in reading.chunks] for reading in readings]
        with self._file.writing() as file:
            number = find_or_make(file, "collections", collection)
            create_words(file, number)
            changes = WordChanges()
            for reading, words in zip(readings, spread_out, strict=True):
                put_file(file, number, reading, words, changes)
            changes.write(file, number)

    def forget(self, collection: str, paths: Iterable[str] | None = None) -> int:
        """Take files out of a collection, or the collection away; tell how many files went."""
        with self._file.writing() as file:
            number = find_collection(file, collection)
            if paths is None:
                return drop_collection(file, number)
            changes = WordChanges()
            gone = sum(drop_file(file, number, path, changes) for path in paths)
            changes.write(file, number)
            return gone

    def names(self) -> tuple[str, ...]:
        """The collections' names alone, which costs nothing."""
        with self._file.reading() as file:
            return tuple(name for (name,) in file.execute("SELECT name FROM collections ORDER BY name"))

    def collections(self) -> tuple[Collection, ...]:
        query = "SELECT name, count(DISTINCT files.number), count(places.number) FROM collections "
        query += "LEFT JOIN files ON collection = collections.number LEFT JOIN places ON file = files.number "
        with self._file.reading() as file:
            return tuple(Collection(*row) for row in file.execute(query + "GROUP BY collections.number ORDER BY name"))

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
            words = words_table(find_collection(file, collection))
            return find_words(file, words, terms, count, self._counts)

    def cover(self, collection: str, terms: Sequence[str], places: Iterable[int]) -> dict[int, float]:
        """How much of these words stands at each place, rare words counting more: 1 is all of it."""
        with self._file.reading() as file:
            words = words_table(find_collection(file, collection))
            return cover(file, words, terms, places, self._counts)

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
            return self._meanings.find(SqliteSource(file, whose), whose, question, count, also)

    def find_definitions(self, collection: str, names: Sequence[str]) -> dict[str, list[Hit]]:
        """Where each of these names (in small letters) is defined."""
        query = "SELECT chunk, places.number, 1.0 FROM symbols JOIN places ON places.number = place "
        query += "WHERE collection = ? AND symbol = ? ORDER BY place"
        with self._file.reading() as file:
            number = find_collection(file, collection)
            found = {name: [Hit(*row) for row in file.execute(query, (number, name))] for name in names}
        return {name: hits for name, hits in found.items() if hits}

    def places_of(self, collection: str, chunks: Iterable[int]) -> dict[int, int]:
        """The first place of each chunk in a collection."""
        with self._file.reading() as file:
            number = find_collection(file, collection)
            found = {chunk: file.execute(FIRST_PLACE, (chunk, number)).fetchone()[0] for chunk in chunks}
        return {chunk: place for chunk, place in found.items() if place is not None}

    def placed(self, places: Iterable[int]) -> dict[int, Placed]:
        """What stands at places; those that are gone are left out."""
        with self._file.reading() as file:
            rows = {place: file.execute(PLACED, (place,)).fetchone() for place in places}
        return {place: Placed(*row) for place, row in rows.items() if row}

    def texts_of(self, chunks: Iterable[int]) -> dict[int, str]:
        """The texts of those chunks that are there."""
        with self._file.reading() as file:
            query = "SELECT number, text FROM chunks WHERE number = ?"
            return dict(row for chunk in chunks for row in file.execute(query, (chunk,)))

    def pending(self, embedder: str, count: int, collection: str = "", after: int = 0) -> dict[int, str]:
        """The next chunks behind `after` without a vector of this embedder, with their texts; empty at the end."""
        with self._file.reading() as file:
            number = find_collection(file, collection) if collection else None
            wanted = find_number(file, "embedders", embedder)
            bounds = {"after": after, "embedder": wanted, "collection": number, "count": count}
            return dict(file.execute(PENDING, bounds).fetchall())

    def keep_vectors(self, embedder: str, vectors: Mapping[str, Sequence[float]]) -> None:
        """Keep the vectors of texts, each made one long. Texts that no file holds are kept as well."""
        halves = {digest_of(text): write_vector(vector) for text, vector in vectors.items()}
        with self._file.writing() as file:
            number = find_or_make(file, "embedders", embedder)
            for digest, half in halves.items():
                file.execute(KEEP_VECTOR, (digest, number, time.time(), half))
                file.execute(NOTE_VECTOR, (digest,))
            file.execute(TRIM_CHANGES)

    def vectors_of(self, embedder: str, texts: Iterable[str]) -> dict[str, Vector]:
        """The vectors that are kept, by their texts."""
        query = "SELECT vector FROM vectors WHERE digest = ? AND embedder = ?"
        with self._file.reading() as file:
            number = find_number(file, "embedders", embedder)
            rows = {text: file.execute(query, (digest_of(text), number)).fetchone() for text in texts}
        return {text: read_vector(row[0]) for text, row in rows.items() if row}

    def sweep(self, unused_seconds: float) -> int:
        """Erase the vectors of texts that no file has held for so long; tell how many."""
        with self._file.writing() as file:
            bound = (time.time() - unused_seconds,)
            return file.execute("DELETE FROM vectors WHERE unused_since < ?", bound).rowcount

"""Rows of the PostgreSQL database of documents: put in and taken out. Every function works in its caller's transaction.

A file's chunks go in together: what matters here is how often the database is asked.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self

from ossian.errors import CollectionNotFound
from ossian.rag.pieces import Chunk
from ossian.rag.postgres_file import Connection
from ossian.rag.postgres_words import Stems, as_vector, words_in
from ossian.rag.rows import symbol_rows, words_of, writable
from ossian.rag.store import Reading, digest_of

MOST_CHANGES = 100_000  # kept for who holds vectors in memory; who missed more reads all of them again
NOT_WRITABLE = str.maketrans({"\0": "\ufffd"})  # PostgreSQL keeps no text with a zero in it

PUT_FILE = """
INSERT INTO files (collection, path_digest, path, size, modified, digest, kind, reason, chunks, words)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (collection, path_digest) DO UPDATE SET size = excluded.size, modified = excluded.modified,
    digest = excluded.digest, kind = excluded.kind, reason = excluded.reason, chunks = excluded.chunks,
    words = excluded.words
RETURNING number
"""
PUT_CHUNKS = """
INSERT INTO chunks (digest, text) SELECT digest, text FROM unnest(%s::bytea[], %s::text[])
WITH ORDINALITY AS new (digest, text, place) ORDER BY place ON CONFLICT (digest) DO NOTHING RETURNING digest
"""
USE_VECTORS = "UPDATE vectors SET unused_since = NULL WHERE digest = ANY(%s) AND unused_since IS NOT NULL"
NUMBERS = "SELECT digest, number FROM chunks WHERE digest = ANY(%s)"
PUT_PLACES = """
INSERT INTO places (file, position, chunk, first_line, last_line, page, context, length, words)
SELECT %s, position - 1, chunk, first_line, last_line, page, context, length, words::tsvector
FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::integer[], %s::text[])
WITH ORDINALITY AS new (chunk, first_line, last_line, page, context, length, words, position)
ORDER BY position RETURNING number
"""
PUT_SYMBOLS = "INSERT INTO symbols SELECT %s, * FROM unnest(%s::bytea[], %s::bigint[])"
NOTE_CHANGES = """
INSERT INTO changes (collection, chunk) SELECT %s, number FROM chunks
WHERE number = ANY(%s) AND EXISTS (SELECT FROM vectors WHERE vectors.digest = chunks.digest)
"""
TRIM_CHANGES = f"DELETE FROM changes WHERE number <= (SELECT max(number) FROM changes) - {MOST_CHANGES}"
DROP_UNUSED = """
WITH gone AS (
    DELETE FROM chunks WHERE number = ANY(%s) AND NOT EXISTS (SELECT FROM places WHERE chunk = chunks.number)
    RETURNING digest
)
UPDATE vectors SET unused_since = clock_timestamp() FROM gone WHERE vectors.digest = gone.digest
"""

Table = Literal["collections", "embedders"]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A reading with all that is known of it before the transaction: the words of each chunk, as stems."""

    reading: Reading
    words: tuple[tuple[list[str], list[str]], ...]

    @classmethod
    def of(cls, file: Connection, stems: Stems, reading: Reading) -> Self:
        """What goes into the database: without what it does not take."""
        reading = keepable(writable(reading))
        words = [(words_in(text), words_in(context)) for text, context in map(words_of, reading.chunks)]
        stem = stems.of(file, (word for each in words for part in each for word in part))
        stemmed = (([stem[word] for word in text], [stem[word] for word in context]) for text, context in words)
        return cls(reading, tuple(stemmed))

    @property
    def lengths(self) -> list[int]:
        return [len(text) + len(context) for text, context in self.words]


def find_number(file: Connection, table: Table, name: str) -> int | None:
    row = file.execute(f"SELECT number FROM {table} WHERE digest = %s", (key_of(name),)).fetchone()
    return int(row[0]) if row else None


def find_or_make(file: Connection, table: Table, name: str) -> int:
    number = find_number(file, table, name)
    if number is None:
        file.execute(f"INSERT INTO {table} (digest, name) VALUES (%s, %s)", (key_of(name), keepable_text(name)))
        number = find_number(file, table, name)
    assert number is not None
    return number


def find_collection(file: Connection, name: str) -> int:
    """The number of a collection. Raises CollectionNotFound."""
    if (number := find_number(file, "collections", name)) is None:
        raise CollectionNotFound(name)
    return number


def put_file(file: Connection, collection: int, prepared: Prepared) -> None:
    """Put a file in, in the place of what was known of its path; what it still holds keeps number and vector."""
    reading, lengths = prepared.reading, prepared.lengths
    about = (reading.size, reading.modified, reading.digest, reading.kind, reading.skipped or reading.remark)
    values = (collection, digest_of(reading.path), reading.path, *about, len(lengths), sum(lengths))
    (number,) = file.execute(PUT_FILE, values).fetchone() or (0,)
    known = drop_places(file, number)
    chunks = put_chunks(file, reading.chunks)
    put_places(file, collection, number, prepared, chunks)
    note_changes(file, collection, known.symmetric_difference(chunks))
    drop_unused(file, known.difference(chunks))


def put_chunks(file: Connection, chunks: Sequence[Chunk]) -> list[int]:
    """Keep the texts of chunks; the number of each."""
    texts = {digest_of(chunk.text): chunk.text for chunk in chunks}
    new = [digest for (digest,) in file.execute(PUT_CHUNKS, (list(texts), list(texts.values())))]
    if new:
        file.execute(USE_VECTORS, (new,))
    numbers: dict[bytes, int] = dict(file.execute(NUMBERS, (list(texts),)).fetchall())
    return [numbers[digest_of(chunk.text)] for chunk in chunks]


def put_places(file: Connection, collection: int, number: int, prepared: Prepared, chunks: Sequence[int]) -> None:
    parts = prepared.reading.chunks
    columns = (
        list(chunks),
        [chunk.first_line for chunk in parts],
        [chunk.last_line for chunk in parts],
        [chunk.page for chunk in parts],
        [chunk.context for chunk in parts],
        prepared.lengths,
        [as_vector(collection, text, context) for text, context in prepared.words],
    )
    places = [place for (place,) in file.execute(PUT_PLACES, (number, *columns))]
    symbols = [
        (digest_of(symbol), place)
        for place, chunk in zip(places, parts, strict=True)
        for symbol in symbol_rows("\n".join(chunk.symbols))
    ]
    if symbols:
        file.execute(PUT_SYMBOLS, (collection, [symbol for symbol, _ in symbols], [place for _, place in symbols]))


def drop_file(file: Connection, collection: int, path: str) -> bool:
    """Take a file out; whether there was one."""
    query = "DELETE FROM files WHERE collection = %s AND path_digest = %s RETURNING number"
    row = file.execute(query, (collection, key_of(path))).fetchone()
    if row is None:
        return False
    chunks = drop_places(file, row[0])
    note_changes(file, collection, chunks)
    drop_unused(file, chunks)
    return True


def drop_places(file: Connection, number: int) -> set[int]:
    """Take the places of a file out; the chunks that stood there."""
    rows = file.execute("DELETE FROM places WHERE file = %s RETURNING number, chunk", (number,)).fetchall()
    file.execute("DELETE FROM symbols WHERE place = ANY(%s)", ([place for place, _ in rows],))
    return {chunk for _, chunk in rows}


def drop_collection(file: Connection, collection: int) -> int:
    """Take a collection out with all its files; how many they were."""
    query = "DELETE FROM places USING files WHERE files.number = file AND collection = %s RETURNING chunk"
    chunks = {chunk for (chunk,) in file.execute(query, (collection,))}
    file.execute("DELETE FROM symbols WHERE collection = %s", (collection,))
    count = file.execute("DELETE FROM files WHERE collection = %s", (collection,)).rowcount
    file.execute("DELETE FROM collections WHERE number = %s", (collection,))
    drop_unused(file, chunks)
    return count


def drop_unused(file: Connection, chunks: Iterable[int]) -> None:
    """Erase those chunks that stand nowhere any more. Their vectors stay a while: a branch is switched back, too."""
    if wanted := list(chunks):
        file.execute(DROP_UNUSED, (wanted,))


def note_changes(file: Connection, collection: int, chunks: Iterable[int]) -> None:
    """Tell who holds vectors in memory which chunks came or went."""
    if wanted := list(chunks):
        file.execute(NOTE_CHANGES, (collection, wanted))
        file.execute(TRIM_CHANGES)


def keepable(reading: Reading) -> Reading:
    """A reading without zeros in its texts."""
    chunks = tuple(
        replace(chunk, text=keepable_text(chunk.text), context=keepable_text(chunk.context)) for chunk in reading.chunks
    )
    return replace(reading, path=keepable_text(reading.path), chunks=chunks, skipped=keepable_text(reading.skipped))


def key_of(text: str) -> bytes:
    """What a text is known by, as it is kept."""
    return digest_of(keepable_text(text))


def keepable_text(text: str) -> str:
    return text.encode("utf-8", "replace").decode().translate(NOT_WRITABLE)

"""Rows of the SQLite file of documents: put in, taken out, read. Every function works in its caller's transaction."""

import sqlite3
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ossian.errors import CollectionNotFound
from ossian.rag.pieces import Chunk
from ossian.rag.rows import Words, index_words, symbol_rows
from ossian.rag.sqlite_file import words_table
from ossian.rag.store import Reading, digest_of

MOST_CHANGES = 100_000  # kept for who holds vectors in memory; who missed more reads all of them again

PUT_FILE = """
INSERT INTO files (collection, path, size, modified, digest, kind, reason) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (collection, path) DO UPDATE SET size = excluded.size, modified = excluded.modified,
    digest = excluded.digest, kind = excluded.kind, reason = excluded.reason
RETURNING number
"""
PUT_PLACE = """
INSERT INTO places (file, position, chunk, first_line, last_line, page, context, symbols)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
FORGET_WORDS = "INSERT INTO {words} ({words}, rowid, text, context) VALUES ('delete', ?, ?, ?)"
PUT_WORDS = "INSERT INTO {words} (rowid, text, context) VALUES (?, ?, ?)"
OLD_PLACES = """
SELECT places.number, chunk, text, context, symbols FROM places JOIN chunks ON chunks.number = chunk WHERE file = ?
"""
NOTE_CHANGE = """
INSERT INTO changes (collection, chunk) SELECT ?, number FROM chunks
WHERE number = ? AND EXISTS (SELECT 1 FROM vectors WHERE vectors.digest = chunks.digest)
"""
DROP_UNUSED = """
DELETE FROM chunks WHERE number = ? AND NOT EXISTS (SELECT 1 FROM places WHERE chunk = chunks.number) RETURNING digest
"""
TRIM_CHANGES = f"DELETE FROM changes WHERE number <= (SELECT max(number) FROM changes) - {MOST_CHANGES}"


def find_number(file: sqlite3.Connection, table: Literal["collections", "embedders"], name: str) -> int | None:
    row = file.execute(f"SELECT number FROM {table} WHERE name = ?", (name,)).fetchone()
    return int(row[0]) if row else None


def find_or_make(file: sqlite3.Connection, table: Literal["collections", "embedders"], name: str) -> int:
    file.execute(f"INSERT INTO {table} (name) VALUES (?) ON CONFLICT DO NOTHING", (name,))
    number = find_number(file, table, name)
    assert number is not None
    return number


def find_collection(file: sqlite3.Connection, name: str) -> int:
    """The number of a collection. Raises CollectionNotFound."""
    if (number := find_number(file, "collections", name)) is None:
        raise CollectionNotFound(name)
    return number


@dataclass(frozen=True, slots=True)
class WordChanges:
    """What goes out of the index of words and what comes in, by place.

    They are written when all else is: SQLite's index writes a piece of itself before some other statements.
    """

    gone: list[tuple[int, str, str]] = field(default_factory=list)
    new: list[tuple[int, str, str]] = field(default_factory=list)

    def write(self, file: sqlite3.Connection, collection: int) -> None:
        words = words_table(collection)
        file.executemany(FORGET_WORDS.format(words=words), self.gone)
        file.executemany(PUT_WORDS.format(words=words), self.new)


def put_file(
    file: sqlite3.Connection, collection: int, reading: Reading, words: Sequence[Words], changes: WordChanges
) -> None:
    """Put a file in, in the place of what was known of its path; what it still holds keeps number and vector."""
    about = (
        reading.path,
        reading.size,
        reading.modified,
        reading.digest,
        reading.kind,
        reading.skipped or reading.remark,
    )
    (number,) = file.execute(PUT_FILE, (collection, *about)).fetchone()
    old = file.execute(OLD_PLACES, (number,)).fetchall()
    known = {chunk for _, chunk, *_ in old}
    placed = [put_chunk(file, collection, number, position, chunk) for position, chunk in enumerate(reading.chunks)]
    changes.new.extend((place, *each) for (place, _), each in zip(placed, words, strict=True))
    drop_places(file, collection, old, changes)
    chunks = {chunk for _, chunk in placed}
    note_changes(file, collection, chunks ^ known)
    drop_unused(file, known - chunks)


def put_chunk(file: sqlite3.Connection, collection: int, number: int, position: int, chunk: Chunk) -> tuple[int, int]:
    """Put a chunk at its place in a file; the numbers of both."""
    digest = digest_of(chunk.text)
    row = file.execute("SELECT number FROM chunks WHERE digest = ?", (digest,)).fetchone()
    if row is None:
        row = (file.execute("INSERT INTO chunks (digest, text) VALUES (?, ?)", (digest, chunk.text)).lastrowid,)
        file.execute("UPDATE vectors SET unused_since = NULL WHERE digest = ?", (digest,))
    lines = (chunk.first_line, chunk.last_line, chunk.page)
    symbols = "\n".join(chunk.symbols)
    place = file.execute(PUT_PLACE, (number, position, row[0], *lines, chunk.context, symbols)).lastrowid
    assert place is not None
    for symbol in symbol_rows(symbols):
        file.execute("INSERT INTO symbols VALUES (?, ?, ?)", (collection, symbol, place))
    return place, int(row[0])


def drop_file(file: sqlite3.Connection, collection: int, path: str, changes: WordChanges) -> bool:
    """Take a file out; whether there was one."""
    query = "DELETE FROM files WHERE collection = ? AND path = ? RETURNING number"
    row = file.execute(query, (collection, path)).fetchone()
    if row is None:
        return False
    old = file.execute(OLD_PLACES, row).fetchall()
    chunks = {chunk for _, chunk, *_ in old}
    drop_places(file, collection, old, changes)
    note_changes(file, collection, chunks)
    drop_unused(file, chunks)
    return True


def drop_places(
    file: sqlite3.Connection, collection: int, old: Sequence[tuple[int, int, str, str, str]], changes: WordChanges
) -> None:
    for place, _, text, context, symbols in old:
        changes.gone.append((place, *index_words(text, context, symbols)))
        rows = [(collection, symbol, place) for symbol in symbol_rows(symbols)]
        file.executemany("DELETE FROM symbols WHERE collection = ? AND symbol = ? AND place = ?", rows)
    file.executemany("DELETE FROM places WHERE number = ?", [(place,) for place, *_ in old])


def drop_collection(file: sqlite3.Connection, collection: int) -> int:
    """Take a collection out with all its files; how many they were."""
    query = "SELECT DISTINCT chunk FROM places JOIN files ON files.number = file WHERE collection = ?"
    chunks = [chunk for (chunk,) in file.execute(query, (collection,))]
    inside = "(SELECT number FROM files WHERE collection = ?)"
    file.execute(f"DELETE FROM places WHERE file IN {inside}", (collection,))
    file.execute("DELETE FROM symbols WHERE collection = ?", (collection,))
    count = file.execute("DELETE FROM files WHERE collection = ?", (collection,)).rowcount
    file.execute("DELETE FROM collections WHERE number = ?", (collection,))
    file.execute(f"DROP TABLE {words_table(collection)}")
    drop_unused(file, chunks)
    return count


def drop_unused(file: sqlite3.Connection, chunks: Iterable[int]) -> None:
    """Erase those chunks that stand nowhere any more. Their vectors stay a while: a branch is switched back, too."""
    for chunk in chunks:
        if row := file.execute(DROP_UNUSED, (chunk,)).fetchone():
            file.execute("UPDATE vectors SET unused_since = ? WHERE digest = ?", (time.time(), row[0]))


def note_changes(file: sqlite3.Connection, collection: int, chunks: Iterable[int]) -> None:
    """Tell who holds vectors in memory which chunks came or went."""
    file.executemany(NOTE_CHANGE, [(collection, chunk) for chunk in chunks])
    file.execute(TRIM_CHANGES)

"""The SQLite file of documents: its tables, and connections to it. Knows no chunks and no ranking.

Contents are written ahead (WAL): who reads sees the last whole transaction and never waits for a writer.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from ossian.errors import LibraryFailed

VERSION = 1  # of the tables and of what is written into them; another one is not read
PATIENCE_SECONDS = 60.0  # writers of several processes come one after the other
CACHE_KILOBYTES = 64 * 1024
CONTEXT_WEIGHT = 0.4  # of a word in a chunk's context against one in its text

TABLES = """
CREATE TABLE collections (number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE);
CREATE TABLE files (
    number INTEGER PRIMARY KEY,
    collection INTEGER NOT NULL,
    path TEXT NOT NULL,
    size INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    digest BLOB NOT NULL,
    kind TEXT NOT NULL,
    reason TEXT NOT NULL,
    UNIQUE (collection, path)
);
CREATE TABLE chunks (number INTEGER PRIMARY KEY AUTOINCREMENT, digest BLOB NOT NULL UNIQUE, text TEXT NOT NULL);
CREATE TABLE places (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    file INTEGER NOT NULL,
    position INTEGER NOT NULL,
    chunk INTEGER NOT NULL,
    first_line INTEGER NOT NULL,
    last_line INTEGER NOT NULL,
    page INTEGER,
    context TEXT NOT NULL,
    symbols TEXT NOT NULL
);
CREATE INDEX places_by_file ON places (file, position);
CREATE INDEX places_by_chunk ON places (chunk);
CREATE TABLE symbols (
    collection INTEGER NOT NULL, symbol TEXT NOT NULL, place INTEGER NOT NULL,
    PRIMARY KEY (collection, symbol, place)
) WITHOUT ROWID;
CREATE TABLE embedders (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE vectors (
    number INTEGER PRIMARY KEY,
    digest BLOB NOT NULL,
    embedder INTEGER NOT NULL,
    unused_since REAL,
    vector BLOB NOT NULL,
    UNIQUE (digest, embedder)
);
CREATE INDEX unused_vectors ON vectors (unused_since) WHERE unused_since IS NOT NULL;
-- Chunks to look at again for who holds vectors in memory.
CREATE TABLE changes (number INTEGER PRIMARY KEY AUTOINCREMENT, collection INTEGER NOT NULL, chunk INTEGER NOT NULL);
"""
# The words alone, by place: the texts stand in `chunks`, so nothing is kept twice.
WORDS = """
CREATE VIRTUAL TABLE {name} USING fts5 (
    text, context, content = '', tokenize = 'porter unicode61 remove_diacritics 2'
);
INSERT INTO {name} ({name}, rank) VALUES ('rank', 'bm25(1.0, {weight})');
"""


def words_table(collection: int) -> str:
    return f"words_{collection}"


class SqliteFile:
    """Connections to one file: one to write with, by turns, and as many to read with as read at the same time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._turn = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        with self._failures():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            self._writer = self._connect()
            self._create()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it is kept at the end, or none."""
        with self._turn, self._failures():
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:  # a full disk may have ended it already
                    self._writer.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The file as it is at this moment, until the end."""
        with self._failures():
            try:
                connection = self._idle.pop()
            except IndexError:
                connection = self._connect()
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("ROLLBACK")
                self._idle.append(connection)

    def close(self) -> None:
        """Close every connection; nobody may be using one."""
        for connection in (self._writer, *self._idle):
            connection.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=PATIENCE_SECONDS, isolation_level=None, check_same_thread=False)
        connection.execute(f"PRAGMA cache_size = -{CACHE_KILOBYTES}")
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    def _create(self) -> None:
        """Make the tables, unless they are there: then nothing is written and nobody waited for."""
        if self._version() == 0:
            # SQLite does not wait for others when it begins to write ahead.
            with FileLock(f"{self.path}.lock"):
                self._writer.execute("PRAGMA journal_mode = WAL").fetchall()
                if self._version() == 0:
                    self._make_tables()
        if (version := self._version()) != VERSION:
            raise LibraryFailed(f"{self.path} is of version {version}, and this program reads version {VERSION}.")

    def _make_tables(self) -> None:
        with self.writing() as file:
            for statement in TABLES.split(";\n"):
                file.execute(statement)
            file.execute(f"PRAGMA user_version = {VERSION}")

    def _version(self) -> int:
        return int(self._writer.execute("PRAGMA user_version").fetchone()[0])

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise LibraryFailed(f"{self.path} cannot be used: {error}.") from error


def create_words(file: sqlite3.Connection, collection: int) -> None:
    """The index of a collection's words, unless it is there."""
    name = words_table(collection)
    if not file.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (name,)).fetchone():
        for statement in WORDS.format(name=name, weight=CONTEXT_WEIGHT).strip().split(";\n"):
            file.execute(statement)

"""The PostgreSQL database of documents: its tables, and connections to it. Knows no chunks and no ranking.

Everything stands in the schema `ossian`. Who reads sees one moment and never waits; who writes waits for other writers.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import TupleRow

from ossian.errors import LibraryFailed, SettingInvalid

VERSION = 1  # of the tables and of what is written into them; another one is not read
PATIENCE_SECONDS = 60  # for other writers, and for a network that is silent
SILENCE_SECONDS = 300  # in the middle of a transaction: then the database ends it
CONNECT_SECONDS = 10
IDLE_CONNECTIONS = 4
WRITERS_LOCK = 0x6F737369616E  # "ossian": writers of all servers come one after the other
START_HINT = "Start the database, or check OSSIAN_LIBRARY, and try again: nothing is half written."
HINTS = {  # by the first letters of PostgreSQL's error code
    "57P": "Try again when the database has started: nothing is half written.",
    "55P": "Another server writes for long, or hangs. Try again: nothing is half written.",
    "42501": "Let this user create what it keeps: GRANT CREATE ON DATABASE … TO …;",
    "53": "Make room for the database, or let it take more connections; nothing is half written.",
}
OTHER_HINT = "The database's own log says more; nothing is half written."

HABITS = f"""
SET search_path = ossian, public;
SET lock_timeout = '{PATIENCE_SECONDS}s';
SET idle_in_transaction_session_timeout = '{SILENCE_SECONDS}s';
SET client_min_messages = warning;
SET random_page_cost = 1.1;
"""

# Names and paths are found by digests: an index of PostgreSQL takes no more than 2,700 bytes.
TABLES = """
CREATE SCHEMA IF NOT EXISTS ossian;
CREATE TABLE about (version integer NOT NULL);
CREATE TEXT SEARCH DICTIONARY porter (TEMPLATE = snowball, LANGUAGE = porter);
CREATE TABLE collections (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, digest bytea NOT NULL UNIQUE, name text NOT NULL
);
CREATE TABLE files (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    collection bigint NOT NULL,
    path_digest bytea NOT NULL,
    path text NOT NULL,
    size bigint NOT NULL,
    modified bigint NOT NULL,
    digest bytea NOT NULL,
    kind text NOT NULL,
    reason text NOT NULL,
    chunks integer NOT NULL,
    words bigint NOT NULL,
    UNIQUE (collection, path_digest)
);
CREATE TABLE chunks (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, digest bytea NOT NULL UNIQUE, text text NOT NULL
);
CREATE TABLE places (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    file bigint NOT NULL,
    position integer NOT NULL,
    chunk bigint NOT NULL,
    first_line bigint NOT NULL,
    last_line bigint NOT NULL,
    page bigint,
    context text NOT NULL,
    length integer NOT NULL,
    words tsvector NOT NULL
) WITH (toast_tuple_target = 8160);
CREATE INDEX places_by_file ON places (file, position);
CREATE INDEX places_by_chunk ON places (chunk);
CREATE INDEX places_by_word ON places USING gin (words);
CREATE TABLE symbols (
    collection bigint NOT NULL, symbol bytea NOT NULL, place bigint NOT NULL, PRIMARY KEY (collection, symbol, place)
);
CREATE INDEX symbols_by_place ON symbols (place);
CREATE TABLE embedders (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, digest bytea NOT NULL UNIQUE, name text NOT NULL
);
CREATE TABLE vectors (
    digest bytea NOT NULL,
    embedder bigint NOT NULL,
    unused_since timestamptz,
    vector bytea NOT NULL,
    PRIMARY KEY (digest, embedder)
);
CREATE INDEX unused_vectors ON vectors (unused_since) WHERE unused_since IS NOT NULL;
-- Chunks to look at again for who holds vectors in memory.
CREATE TABLE changes (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, collection bigint NOT NULL, chunk bigint NOT NULL
);
-- Embedders whose vectors pgvector finds; until it is ready, a graph is being filled.
CREATE TABLE graphs (embedder bigint PRIMARY KEY, width integer NOT NULL, ready boolean NOT NULL DEFAULT false);
"""

Connection = psycopg.Connection[TupleRow]


class PostgresFile:
    """Connections to one database, each for one transaction at a time; one that was lost is opened again, once."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._idle: list[Connection] = []
        self._turn = threading.Lock()
        self.name = tell_name(url)
        with self._failures():
            self._create()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction, after those of all other writers: all of it is kept at the end, or none."""
        with self._transaction("BEGIN") as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (WRITERS_LOCK,))
            yield connection
            connection.execute("COMMIT")

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """The database as it is at this moment, until the end."""
        with self._transaction("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY") as connection:
            yield connection

    @contextmanager
    def alone(self) -> Iterator[Connection]:
        """A connection without a transaction, for what PostgreSQL does in none."""
        with self._failures(), self._connect() as connection:
            yield connection

    def close(self) -> None:
        """Close every connection; nobody may be using one."""
        while self._idle:
            self._idle.pop().close()

    @contextmanager
    def _transaction(self, beginning: str) -> Iterator[Connection]:
        with self._failures():
            connection = self._begin(beginning)
            try:
                yield connection
            finally:
                self._take_back(connection)

    def _begin(self, beginning: str) -> Connection:
        """A connection in a transaction: an idle one unless it is lost, else a new one."""
        with suppress(IndexError, psycopg.OperationalError):
            connection = self._idle.pop()
            connection.execute(beginning)
            return connection
        connection = self._connect()
        connection.execute(beginning)
        return connection

    def _take_back(self, connection: Connection) -> None:
        """Keep a connection for the next transaction, if it is sound and not one too many."""
        with suppress(psycopg.Error):
            if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                connection.execute("ROLLBACK")
            if len(self._idle) < IDLE_CONNECTIONS:
                self._idle.append(connection)
                return
        connection.close()

    def _connect(self) -> Connection:
        connection = psycopg.connect(
            self._url,
            autocommit=True,
            application_name="ossian",
            connect_timeout=CONNECT_SECONDS,
            keepalives_idle=PATIENCE_SECONDS // 2,
            tcp_user_timeout=PATIENCE_SECONDS * 1_000,
        )
        connection.execute(HABITS)
        return connection

    def _create(self) -> None:
        """Make the tables, unless they are there: then nothing is written and nobody waited for."""
        with self.reading() as file:
            version = find_version(file)
        if version is None:
            with self.writing() as file:
                version = find_version(file) or make_tables(file)
        if version != VERSION:
            raise LibraryFailed(
                f"{self.name} is of version {version}, and this program reads version {VERSION}.",
                "Use the program that wrote it, or another database.",
            )

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """Errors of the driver, told to a person; what it says after its first line is for programmers."""
        try:
            yield
        except psycopg.Error as error:
            raise LibraryFailed(f"{self.name} cannot be used: {first_line(error)}.", tell_hint(error)) from error


def find_version(file: Connection) -> int | None:
    """The version of the tables; None when there are none."""
    # Not to_regclass: it may answer from what this connection remembers, and miss what others made meanwhile.
    there = file.execute("SELECT FROM pg_tables WHERE schemaname = 'ossian' AND tablename = 'about'").fetchone()
    row = file.execute("SELECT version FROM ossian.about").fetchone() if there is not None else None
    return int(row[0]) if row else None


def make_tables(file: Connection) -> int:
    file.execute(TABLES)
    file.execute("INSERT INTO about (version) VALUES (%s)", (VERSION,))
    return VERSION


def tell_name(url: str) -> str:
    """A database as a person knows it, without the key to it. Raises SettingInvalid.

    >>> tell_name("postgresql://me:secret@box/team")
    'the database team at box'
    """
    try:
        parts = conninfo_to_dict(url)
    except psycopg.Error:  # whose message shows the URL with the password
        raise SettingInvalid(
            "OSSIAN_LIBRARY cannot be understood: it is no URL of a database.", "Write postgresql://user@host/database."
        ) from None
    return f"the database {parts.get('dbname', '')} at {parts.get('host', 'this machine')}"


def tell_hint(error: psycopg.Error) -> str:
    code = error.sqlstate
    if code is None:  # no connection, or a lost one
        return START_HINT
    return next((hint for start, hint in HINTS.items() if code.startswith(start)), OTHER_HINT)


def first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")

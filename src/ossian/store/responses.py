"""Responses kept on this machine, so that a client can go on from them. Knows no wire format: JSON in, JSON out.

One SQLite file that only its owner may read. Every call opens and closes it, in one transaction: a server that is
killed leaves nothing half done.
"""

import json
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ossian.errors import StoreFailed
from ossian.store.database import opened

MOST_RESPONSES = 10_000
LONGEST_SECONDS = 30 * 86_400.0
MOST_BYTES = 512 * 1024 * 1024

TABLES = """
CREATE TABLE IF NOT EXISTS responses (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    previous TEXT NOT NULL,
    used REAL NOT NULL,
    bytes INTEGER NOT NULL,
    response TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS items (
    response INTEGER NOT NULL REFERENCES responses (number) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    said INTEGER NOT NULL,
    id TEXT NOT NULL,
    item TEXT NOT NULL,
    PRIMARY KEY (response, place)
);
CREATE INDEX IF NOT EXISTS items_by_id ON items (id);
"""
TOUCH = """
WITH RECURSIVE chain (id, previous) AS (
    SELECT id, previous FROM responses WHERE id = :id
    UNION SELECT older.id, older.previous FROM responses AS older JOIN chain ON older.id = chain.previous
)
UPDATE responses SET used = :now WHERE id IN (SELECT id FROM chain)
"""
FORGET = """
DELETE FROM responses WHERE used < :oldest OR number IN (
    SELECT number FROM (
        SELECT number, ROW_NUMBER() OVER latest AS place, SUM(bytes) OVER latest AS total FROM responses
        WINDOW latest AS (ORDER BY used DESC, number DESC)
    ) WHERE place > :most OR total > :bytes
)
"""


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """A response as it was answered, and the items it answered; its `output` are items as well."""

    response: Mapping[str, Any]
    input: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class ResponseStore:
    """Bounded in number, bytes and age: what was not used for longest goes first.

    Who goes on from a response uses it, and all that it went on from.
    """

    path: Path
    most: int = MOST_RESPONSES
    most_bytes: int = MOST_BYTES
    longest_seconds: float = LONGEST_SECONDS
    clock: Callable[[], float] = time.time

    def keep(self, response: Mapping[str, Any], asked: Sequence[Mapping[str, Any]]) -> None:
        """Keep an answer and what it answered. Raises StoreFailed, for example when the disk is full."""
        items = [(False, item) for item in asked] + [(True, item) for item in response["output"]]
        texts = [(said, item["id"], json.dumps(item)) for said, item in items]
        head = json.dumps({**response, "output": []})
        size = len(head) + sum(len(text) for _, _, text in texts)
        if size > self.most_bytes:
            raise StoreFailed(f"an answer of {size} bytes is more than the {self.most_bytes} that are kept in all.")
        previous, now = response["previous_response_id"] or "", self.clock()
        with self.opened() as file:
            number = file.execute(
                "INSERT INTO responses (id, previous, used, bytes, response) VALUES (?, ?, ?, ?, ?)",
                (response["id"], previous, now, size, head),
            ).lastrowid
            file.executemany(
                "INSERT INTO items VALUES (?, ?, ?, ?, ?)",
                [(number, place, *text) for place, text in enumerate(texts)],
            )
            file.execute(TOUCH, {"id": previous, "now": now})
            file.execute(FORGET, {"oldest": now - self.longest_seconds, "most": self.most, "bytes": self.most_bytes})

    def find(self, id: str) -> StoredResponse | None:
        """An answer by its id. Raises StoreFailed."""
        if not self.path.exists():
            return None
        with self.opened() as file:
            query = "SELECT number, response FROM responses WHERE id = ? AND used >= ?"
            row = file.execute(query, (id, self.clock() - self.longest_seconds)).fetchone()
            if row is None:
                return None
            query = "SELECT said, item FROM items WHERE response = ? ORDER BY place"
            items = [(said, json.loads(item)) for said, item in file.execute(query, (row[0],))]
        output = [item for said, item in items if said]
        return StoredResponse({**json.loads(row[1]), "output": output}, tuple(item for said, item in items if not said))

    def find_item(self, id: str) -> Mapping[str, Any] | None:
        """One item of any answer, the latest of this id. Raises StoreFailed."""
        if not self.path.exists():
            return None
        with self.opened() as file:
            query = "SELECT item FROM items JOIN responses ON number = items.response "
            query += "WHERE items.id = ? AND used >= ? ORDER BY number DESC"
            row = file.execute(query, (id, self.clock() - self.longest_seconds)).fetchone()
        found: Mapping[str, Any] | None = json.loads(row[0]) if row else None
        return found

    def forget(self, id: str) -> bool:
        """Erase an answer and what it answered; tell whether there was one. Raises StoreFailed."""
        if not self.path.exists():
            return False
        with self.opened() as file:
            return file.execute("DELETE FROM responses WHERE id = ?", (id,)).rowcount > 0

    def opened(self) -> AbstractContextManager[sqlite3.Connection]:
        return opened(self.path, TABLES)

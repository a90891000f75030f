"""Texts kept on this machine by whose they are and an id, in one SQLite file. Knows not what they say.

Bounded in number, bytes and age: what was not used for longest goes first.
"""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from ossian.store.database import opened

MOST_TEXTS = 10_000
MOST_BYTES = 64 * 1024 * 1024
LONGEST_SECONDS = 30 * 86_400.0

TABLES = """
CREATE TABLE IF NOT EXISTS texts (
    owner TEXT NOT NULL,
    id TEXT NOT NULL,
    used REAL NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (owner, id)
);
"""
FORGET = """
DELETE FROM texts WHERE used < :oldest OR rowid IN (
    SELECT number FROM (
        SELECT rowid AS number, ROW_NUMBER() OVER latest AS place, SUM(LENGTH(text)) OVER latest AS total FROM texts
        WINDOW latest AS (ORDER BY used DESC, rowid DESC)
    ) WHERE place > :most OR total > :bytes
)
"""


@dataclass(frozen=True, slots=True)
class TextStore:
    """The file of them."""

    path: Path
    most: int = MOST_TEXTS
    most_bytes: int = MOST_BYTES
    longest_seconds: float = LONGEST_SECONDS
    clock: Callable[[], float] = time.time

    def keep(self, owner: str, ids: Collection[str], text: str) -> None:
        """Keep a text under each id. Raises StoreFailed, for example when the disk is full."""
        now = self.clock()
        with opened(self.path, TABLES) as file:
            rows = [(owner, id, now, text) for id in ids]
            file.executemany("INSERT OR REPLACE INTO texts VALUES (?, ?, ?, ?)", rows)
            file.execute(FORGET, {"oldest": now - self.longest_seconds, "most": self.most, "bytes": self.most_bytes})

    def find(self, owner: str, ids: Collection[str]) -> dict[str, str]:
        """The texts of these ids, as far as they are kept. Raises StoreFailed."""
        if not ids or not self.path.exists():
            return {}
        now, found = self.clock(), {}
        with opened(self.path, TABLES) as file:
            for id in filter(str.isascii, ids):  # as ours are; SQLite takes no half of a surrogate pair
                query = "SELECT text FROM texts WHERE owner = ? AND id = ? AND used >= ?"
                row = file.execute(query, (owner, id, now - self.longest_seconds)).fetchone()
                if row is not None:
                    found[id] = row[0]
                    file.execute("UPDATE texts SET used = ? WHERE owner = ? AND id = ?", (now, owner, id))
        return found

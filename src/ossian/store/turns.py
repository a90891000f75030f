"""Turns in which a model called tools, kept on this machine by the ids of their calls. Knows no wire format.

One SQLite file, bounded in number, bytes and age: what was not used for longest goes first.
"""

import json
import time
from collections.abc import Callable, Collection
from dataclasses import astuple, dataclass
from pathlib import Path

from ossian.chat import ToolCall
from ossian.errors import StoreFailed
from ossian.store.database import opened

MOST_CALLS = 10_000
MOST_BYTES = 64 * 1024 * 1024
LONGEST_SECONDS = 30 * 86_400.0

TABLES = """
CREATE TABLE IF NOT EXISTS calls (
    model TEXT NOT NULL,
    id TEXT NOT NULL,
    used REAL NOT NULL,
    turn TEXT NOT NULL,
    PRIMARY KEY (model, id)
);
"""
FORGET = """
DELETE FROM calls WHERE used < :oldest OR rowid IN (
    SELECT number FROM (
        SELECT rowid AS number, ROW_NUMBER() OVER latest AS place, SUM(LENGTH(turn)) OVER latest AS total FROM calls
        WINDOW latest AS (ORDER BY used DESC, rowid DESC)
    ) WHERE place > :most OR total > :bytes
)
"""


@dataclass(frozen=True, slots=True)
class Turn:
    """What a model thought, said and called in one go; `written` are the token ids, with those that opened it."""

    thinking: str
    content: str
    calls: tuple[ToolCall, ...]
    written: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class TurnStore:
    """The file of them. A call belongs to the model that made it: to another one its tokens mean nothing."""

    path: Path
    most: int = MOST_CALLS
    most_bytes: int = MOST_BYTES
    longest_seconds: float = LONGEST_SECONDS
    clock: Callable[[], float] = time.time

    def keep(self, model: str, turn: Turn) -> None:
        """Keep a turn under each of its calls. Raises StoreFailed, for example when the disk is full."""
        now, text = self.clock(), json.dumps(astuple(turn))
        with opened(self.path, TABLES) as file:
            rows = [(model, call.id, now, text) for call in turn.calls]
            file.executemany("INSERT OR REPLACE INTO calls VALUES (?, ?, ?, ?)", rows)
            file.execute(FORGET, {"oldest": now - self.longest_seconds, "most": self.most, "bytes": self.most_bytes})

    def find(self, model: str, ids: Collection[str]) -> dict[str, Turn]:
        """The turns of these calls, as far as they are kept. Raises StoreFailed."""
        if not ids or not self.path.exists():
            return {}
        now, found = self.clock(), {}
        with opened(self.path, TABLES) as file:
            for id in filter(str.isascii, ids):  # as ours are; SQLite takes no half of a surrogate pair
                query = "SELECT turn FROM calls WHERE model = ? AND id = ? AND used >= ?"
                row = file.execute(query, (model, id, now - self.longest_seconds)).fetchone()
                if row is not None:
                    found[id] = read_turn(row[0], self.path)
                    file.execute("UPDATE calls SET used = ? WHERE model = ? AND id = ?", (now, model, id))
        return found


def read_turn(text: str, path: Path) -> Turn:
    """A turn as it was kept. Raises StoreFailed for what is none."""
    try:
        thinking, content, calls, written = json.loads(text)
        return Turn(thinking, content, tuple(ToolCall(*call) for call in calls), tuple(written))
    except (ValueError, TypeError) as error:
        raise StoreFailed(f"{path} holds what is no turn: {error}.") from error

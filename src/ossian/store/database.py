"""A SQLite file that only its owner may read, opened for one transaction at a time."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from ossian.errors import StoreFailed

PATIENCE_SECONDS = 5.0


@contextmanager
def opened(path: Path, tables: str) -> Iterator[sqlite3.Connection]:
    """The file in one transaction, its tables made where they are missing. What goes wrong with it is a StoreFailed."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        with closing(sqlite3.connect(path, timeout=PATIENCE_SECONDS)) as file:
            # What is deleted leaves the file, and the file shrinks; its journal has the file's own rights.
            file.executescript(
                f"PRAGMA auto_vacuum = FULL; PRAGMA secure_delete = ON; PRAGMA foreign_keys = ON; {tables}"
            )
            with file:
                yield file
    except (sqlite3.Error, OSError) as error:
        raise StoreFailed(f"{path} cannot be used: {error}.") from error

"""Small libraries in real SQLite files."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ossian.rag.sqlite_store import SqliteShelf


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[SqliteShelf]:
    shelf = SqliteShelf(tmp_path / "library.sqlite")
    yield shelf
    shelf.close()

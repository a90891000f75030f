"""Small libraries in real SQLite files and in a real PostgreSQL server."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

import pytest
from postgres_process import PostgresProcess, running_postgres

from ossian.rag.shelf import open_shelf
from ossian.rag.store import Shelf


@dataclass
class Library:
    """A place for documents, as OSSIAN_LIBRARY names it; whatever is opened here is closed at the end."""

    where: str
    opened: list[Shelf] = field(default_factory=list)

    @property
    def in_postgres(self) -> bool:
        return self.where.startswith("postgresql://")

    def open(self) -> Shelf:
        self.opened.append(open_shelf(self.where, Path()))
        return self.opened[-1]

    def open_with_lists(self, lists_from: int) -> Shelf:
        """A shelf that holds so few vectors to be many."""
        if self.in_postgres:
            self.opened.append(import_module("ossian.rag.postgres_store").PostgresShelf(self.where, lists_from))
        else:
            self.opened.append(import_module("ossian.rag.sqlite_store").SqliteShelf(Path(self.where), lists_from))
        return self.opened[-1]

    def close(self) -> None:
        for shelf in self.opened:
            shelf.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresProcess]:
    pytest.importorskip("psycopg", reason="psycopg, the driver of PostgreSQL, is not installed")
    with running_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def library(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Library]:
    """A new place, once in a file and once in a database."""
    file = str(tmp_path / "library.sqlite")
    library = Library(request.getfixturevalue("postgres").new_database() if request.param == "postgres" else file)
    yield library
    library.close()


@pytest.fixture
def shelf(library: Library) -> Shelf:
    return library.open()

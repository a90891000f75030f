"""Small libraries in real SQLite files and in a real PostgreSQL server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from places import Library
from postgres_process import PostgresProcess, running_postgres

from ossian.rag.store import Shelf


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

"""What is SQLite's own in a store of documents: readers beside a writer, files that are none or of another version."""

import sqlite3
from pathlib import Path

import pytest
from small_library import read

from ossian.errors import LibraryFailed
from ossian.rag.sqlite_store import SqliteShelf


def test_whoever_opens_and_reads_waits_for_no_writer(tmp_path: Path) -> None:
    shelf = SqliteShelf(tmp_path / "library.sqlite")
    shelf.keep("notes", [read("islands.md", "The ferry leaves at nine.")])
    with sqlite3.connect(tmp_path / "library.sqlite", isolation_level=None) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM places")
        reader = SqliteShelf(tmp_path / "library.sqlite")
        assert len(reader.find_words("notes", ["nine"], 10)) == 1
        reader.close()
        writer.execute("ROLLBACK")
    shelf.close()


def test_a_file_that_is_no_library_is_named(tmp_path: Path) -> None:
    path = tmp_path / "library.sqlite"
    path.write_bytes(b"no database at all, but long enough to be read as one" * 100)
    with pytest.raises(LibraryFailed, match=r"library\.sqlite cannot be used: file is not a database"):
        SqliteShelf(path)


def test_a_library_of_another_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "library.sqlite"
    with sqlite3.connect(path) as file:
        file.execute("PRAGMA user_version = 99")
    with pytest.raises(LibraryFailed, match="version 99"):
        SqliteShelf(path)

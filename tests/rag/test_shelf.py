"""Which store of documents is opened for what OSSIAN_LIBRARY says."""

import sys
from pathlib import Path

import pytest
from postgres_process import PostgresProcess
from small_library import read

from ossian.errors import LibraryFailed, SettingInvalid
from ossian.rag.shelf import open_shelf
from ossian.rag.store import Collection


def test_documents_are_kept_in_the_home_folder_unless_a_file_or_a_database_is_named(
    tmp_path: Path, postgres: PostgresProcess
) -> None:
    file, url = str(tmp_path / "team" / "papers.sqlite"), postgres.new_database()
    for number, library in enumerate(("", file, url, url.replace("postgresql:", "postgres:"))):
        shelf = open_shelf(library, tmp_path / "home")
        shelf.keep(f"c{number}", [read("a.md", "text")])
        shelf.close()
    assert (tmp_path / "home" / "library.sqlite").is_file()
    assert (tmp_path / "team" / "papers.sqlite").is_file()
    shelf = open_shelf(url, tmp_path)
    assert shelf.collections() == (Collection("c2", 1, 1), Collection("c3", 1, 1))
    shelf.close()


@pytest.mark.parametrize("library", ["mysql://box/team", "https://box"])
def test_a_database_of_another_kind_is_refused(library: str, tmp_path: Path) -> None:
    with pytest.raises(SettingInvalid, match="Write the path of a file, or postgresql://user@host/database"):
        open_shelf(library, tmp_path)


def test_without_the_driver_files_serve_and_it_is_said_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    for name in [name for name in sys.modules if name.startswith("ossian.rag.postgres_")]:
        monkeypatch.delitem(sys.modules, name)
    open_shelf("", tmp_path).close()
    with pytest.raises(LibraryFailed, match=r"Try: pip install 'ossian\[postgres\]'"):
        open_shelf("postgresql://box/team", tmp_path)

"""Open the store of documents that a person chose: a SQLite file, or a PostgreSQL database that servers share."""

from importlib import import_module
from pathlib import Path

from ossian.errors import LibraryFailed, SettingInvalid
from ossian.rag.sqlite_store import SqliteShelf
from ossian.rag.store import Shelf

LIBRARY_FILE = "library.sqlite"
POSTGRES_URLS = ("postgresql://", "postgres://")
POSTGRES_STORE = "ossian.rag.postgres_store"


def open_shelf(library: str, home: Path) -> Shelf:
    """The shelf that a setting names: a database by its URL, else a file, by itself the one in the home folder.

    Raises LibraryFailed, and SettingInvalid where nothing of the kind is known.
    """
    if library.startswith(POSTGRES_URLS):
        return open_postgres(library)
    if "://" in library:
        scheme = library.partition("://")[0]
        raise SettingInvalid(
            f"OSSIAN_LIBRARY cannot be understood: documents are not kept in {scheme}://.",
            "Write the path of a file, or postgresql://user@host/database.",
        )
    return SqliteShelf(Path(library).expanduser() if library else home / LIBRARY_FILE)


def open_postgres(url: str) -> Shelf:
    """The shelf in a database. The driver is imported here and not before: most have no use for it."""
    try:
        store = import_module(POSTGRES_STORE)
    except ImportError as error:
        raise LibraryFailed(
            f"a library at postgresql:// needs what is not installed ({error}).", "Try: pip install 'ossian[postgres]'"
        ) from error
    shelf: Shelf = store.PostgresShelf(url)
    return shelf

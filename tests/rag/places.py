"""Where a library can lie in the tests: a file, or a database."""

from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

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

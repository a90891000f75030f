"""What a store of documents gives: files with their chunks, words and vectors. Knows no database.

A collection is a set of files under a name. Words are a collection's own; a chunk's text and its vector belong to the
text alone, so the same text in two files or two collections is kept, and given its meaning, once.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal, Protocol

import numpy
from numpy.typing import NDArray

from ossian.rag.pieces import Chunk

DIGEST_BYTES = 16

State = Literal["searchable", "meaning pending", "skipped"]
Vector = NDArray[numpy.float32]


@dataclass(frozen=True, slots=True)
class Reading:
    """A file as it was read: what it was on the disk, and its chunks, or why it has none.

    `modified` is in nanoseconds, `digest` of the file's bytes: empty where they could not be had.
    `remark` tells what is not in the chunks, such as pages without text.
    """

    path: str
    size: int
    modified: int
    digest: bytes
    kind: str = ""
    chunks: tuple[Chunk, ...] = ()
    skipped: str = ""
    remark: str = ""


@dataclass(frozen=True, slots=True)
class KeptFile:
    """What the store knows of a file. `pending` of its `chunks` have no vector of the embedder that was asked about.

    `reason` tells why it was skipped, or what of it could not be read.
    """

    path: str
    size: int
    modified: int
    digest: bytes
    kind: str
    state: State
    reason: str
    chunks: int
    pending: int


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection, counted."""

    name: str
    files: int
    chunks: int


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk at its place in a file; more `score` is better."""

    chunk: int
    place: int
    score: float


@dataclass(frozen=True, slots=True)
class Placed:
    """A chunk as it stands in a file: the `position`-th from its beginning."""

    collection: str
    path: str
    digest: bytes
    position: int
    chunk: int
    text: str
    context: str
    first_line: int
    last_line: int
    page: int | None


class Shelf(Protocol):
    """Where documents are kept. What it has returned from is kept whatever happens; every call may fail as
    LibraryFailed, and as CollectionNotFound where a collection is read that is not there.

    Readers in other threads and processes see a file as it was or as it is now, and wait for nobody.
    """

    def keep(self, collection: str, readings: Sequence[Reading]) -> None:
        """Put files into a collection, each in the place of what was known of its path; all of them or none."""
        ...

    def forget(self, collection: str, paths: Iterable[str] | None = None) -> int:
        """Take files out of a collection, or the collection away; tell how many files went."""
        ...

    def names(self) -> tuple[str, ...]:
        """The collections' names alone, which costs nothing."""
        ...

    def collections(self) -> tuple[Collection, ...]: ...

    def files(self, collection: str, embedder: str = "", ending: str = "") -> tuple[KeptFile, ...]:
        """The files, by their paths: all, or those of this path or of one that ends in `/` and this.

        Without an embedder no meaning is pending.
        """
        ...

    def find_words(self, collection: str, terms: Sequence[str], count: int) -> list[Hit]:
        """The places that hold any of these words, the best first."""
        ...

    def cover(self, collection: str, terms: Sequence[str], places: Iterable[int]) -> dict[int, float]:
        """How much of these words stands at each place, rare words counting more: 1 is all of it."""
        ...

    def find_meaning(
        self, collection: str, embedder: str, question: Vector, count: int, also: Iterable[int] = ()
    ) -> dict[int, float]:
        """Cosines of the nearest chunks, and of those in `also` that have a vector, by chunk."""
        ...

    def find_definitions(self, collection: str, names: Sequence[str]) -> dict[str, list[Hit]]:
        """Where each of these names (in small letters) is defined."""
        ...

    def places_of(self, collection: str, chunks: Iterable[int]) -> dict[int, int]:
        """The first place of each chunk in a collection."""
        ...

    def placed(self, places: Iterable[int]) -> dict[int, Placed]:
        """What stands at places; those that are gone are left out."""
        ...

    def texts_of(self, chunks: Iterable[int]) -> dict[int, str]: ...

    def pending(self, embedder: str, count: int, collection: str = "", after: int = 0) -> dict[int, str]:
        """The next chunks behind `after` without a vector of this embedder, with their texts; empty at the end."""
        ...

    def keep_vectors(self, embedder: str, vectors: Mapping[str, Sequence[float]]) -> None:
        """Keep the vectors of texts, each made one long. Texts that no file holds are kept as well."""
        ...

    def vectors_of(self, embedder: str, texts: Iterable[str]) -> dict[str, Vector]:
        """The vectors that are kept, by their texts."""
        ...

    def sweep(self, unused_seconds: float) -> int:
        """Erase the vectors of texts that no file has held for so long; tell how many."""
        ...

    def close(self) -> None:
        """Let go of the file or the database; nobody may be using it."""
        ...


def digest_of(text: str) -> bytes:
    """What a chunk's text is known by."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).digest()

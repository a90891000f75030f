"""Put files into a collection: find them, read what has changed, forget what has gone. Runs in any one thread.

What has been told is kept: a step for a file comes after its transaction. Whoever stops listening stops the work; the
next time it goes on with what is missing.
"""

import os
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Literal

from ossian.errors import CollectionNotFound, Unreadable
from ossian.rag.find import GLOB, Found, Skipped, find_files
from ossian.rag.reader import Contents, Reader
from ossian.rag.store import DIGEST_BYTES, KeptFile, Reading, Shelf

READ_AHEAD = 4  # files that may be read while others are written
BATCH_CHUNKS, BATCH_SECONDS = 2_000, 0.5  # a transaction is ended by either


@dataclass(frozen=True, slots=True)
class Step:
    """A file that is searchable now, or was left out and why. `done` of `total` files have been looked at."""

    status: Literal["reading", "skipped"]
    path: str
    done: int
    total: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Ingested:
    """What came of it: files read, their chunks, files left out, files as they were before, files that are gone."""

    files: int = 0
    chunks: int = 0
    skipped: int = 0
    unchanged: int = 0
    removed: int = 0


Steps = Generator[Step | Ingested, None, None]


@dataclass(slots=True)
class Batch:
    """Files that are read and wait for their transaction."""

    readings: list[Reading] = field(default_factory=list)
    chunks: int = 0
    since: float = 0.0

    def add(self, reading: Reading) -> None:
        self.since = self.since if self.readings else time.monotonic()
        self.readings.append(reading)
        self.chunks += len(reading.chunks)

    @property
    def is_due(self) -> bool:
        return self.chunks >= BATCH_CHUNKS or time.monotonic() - self.since > BATCH_SECONDS


def ingest(shelf: Shelf, reader: Reader, collection: str, paths: Sequence[Path]) -> Steps:
    """Make a collection hold what lies at these paths; the last thing told is what came of it. Raises LibraryFailed."""
    known = find_known(shelf, collection)
    found = list(find_files(paths))
    new = [one for one in found if not is_unchanged(one, known)]
    unchanged = len(found) - len(new)
    files = chunks = skipped = 0
    for done, reading in keep_all(shelf, reader, collection, new):
        files, chunks = files + (not reading.skipped), chunks + len(reading.chunks)
        skipped += bool(reading.skipped)
        status: Literal["reading", "skipped"] = "skipped" if reading.skipped else "reading"
        yield Step(status, reading.path, unchanged + done, len(found), reading.skipped)
    gone = find_gone(known, paths, {str(one.path) for one in found})
    removed = shelf.forget(collection, gone) if gone else 0
    yield Ingested(files, chunks, skipped, unchanged, removed)


def find_known(shelf: Shelf, collection: str) -> Mapping[str, KeptFile]:
    with suppress(CollectionNotFound):
        return {file.path: file for file in shelf.files(collection)}
    return {}


def is_unchanged(one: Found | Skipped, known: Mapping[str, KeptFile]) -> bool:
    """Whether a file is kept as it is. One that could not be read is tried again."""
    kept = known.get(str(one.path))
    if kept is None:
        return False
    if isinstance(one, Skipped):
        return kept.reason == one.why
    return kept.state != "skipped" and (kept.size, kept.modified) == (one.size, one.modified)


def keep_all(
    shelf: Shelf, reader: Reader, collection: str, found: Iterable[Found | Skipped]
) -> Iterator[tuple[int, Reading]]:
    """Read files and keep them, several in one transaction; tell of each when it is kept."""
    batch, done = Batch(), 0
    for reading in read_all(reader, found):
        batch.add(reading)
        if batch.is_due:
            yield from enumerate(keep(shelf, collection, batch), done + 1)
            done, batch = done + len(batch.readings), Batch()
    if batch.readings:
        yield from enumerate(keep(shelf, collection, batch), done + 1)


def keep(shelf: Shelf, collection: str, batch: Batch) -> list[Reading]:
    """Write a batch; a path that a person mistyped is told and not kept."""
    shelf.keep(collection, [each for each in batch.readings if not each.skipped or os.path.lexists(each.path)])
    return batch.readings


def read_all(reader: Reader, found: Iterable[Found | Skipped]) -> Iterator[Reading]:
    """The files in their order, read a little ahead of whoever writes them."""
    with ThreadPoolExecutor(1, "reading") as ahead:
        waiting: deque[Future[Reading]] = deque()
        try:
            for one in found:
                waiting.append(ahead.submit(read, reader, one))
                if len(waiting) > READ_AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def read(reader: Reader, one: Found | Skipped) -> Reading:
    """A file with its chunks, or why it has none."""
    if isinstance(one, Skipped):
        return Reading(str(one.path), 0, 0, b"", skipped=one.why)
    try:
        digest = digest_file(one.path)
        contents = reader.read(one.path)
    except OSError as error:
        return Reading(str(one.path), one.size, one.modified, b"", skipped=(error.strerror or str(error)).lower())
    except Unreadable as error:
        return Reading(str(one.path), one.size, one.modified, b"", skipped=str(error))
    skipped = "" if contents.chunks else why_empty(contents)
    return Reading(str(one.path), one.size, one.modified, digest, contents.kind, contents.chunks, skipped)


def why_empty(contents: Contents) -> str:
    return "; ".join(contents.remarks) or "there is no text in it"


def digest_file(path: Path) -> bytes:
    """What the bytes of a file are known by."""
    digest = blake2b(digest_size=DIGEST_BYTES)
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.digest()


def find_gone(known: Iterable[str], paths: Iterable[Path], found: set[str]) -> list[str]:
    """What a collection knows under these paths and is not found any more. A folder that is missing may come back."""
    roots = [normal(path) for path in paths if not GLOB.search(str(path))]
    folders = [root for root in roots if root.is_dir()]
    return [
        path
        for path in known
        if (Path(path) in roots and not os.path.lexists(path))
        or (path not in found and any(Path(path).is_relative_to(folder) for folder in folders))
    ]


def normal(path: Path) -> Path:
    """A path as `find_files` tells it."""
    return Path(os.path.normpath(path.expanduser().absolute()))

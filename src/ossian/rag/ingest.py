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
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import Literal

from ossian.errors import CollectionNotFound, Unreadable
from ossian.rag.find import Found, Skipped, base_of, find_changed, find_files, is_related, matcher_of, normal
from ossian.rag.reader import Reader
from ossian.rag.store import DIGEST_BYTES, KeptFile, Reading, Shelf

READ_AHEAD = 4  # files that may be read while others are written
BATCH_CHUNKS, BATCH_SECONDS = 2_000, 0.5  # a transaction is ended by either


@dataclass(frozen=True, slots=True)
class Step:
    """A file that is searchable now, or was left out. `done` of `total` files have been looked at.

    `reason` tells why it was left out, or what of it could not be read.
    """

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


def ingest(
    shelf: Shelf, reader: Reader, collection: str, paths: Sequence[Path], roots: Sequence[Path] | None = None
) -> Steps:
    """Make a collection hold what lies at these paths; the last thing told is what came of it. Raises LibraryFailed.

    roots: the paths have changed, and are read as these, which were put in, would have them read
    """
    known = find_known(shelf, collection)
    if roots is not None:
        paths = [path for path in paths if any(is_related(path, root) for root in roots)]
    found = list(find_files(paths) if roots is None else find_changed(paths, roots))
    new = [one for one in found if not is_unchanged(one, known)]
    unchanged = len(found) - len(new)
    files = chunks = skipped = 0
    for done, reading in keep_all(shelf, reader, collection, new):
        files, chunks = files + (not reading.skipped), chunks + len(reading.chunks)
        skipped += bool(reading.skipped)
        status: Literal["reading", "skipped"] = "skipped" if reading.skipped else "reading"
        yield Step(status, reading.path, unchanged + done, len(found), reading.skipped or reading.remark)
    gone = find_gone(known, paths, {str(one.path) for one in found})
    removed = shelf.forget(collection, gone) if gone else 0
    yield Ingested(files, chunks, skipped, unchanged, removed)


def find_known(shelf: Shelf, collection: str) -> Mapping[str, KeptFile]:
    with suppress(CollectionNotFound):
        return {file.path: file for file in shelf.files(collection)}
    return {}


def is_unchanged(one: Found | Skipped, known: Mapping[str, KeptFile]) -> bool:
    """Whether a file is kept as it is. One whose bytes could not be had is tried again."""
    kept = known.get(str(one.path))
    if kept is None:
        return False
    if isinstance(one, Skipped):
        return kept.reason == one.why
    return bool(kept.digest) and (kept.size, kept.modified) == (one.size, one.modified)


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
    if kept := [each for each in batch.readings if not each.skipped or os.path.lexists(each.path)]:
        shelf.keep(collection, kept)
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
    reading = Reading(str(one.path), one.size, one.modified, b"")
    try:
        reading = replace(reading, digest=digest_file(one.path))
        contents = reader.read(one.path)
    except OSError as error:
        return replace(reading, digest=b"", skipped=(error.strerror or str(error)).lower())
    except Unreadable as error:
        return replace(reading, skipped=str(error))
    remark = "; ".join(contents.remarks)
    if not contents.chunks:
        return replace(reading, kind=contents.kind, skipped=remark or "there is no text in it")
    return replace(reading, kind=contents.kind, chunks=contents.chunks, remark=remark)


def digest_file(path: Path) -> bytes:
    """What the bytes of a file are known by."""
    digest = blake2b(digest_size=DIGEST_BYTES)
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.digest()


def find_gone(known: Iterable[str], paths: Iterable[Path], found: set[str]) -> list[str]:
    """What a collection knows at these paths and is not found any more. A folder that is missing may come back."""
    there = [matcher_of(path) for path in paths if os.path.lexists(base_of(path))]
    missing = {normal(path) for path in paths}
    return [
        path
        for path in known
        if (Path(path) in missing and not os.path.lexists(path))
        or (path not in found and any(matches(Path(path)) for matches in there))
    ]

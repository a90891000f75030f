"""Model files that were uploaded, under their sha256. One is written beside its place, checked, and then renamed.

What is being uploaded is locked, and the lock ends with the process: so what a killed server left behind can be told
from what another one is still writing.
"""

import fcntl
import hashlib
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ossian.errors import BadRequest, DiskRefused
from ossian.store.derived import told
from ossian.store.pull import GB, free_on_disk

FOLDER = "blobs"
PART = ".part"
DIGEST = re.compile(r"sha256[:-]([0-9a-fA-F]{64})")
KEPT_FREE_BYTES = 64 << 20  # an upload never takes the last of the disk
FORGOTTEN_SECONDS = 24 * 3600.0  # an upload of which nobody makes a model


def read_digest(text: str) -> str:
    """A digest as sha256: and 64 hex characters. Raises BadRequest for everything else."""
    match = DIGEST.fullmatch(text)
    if match is None:
        raise BadRequest("invalid digest format:", "write sha256: and 64 hexadecimal digits.")
    return f"sha256:{match[1].lower()}"


def blob_path(models: Path, digest: str) -> Path:
    """Where the file of a digest lies. Raises BadRequest for what is no digest."""
    return models / FOLDER / read_digest(digest).replace(":", "-")


class Upload:
    """A file on its way in."""

    def __init__(self, place: Path, part: Path, free_bytes: Callable[[Path], int]) -> None:
        self._place = place
        self._part = part
        self._free_bytes = free_bytes
        self._file = part.open("wb")
        self._found = hashlib.sha256()
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def write(self, data: bytes) -> None:
        """Take a piece. Raises DiskRefused when the disk is too full for it."""
        self.check_room(len(data))
        self._found.update(data)
        with told(self._place.parent):
            self._file.write(data)

    def check_room(self, size: int) -> None:
        free = self._free_bytes(self._part.parent) - KEPT_FREE_BYTES
        if size > free:
            raise DiskRefused(
                f"{size / GB:.1f} GB more are to be written and the disk has {max(0, free) / GB:.1f} GB free.",
                "Free some space, or set OSSIAN_MODELS to a folder on another disk.",
            )

    def finish(self) -> None:
        """Put it where blobs are. Raises BadRequest when it is not what its digest says."""
        found = f"sha256-{self._found.hexdigest()}"
        if found != self._place.name:
            expected, got = (name.replace("-", ":") for name in (self._place.name, found))
            raise BadRequest(f'digest mismatch, expected "{expected}", got "{got}"')
        with told(self._place):
            self._file.flush()
            os.fsync(self._file.fileno())
            self._part.replace(self._place)

    def close(self) -> None:
        self._part.unlink(missing_ok=True)
        self._file.close()


@contextmanager
def receive(models: Path, digest: str, free_bytes: Callable[[Path], int] = free_on_disk) -> Iterator[Upload]:
    """Take in a file. However that ends, nothing half remains."""
    place = blob_path(models, digest)
    with told(place.parent):
        place.parent.mkdir(parents=True, exist_ok=True)
        number, name = tempfile.mkstemp(PART, f"{place.name}.", place.parent)
        os.close(number)
        upload = Upload(place, Path(name), free_bytes)
    try:
        yield upload
    finally:
        upload.close()


def sweep(models: Path, used: Iterable[str]) -> None:
    """Remove what killed uploads left, and what was uploaded long ago and no model is made of. `used` are digests."""
    kept = {blob_path(models, digest) for digest in used}
    for path in (models / FOLDER).glob("sha256-*"):
        with suppress(OSError):
            old = time.time() - path.stat().st_mtime > FORGOTTEN_SECONDS
            if is_left_behind(path) if path.suffix == PART else old and path not in kept:
                path.unlink()


def is_left_behind(part: Path) -> bool:
    """Whether nobody writes it any more."""
    with part.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
    return True

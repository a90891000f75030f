"""The folder of what engines have read: bounded over all models; the least recently used files leave first.

Knows nothing of what is in a file. Every process that writes there counts for itself, and looks at the folder again
whenever it has written a hundredth of the bound.
"""

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

BLOCK_SUFFIX, SLOT_SUFFIX = ".kv", ".slot"
PART_SUFFIX = ".part"  # a file that is being written
SHARE_LEFT = 0.9  # of the bound, once files had to leave: so that it is rarely done
LOOK_AGAIN = 100  # times within a bound that is being filled
SAMPLES, SAMPLE_BYTES = 64, 1 << 14


class CacheFolder:
    """Room for `limit` bytes under a folder that only this person can open."""

    def __init__(self, root: Path, limit: int) -> None:
        self._root = root
        self._limit = limit
        self._size = self._unseen = limit  # not known yet: the first file looks

    def subfolder(self, name: str) -> Path:
        folder = self._root / name
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # what a person has written is in here
        return folder

    def make_room(self, needed: int) -> bool:
        """Let files leave until so many bytes more have a place; False where the bound is less than that."""
        if needed > self._limit * SHARE_LEFT:
            return False
        if self._size + needed > self._limit or self._unseen + needed > self._limit / LOOK_AGAIN:
            self._look(needed)
        self._size += needed
        self._unseen += needed
        return True

    def _look(self, needed: int) -> None:
        files = sorted(find_files(self._root))
        self._size = sum(size for _, size, _ in files)
        self._unseen = 0
        if self._size + needed <= self._limit:
            return
        for _, size, path in files:
            path.unlink(missing_ok=True)
            self._size -= size
            if self._size + needed <= self._limit * SHARE_LEFT:
                return


def clear_parts(root: Path) -> None:
    """Delete what a process that was killed had begun to write."""
    for beside in root.rglob(f"*{PART_SUFFIX}"):
        beside.unlink(missing_ok=True)


def find_files(root: Path) -> Iterator[tuple[float, int, Path]]:
    """When each file of ours was last used, its bytes, and where it is."""
    for path in root.rglob("*"):
        if path.suffix in (BLOCK_SUFFIX, SLOT_SUFFIX):
            with suppress(FileNotFoundError):  # another process let it leave
                status = path.stat()
                yield status.st_mtime, status.st_size, path


def identify(path: Path, written_by: bytes) -> bytes:
    """A hash of a file's size, head and samples of its weights, and of what reads it.

    Enough to tell models apart, without reading 12 GB.
    """
    size = path.stat().st_size
    digest = hashlib.blake2b(written_by + size.to_bytes(8, "little"), digest_size=16)
    with path.open("rb") as file:
        for sample in range(SAMPLES):
            file.seek(size * sample // SAMPLES)
            digest.update(file.read(SAMPLE_BYTES))
    return digest.digest()

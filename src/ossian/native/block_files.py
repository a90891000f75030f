"""Blocks of keys and values as files: bounded, each with a checksum, each there whole or not at all.

A block is written in the background and never waited for. A file that is damaged, or was written for another model
or by another version, is deleted and never used.
"""

import contextlib
import os
import queue
import struct
import threading
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

MAGIC = b"OSSIANKV"
VERSION = 1
HEAD = struct.Struct("<8sIIQ")  # magic, version, checksum, bytes that follow
MOST_WAITING = 64  # blocks that wait to be written; more are left out: they can be read again
SUFFIX = ".kv"

Halves = NDArray[np.uint16]


class BlockFiles:
    """A folder of blocks for one model. Satisfies Shelf. `limit` is in bytes."""

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder = folder
        self._limit = limit
        self._waiting: queue.Queue[tuple[bytes, bytes] | None] = queue.Queue(MOST_WAITING)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # what a person has written is in here
        for beside in folder.glob("*.part"):
            beside.unlink(missing_ok=True)
        self._size = sum(path.stat().st_size for path in folder.glob(f"*{SUFFIX}"))
        self._writer = threading.Thread(target=self._write_all, daemon=True)
        self._writer.start()

    def load(self, name: bytes, keys: Halves, values: Halves) -> bool:
        """Fill in a block; False when it is not there, or is damaged (then its file goes)."""
        path = self._path(name)
        try:
            data = path.read_bytes()
            os.utime(path)
        except OSError:
            return False
        body = memoryview(data)[HEAD.size :]
        if not is_whole(data, body) or len(body) != keys.nbytes + values.nbytes:
            path.unlink(missing_ok=True)
            return False
        keys.reshape(-1)[:] = np.frombuffer(body[: keys.nbytes], np.uint16)
        values.reshape(-1)[:] = np.frombuffer(body[keys.nbytes :], np.uint16)
        return True

    def save(self, name: bytes, keys: Halves, values: Halves) -> None:
        """Have a block written soon; left out where the disk does not keep up."""
        if not self._waiting.full() and not self._path(name).exists():
            self._waiting.put((name, keys.tobytes() + values.tobytes()))

    def close(self) -> None:
        """Write what waits, and end."""
        self._waiting.put(None)
        self._writer.join()

    def _path(self, name: bytes) -> Path:
        return self._folder / f"{name.hex()}{SUFFIX}"

    def _write_all(self) -> None:
        while (entry := self._waiting.get()) is not None:
            with contextlib.suppress(OSError):  # a full disk costs speed, never an answer
                self._write(self._path(entry[0]), entry[1])

    def _write(self, path: Path, body: bytes) -> None:
        head = HEAD.pack(MAGIC, VERSION, zlib.crc32(body), len(body))
        if self._size + len(head) + len(body) > self._limit:
            self._make_room(len(head) + len(body))
        beside = path.with_suffix(".part")
        try:
            with beside.open("wb") as file:
                file.write(head)
                file.write(body)
            beside.rename(path)
        except OSError:
            beside.unlink(missing_ok=True)
            raise
        self._size += len(head) + len(body)

    def _make_room(self, needed: int) -> None:
        """Delete the blocks that were least recently used, a tenth more than needed so that it is rarely done."""
        blocks = sorted((path.stat().st_mtime, path.stat().st_size, path) for path in self._folder.glob(f"*{SUFFIX}"))
        self._size = sum(size for _, size, _ in blocks)
        for _, size, path in blocks:
            if self._size + needed <= self._limit * 0.9:
                return
            path.unlink(missing_ok=True)
            self._size -= size


def is_whole(data: bytes, body: memoryview) -> bool:
    """Whether a file is one of ours, complete and undamaged."""
    if len(data) < HEAD.size:
        return False
    magic, version, checksum, length = HEAD.unpack_from(data)
    return (magic, version, length) == (MAGIC, VERSION, len(body)) and zlib.crc32(body) == checksum

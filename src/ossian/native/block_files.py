"""Blocks of keys and values as files: each with a checksum, each there whole or not at all.

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

from ossian.store.cache_folder import BLOCK_SUFFIX, PART_SUFFIX, CacheFolder, clear_parts

MAGIC = b"OSSIANKV"
VERSION = 1
HEAD = struct.Struct("<8sIIQ")  # magic, version, checksum, bytes that follow
MOST_WAITING_BYTES = 64 * 1024**2  # blocks that wait to be written; more are left out: they can be read again

Halves = NDArray[np.uint16]
Tokens = NDArray[np.int32]
TOKEN_BYTES = 4


class BlockFiles:
    """The blocks of one model, in a folder of its name. Satisfies Shelf."""

    def __init__(self, cache: CacheFolder, name: str) -> None:
        self._cache = cache
        self._folder = cache.subfolder(name)
        clear_parts(self._folder)
        self._waiting: queue.Queue[tuple[bytes, bytes] | None] = queue.Queue()
        self._writer = threading.Thread(target=self._write_all, daemon=True)
        self._writer.start()

    def load(self, name: bytes, keys: Halves, values: Halves) -> Tokens | None:
        """Fill in a block and tell the tokens kept with it; None when it is not there, or is damaged: its file goes."""
        path = self._path(name)
        try:
            data = path.read_bytes()
            os.utime(path)
        except OSError:
            return None
        body = memoryview(data)[HEAD.size :]
        numbers = keys.nbytes + values.nbytes
        if not is_whole(data, body) or not 0 <= len(body) - numbers < TOKEN_BYTES * keys.shape[-1]:
            path.unlink(missing_ok=True)
            return None
        keys.reshape(-1)[:] = np.frombuffer(body[: keys.nbytes], np.uint16)
        values.reshape(-1)[:] = np.frombuffer(body[keys.nbytes : numbers], np.uint16)
        return np.frombuffer(body[numbers:], np.int32)

    def save(self, name: bytes, keys: Halves, values: Halves, tokens: Tokens | None = None) -> None:
        """Have a block written soon; left out where the disk does not keep up."""
        waiting = self._waiting.qsize() * (keys.nbytes + values.nbytes)  # all blocks of a model are as large
        if waiting < MOST_WAITING_BYTES and (tokens is not None or not self._path(name).exists()):
            kept = b"" if tokens is None else tokens.tobytes()
            self._waiting.put((name, keys.tobytes() + values.tobytes() + kept))

    def close(self) -> None:
        """Write what waits, and end."""
        self._waiting.put(None)
        self._writer.join()

    def _path(self, name: bytes) -> Path:
        return self._folder / f"{name.hex()}{BLOCK_SUFFIX}"

    def _write_all(self) -> None:
        while (entry := self._waiting.get()) is not None:
            with contextlib.suppress(OSError):  # a full disk costs speed, never an answer
                self._write(self._path(entry[0]), entry[1])

    def _write(self, path: Path, body: bytes) -> None:
        head = HEAD.pack(MAGIC, VERSION, zlib.crc32(body), len(body))
        if not self._cache.make_room(len(head) + len(body)):
            return
        beside = path.with_suffix(PART_SUFFIX)
        try:
            with beside.open("wb") as file:
                file.write(head)
                file.write(body)
            beside.rename(path)
        except OSError:
            beside.unlink(missing_ok=True)
            raise


def is_whole(data: bytes, body: memoryview) -> bool:
    """Whether a file is one of ours, complete and undamaged."""
    if len(data) < HEAD.size:
        return False
    magic, version, checksum, length = HEAD.unpack_from(data)
    return (magic, version, length) == (MAGIC, VERSION, len(body)) and zlib.crc32(body) == checksum

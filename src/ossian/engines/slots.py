"""llama.cpp's slots as files: what a model had read when it was unloaded is there when it is loaded again.

llama.cpp refuses a file that was cut short, but believes numbers that were changed (tried). So a file's name ends with
its checksum, and one that does not match is deleted and never used.
"""

import asyncio
import logging
import time
import zlib
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from secrets import token_hex
from typing import Any

import httpx2

from ossian.store.cache_folder import PART_SUFFIX, SLOT_SUFFIX, CacheFolder, identify

LOG = logging.getLogger(__name__)
FOLDER = "slots"
BUSY_SECONDS, SAVE_SECONDS, POLL_SECONDS = 3.0, 30.0, 0.05
PIECE_BYTES = 1 << 20
LEAST_TOKENS = 64  # fewer are read again as fast as they are fetched
MUCH_LONGER, LONG_SECONDS = 4, 86_400


class SlotFiles:
    """The slots of one model, each known by a name."""

    def __init__(self, cache: CacheFolder, names: Sequence[str]) -> None:
        self.folder = cache.subfolder(FOLDER)
        self._cache = cache
        self._names = names

    async def restore(self, client: httpx2.AsyncClient) -> None:
        """Fill the slots with what was saved. A file that the engine refuses, or dies of, is deleted."""
        for slot, name in enumerate(self._names):
            path = await asyncio.to_thread(self._find, name)
            if path is None:
                continue
            try:
                told = await act(client, slot, "restore", path)
            except httpx2.TransportError:
                told = None
            if told is None:
                path.unlink(missing_ok=True)

    async def save(self, client: httpx2.AsyncClient) -> None:
        """Keep what the slots hold, unless the engine is at work for somebody who left. What fails is logged."""
        try:
            async with asyncio.timeout(BUSY_SECONDS):
                await wait_until_idle(client)
            async with asyncio.timeout(SAVE_SECONDS):
                for slot, name in enumerate(self._names):
                    await self._save_slot(client, slot, name)
        except (OSError, TimeoutError, httpx2.HTTPError) as error:
            LOG.warning("what was read is not kept: %s", error or "the engine is busy")

    async def _save_slot(self, client: httpx2.AsyncClient, slot: int, name: str) -> None:
        beside = self.folder / f"{name}-{token_hex(4)}{PART_SUFFIX}"  # another server may save the same model
        try:
            told = await act(client, slot, "save", beside)
            if told is not None and told["n_saved"] >= LEAST_TOKENS:
                await asyncio.to_thread(self._keep, beside, name, told["n_saved"], told["n_written"])
        finally:
            beside.unlink(missing_ok=True)

    def _find(self, name: str) -> Path | None:
        """The undamaged file of a slot."""
        for path in self._saved(name):
            if path.stem.rpartition("-")[2] == checksum(path):
                return path
            path.unlink(missing_ok=True)
        return None

    def _keep(self, beside: Path, name: str, tokens: int, size: int) -> None:
        before = self._saved(name)
        if any(is_worth_more(path, tokens) for path in before):
            return
        if beside.stat().st_size == size and self._cache.make_room(size):
            kept = beside.with_name(f"{name}-{tokens}-{checksum(beside)}{SLOT_SUFFIX}")
            beside.rename(kept)
            for path in before:
                if path != kept:
                    path.unlink(missing_ok=True)

    def _saved(self, name: str) -> list[Path]:
        return sorted(self.folder.glob(f"{name}-*-*{SLOT_SUFFIX}"))


async def act(client: httpx2.AsyncClient, slot: int, action: str, path: Path) -> dict[str, Any] | None:
    """Have the engine save or restore a slot; what it says, None where it refuses."""
    response = await client.post(f"/slots/{slot}?action={action}", json={"filename": path.name})
    return dict(response.json()) if response.status_code == 200 else None


async def wait_until_idle(client: httpx2.AsyncClient) -> None:
    while any(slot["is_processing"] for slot in (await client.get("/slots")).raise_for_status().json()):  # noqa: ASYNC110
        await asyncio.sleep(POLL_SECONDS)


def open_slots(cache: CacheFolder, model: Path, context: int, slots: int, program: Path | None) -> SlotFiles | None:
    """The slots of a model with one size of context; None where nothing can be kept.

    Another engine or another version of it never reads them.
    """
    try:
        # llama.cpp makes some models' keys differently for a long context (longrope), so its size is in the name.
        name = f"{identify(model, engine(program)).hex()}-{context}"
        return SlotFiles(cache, [f"{name}-{slot}" for slot in range(slots)])
    except (OSError, PackageNotFoundError) as error:
        LOG.warning("what is read will not be kept: %s", error)
        return None


def engine(program: Path | None) -> bytes:
    """Which llama.cpp reads the model: the wheel of a version, or a binary."""
    if program is None:
        return f"xllamacpp {version('xllamacpp')}".encode()
    status = program.stat()
    return f"{program} {status.st_size} {status.st_mtime_ns}".encode()


def checksum(path: Path) -> str:
    total = 0
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            total = zlib.crc32(piece, total)
    return f"{total:08x}"


def is_worth_more(path: Path, tokens: int) -> bool:
    """Whether a file holds much more than these tokens and is not old: an editor's long prompt, then a title for it."""
    held = path.stem.split("-")[-2]
    return held.isdigit() and int(held) > MUCH_LONGER * tokens and time.time() - path.stat().st_mtime < LONG_SECONDS

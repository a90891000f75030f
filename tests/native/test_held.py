"""What the engine holds beside the pages of its file: keys and values once, in half precision, and little else."""

import re
import sys
from pathlib import Path

import pytest

from ossian.chat import Sampling
from ossian.engines.runner import Runner, RunnerSpec
from ossian.native.instruction_sets import KernelsMissing, load_kernels
from ossian.store.catalogue import DEMO

TOKENS = 8_192
BYTES_PER_TOKEN = 6 * 2 * 4 * 32 * 2  # the demo's layers, keys and values, heads, their size, half precision
REST = 24 * 1024**2  # what reading 512 tokens at once takes, and pieces of pages


def anonymous(pid: int) -> int:
    found = re.search(r"^Anonymous:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_what_is_read_is_held_once_and_in_half_precision() -> None:
    try:
        load_kernels()
    except KernelsMissing as error:
        pytest.skip(str(error))
    runner = await Runner(RunnerSpec(DEMO, context=65_536, native=True, threads=1)).start()
    try:
        empty = anonymous(runner.pid)
        prompt = [100 + index * 7919 % 3000 for index in range(TOKENS)]
        async for _ in runner.complete(prompt, 1, Sampling(temperature=0.0)):
            pass
        assert anonymous(runner.pid) - empty < TOKENS * BYTES_PER_TOKEN + REST
        assert empty < 65_536 * BYTES_PER_TOKEN / 2  # room for the context is not taken before it is used
    finally:
        await runner.close()

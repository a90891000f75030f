"""Measure what a model takes beside the pages of its file, as more and more of a prompt is read.

    python benchmarks/memory.py FILE.gguf [--tokens 512 4096 16384] [--engine native]

Counted is what the process holds alone and could not be read again from the file: `Anonymous` in smaps_rollup (Linux).
The first line is the model loaded with nothing read, so that keys and values can be told from the rest.
"""

import argparse
import asyncio
import re
from pathlib import Path

from ossian.chat import Sampling
from ossian.engines.runner import Runner, RunnerSpec
from ossian.settings import ENGINES

MB = 1_000_000
LEAST_ID, IDS = 100, 3_000  # tokens that every vocabulary here has


def anonymous(pid: int) -> int:
    """Bytes a process holds that are no pages of a file."""
    found = re.search(r"^Anonymous:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


async def measure(model: Path, tokens: list[int], engine: str, threads: int) -> list[tuple[int, int]]:
    """Bytes held with nothing read, and after a prompt of each length."""
    spec = RunnerSpec(model, context=max(tokens) + 64, native=engine == "native", threads=threads)
    runner = await Runner(spec, load_timeout=900).start()
    try:
        held = [(0, anonymous(runner.pid))]
        for count in tokens:
            prompt = [LEAST_ID + index * 7919 % IDS for index in range(count)]
            async for _ in runner.complete(prompt, 4, Sampling(temperature=0.0)):
                pass
            held.append((count, anonymous(runner.pid)))
        return held
    finally:
        await runner.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--tokens", type=int, nargs="+", default=[512, 4_096, 16_384])
    parser.add_argument("--engine", choices=[name for name in ENGINES if name != "auto"], default="native")
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    for count, held in asyncio.run(measure(asked.model, sorted(asked.tokens), asked.engine, asked.threads)):
        print(f"{count:>7} tokens  {held / MB:8.0f} MB beside the file")


if __name__ == "__main__":
    main()

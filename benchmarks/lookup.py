"""What guessing saves and what it costs: our engine with guesses and without, by turns, on texts that are dictated.

    python benchmarks/lookup.py /tmp/gpt-oss-20b.gguf           a file of any weights, such as synthetic.py writes
    python benchmarks/lookup.py /tmp/tiny.gguf --threads 1

Every step is computed in full; only what it says is put in, so that weights without meaning copy like those with one.
"""

import argparse
import queue
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ossian.native.cache import BLOCK_TOKENS, PrefixCache
from ossian.native.instruction_sets import load_kernels
from ossian.native.jobs import Failed, Finished, Job, Step
from ossian.native.lookup import MOST_GUESSED
from ossian.native.model import Batch, KeysAndValues, Model
from ossian.native.sampler import Rules
from ossian.native.scheduler import Scheduler
from ossian.native.weights import open_weights

PROMPT, ANSWER, TURNS = 400, 200, 3  # tokens, and how often each is measured
ROWS = (1, 2, 3, 5, 9, 17, 1 + MOST_GUESSED)
NORMAL_TOKENS = 250  # ids below it are bytes in every vocabulary


class Dictated(Model):
    """A model that says `text`, whatever it computes."""

    text: NDArray[np.int32]

    def forward(
        self, batch: Batch, cache: KeysAndValues, stop: Callable[[], bool] = lambda: False
    ) -> NDArray[np.float32]:
        logits = super().forward(batch, cache, stop)
        logits[np.arange(len(logits)), self.text[batch.positions[batch.wanted] + 1]] = 1e9
        return logits


def texts() -> dict[str, NDArray[np.int32]]:
    """A prompt of code and an answer each: the same again, the same with edits, something else."""
    random = np.random.default_rng(1)
    code, other = random.integers(0, NORMAL_TOKENS, (2, PROMPT)).astype(np.int32)
    edited = code.copy()
    edited[20:ANSWER:20] = other[20:ANSWER:20]
    return {
        "copied": np.concatenate([code, code]),
        "one token in 20 changed": np.concatenate([code, edited]),
        "without pattern": np.concatenate([code, other]),
    }


def write(model: Dictated, text: NDArray[np.int32], guesses: bool) -> Finished:
    """Have an answer dictated to a fresh engine."""
    cache = PrefixCache(model.shape, (PROMPT + ANSWER) // BLOCK_TOKENS + 2, b"dictated")
    model.text = text
    scheduler = Scheduler(model, cache, frozenset(), PROMPT + ANSWER + 1, 1, guesses)
    told: queue.Queue[Step] = queue.Queue()
    scheduler.submit(Job([int(token) for token in text[:PROMPT]], ANSWER, Rules(temperature=0), told.put))
    while not isinstance(step := told.get(), Finished | Failed):
        pass
    scheduler.close()
    assert isinstance(step, Finished), step
    return step


def measure_steps(model: Dictated, text: NDArray[np.int32]) -> dict[int, float]:
    """Seconds of a step by its rows, the shortest of some, behind a prompt that was read."""
    model.text = text
    cache = PrefixCache(model.shape, PROMPT // BLOCK_TOKENS + 2, b"steps").numbers
    table = np.arange(len(cache.keys), dtype=np.int32)[None]

    def read(start: int, count: int) -> float:
        places = np.arange(start, start + count, dtype=np.int32)
        batch = Batch(text[places], places, np.zeros(count, np.int32), table, np.arange(count, dtype=np.int32))
        began = time.perf_counter()
        model.forward(batch, cache)
        return time.perf_counter() - began

    read(0, PROMPT // 2)
    return {rows: min(read(PROMPT // 2 + turn * rows, rows) for turn in range(5)) for rows in ROWS}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("path", type=Path)
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--kernels", default="", help="an instruction set; the best one of this processor")
    given = arguments.parse_args()
    kernels = load_kernels(given.kernels)
    model = Dictated(open_weights(given.path, kernels), kernels, given.threads)
    print("| rows in a step | ms | of one row |\n|---|---|---|")
    seconds = measure_steps(model, texts()["copied"])
    for rows, each in seconds.items():
        print(f"| {rows} | {1000 * each:.1f} | {each / seconds[1]:.2f} |")
    print("\n| answer | tokens/s without guesses | with | ratio | guessed | kept |\n|---|---|---|---|---|---|")
    for name, text in texts().items():
        ends = [(write(model, text, False), write(model, text, True)) for _ in range(TURNS)]
        without, guessed = (ANSWER / min(end.written_seconds for end in side) for side in zip(*ends, strict=True))
        last = ends[-1][1]
        print(f"| {name} | {without:.1f} | {guessed:.1f} | {guessed / without:.2f} | {last.guessed} | {last.kept} |")


if __name__ == "__main__":
    main()

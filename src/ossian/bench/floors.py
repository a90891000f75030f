"""What memory and arithmetic allow: their rates measured on this machine, and what a model's tokens cost of each."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ossian.native.instruction_sets import KernelsMissing, load_kernels
from ossian.native.weights import BYTES, MXFP4
from ossian.store.catalogue import ModelFile
from ossian.store.gguf import Layout, Tensor, read_layout

READ_BYTES = 512 << 20  # more than a processor's cache
ATTEMPTS = 10
SIDE, ROWS = 2880, 240  # a matrix of gpt-oss-20b's experts, and tokens that meet it
EMBEDDING, OUTPUT = "token_embd.weight", "output.weight"


@dataclass(frozen=True, slots=True)
class Rates:
    """What this machine does in a second with so many threads; `operations` is None where there are no kernels."""

    bytes: float
    operations: float | None


@dataclass(frozen=True, slots=True)
class Work:
    """What a model costs: operations to read a token, bytes of weights that every step reads, and of its experts."""

    operations: float
    bytes: float
    expert_bytes: float
    experts: int
    chosen: int

    def bytes_for(self, callers: int) -> float:
        """Bytes of weights that a step reads which writes one token for each caller, by chance different experts."""
        met = 1 - (1 - self.chosen / self.experts) ** callers
        return self.bytes + self.expert_bytes * met


def measure_rates(threads: int) -> Rates:
    """Measure both, each the best of a few attempts. Takes a second or two, and half a GiB of memory."""
    return Rates(measure_memory(threads), measure_arithmetic(threads))


def measure_memory(threads: int) -> float:
    """Bytes a second that all threads together read from memory."""
    pieces = np.array_split(np.ones(READ_BYTES // 8, np.uint64), threads)
    with ThreadPoolExecutor(threads) as pool:
        return READ_BYTES / best_time(lambda: [*pool.map(np.bitwise_or.reduce, pieces)])


def measure_arithmetic(threads: int) -> float | None:
    """Operations a second of our own product of MXFP4 with bytes, on a matrix that stays in the cache."""
    try:
        kernels = load_kernels()
    except KernelsMissing:
        return None
    pool, matrix = kernels.Pool(threads), kernels.Matrix(random_experts(), MXFP4, 1, SIDE, SIDE)
    x, out = np.ones((ROWS, SIDE), np.float32), np.empty((ROWS, SIDE), np.float32)
    return 2 * SIDE * SIDE * ROWS / best_time(lambda: kernels.linear(pool, x, matrix, None, out, False))


def random_experts() -> NDArray[np.uint8]:
    together, size = BYTES[MXFP4]
    blocks = np.random.default_rng(1).integers(0, 256, (SIDE * SIDE // together, size), dtype=np.uint8)
    blocks[:, 0] = 120  # a scale of 2^-7
    return blocks.reshape(-1)


def best_time(work: Callable[[], object]) -> float:
    """Seconds of the quickest of a few attempts, after one that does not count."""
    seconds = []
    for _ in range(1 + ATTEMPTS):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return min(seconds[1:])


def work_of(model: ModelFile) -> Work:
    """What a model's tokens cost, from the tensors of its file.

    Attention itself, whose cost grows with the prompt, is not in it, nor are keys and values.
    """
    layout = read_layout(model.path)
    sizes = sizes_of(layout, model.path)
    output = OUTPUT if OUTPUT in layout.tensors else EMBEDDING
    experts = int(model.metadata.get(f"{model.architecture}.expert_count", 0)) or 1
    chosen = int(model.metadata.get(f"{model.architecture}.expert_used_count", 0)) or 1
    operations = always = expert_bytes = 0.0
    for tensor in layout.tensors.values():
        if tensor.name == EMBEDDING and output != EMBEDDING:
            continue  # one row of it
        share = chosen / experts if is_expert(tensor) else 1
        if tensor.name != output and is_matrix(tensor):  # while a prompt is read, only its last token needs it
            operations += 2 * np.prod(tensor.sizes, dtype=float) * share
        if is_expert(tensor):
            expert_bytes += sizes[tensor.name]
        else:
            always += sizes[tensor.name]
    return Work(float(operations), always, expert_bytes, experts, chosen)


def is_matrix(tensor: Tensor) -> bool:
    return len(tensor.sizes) > 1 and tensor.name.endswith(".weight")


def is_expert(tensor: Tensor) -> bool:
    return "_exps." in tensor.name


def sizes_of(layout: Layout, path: Path) -> dict[str, int]:
    """Bytes of each tensor: up to where the next begins, whatever its kind."""
    tensors = sorted(layout.tensors.values(), key=lambda tensor: tensor.offset)
    ends = [*(tensor.offset for tensor in tensors[1:]), path.stat().st_size - layout.start]
    return {tensor.name: end - tensor.offset for tensor, end in zip(tensors, ends, strict=True)}

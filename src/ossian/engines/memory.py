"""What fits: bytes of memory on this machine, and the context a model can be given in them."""

import os
from dataclasses import dataclass
from pathlib import Path

import psutil

from ossian.errors import NotEnoughMemory
from ossian.native.instruction_sets import KernelsMissing, instruction_sets
from ossian.settings import Settings
from ossian.store.catalogue import ModelFile

GIB = 1024**3
WORKING_BYTES = 768 * 1024**2  # buffers of llama.cpp and this server; below 0.4 GB for gpt-oss-20b, so half is reserve
BYTES_PER_VALUE = 2  # keys and values are kept in F16
SMALLEST_CONTEXT = 4_096
LARGEST_CONTEXT = 131_072
SHARING = 4  # answers of our own engine that share the memory of one context, where nothing is set
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
CGROUP_STAT = Path("/sys/fs/cgroup/memory.stat")


def physical_cores() -> int:
    """Threads that help: one per physical core this process may use."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(usable, psutil.cpu_count(logical=False) or usable)


def total_memory() -> int:
    """Bytes this machine, or the container it is, can have."""
    total = psutil.virtual_memory().total
    limit = _read_bytes(CGROUP_LIMIT)
    return min(total, limit) if limit else total


def free_memory() -> int:
    """Bytes that can be had now without pushing anybody out; cached files count as free."""
    free = psutil.virtual_memory().available
    limit = _read_bytes(CGROUP_LIMIT)
    return min(free, limit - _bytes_held()) if limit else free


@dataclass(frozen=True, slots=True)
class Serving:
    """How a model is served: by our own engine or llama.cpp, with room for `parallel` answers of a whole context.

    together: so many answers are written at once, in that room
    """

    native: bool = False
    parallel: int = 1
    together: int = 1


def serving_of(model: ModelFile, settings: Settings) -> Serving:
    """The engine that will serve a model. Where ours turns out not to run the file, llama.cpp needs less than this."""
    native = model.is_gpt_oss and wants_native(settings) and (settings.engine == "native" or has_kernels())
    together = settings.num_parallel or (SHARING if native else 1)
    return Serving(native, settings.num_parallel or 1, together)


def wants_native(settings: Settings) -> bool:
    """Whether our own engine is to be tried first; whoever names a llama-server wants that."""
    return settings.engine == "native" or (settings.engine == "auto" and settings.llama_server is None)


def has_kernels() -> bool:
    try:
        return bool(instruction_sets())
    except KernelsMissing:
        return False


def bytes_per_token(model: ModelFile, serving: Serving = Serving()) -> int:
    """Keys and values of one token. Our engine keeps all layers; llama.cpp a fixed number for those with a window."""

    def number(key: str, default: int) -> int:
        given = model.metadata.get(f"{model.architecture}.{key}", default)
        return int(max(given) if isinstance(given, list) else given)  # some models give each layer its own

    layers = number("block_count", 32)
    kept_layers = layers // 2 if number("attention.sliding_window", 0) and not serving.native else layers
    heads = number("attention.head_count_kv", number("attention.head_count", 32))
    head_size = number("attention.key_length", number("embedding_length", 4096) // number("attention.head_count", 32))
    return kept_layers * 2 * heads * head_size * BYTES_PER_VALUE


def needed_memory(model: ModelFile, context: int, serving: Serving = Serving()) -> int:
    """Bytes to serve the model with this many tokens of context for each answer, weights included."""
    return model.size + WORKING_BYTES + serving.parallel * context * bytes_per_token(model, serving)


def spare_memory(model: ModelFile, context: int, settings: Settings) -> int:
    """Bytes that a model may have beyond what it needs: half of what it leaves, so that others still fit."""
    return max(0, free_memory() - needed_memory(model, context, serving_of(model, settings))) // 2


def context_for(model: ModelFile, wanted: int, free: int, total: int, serving: Serving = Serving()) -> int:
    """Tokens of context to load a model with. `wanted` 0 means: as many as fit, in halves of what it was trained for.

    Raises NotEnoughMemory, with the figures, when the machine as a whole cannot hold the model.
    """
    trained = model.context_length or SMALLEST_CONTEXT
    if needed_memory(model, min(SMALLEST_CONTEXT, trained), serving) > total:
        raise NotEnoughMemory(
            f"{model.name} needs {needed_memory(model, SMALLEST_CONTEXT, serving) / GIB:.1f} GiB of memory "
            f"and this machine has {total / GIB:.1f} GiB.",
            "Use a smaller model, such as `demo`.",
        )
    if wanted:
        return min(wanted, trained)
    context = min(LARGEST_CONTEXT, trained)
    while context // 2 >= SMALLEST_CONTEXT and needed_memory(model, context, serving) > free:
        context //= 2
    return context


def _read_bytes(path: Path) -> int:
    """A number the kernel keeps in a file; 0 when there is no file or no limit."""
    try:
        text = path.read_text().strip()
    except OSError:
        return 0
    return int(text) if text.isdigit() else 0


def _bytes_held() -> int:
    """What the container's programs hold (cgroup v2, memory.stat); pages of files, such as a model's, can be let go."""
    try:
        pairs = (line.split() for line in CGROUP_STAT.read_text().splitlines())
        return sum(int(count) for name, count in pairs if name in ("anon", "shmem", "kernel"))
    except OSError:
        return 0

"""From a file to an engine: weights, vocabulary, cache, scheduler."""

from pathlib import Path

from ossian.native.block_files import BlockFiles
from ossian.native.cache import BLOCK_TOKENS, PrefixCache
from ossian.native.instruction_sets import load_kernels
from ossian.native.model import Model
from ossian.native.scheduler import Scheduler
from ossian.native.server import Engine
from ossian.native.tokenizer import Vocabulary
from ossian.native.weights import open_weights
from ossian.store.cache_folder import CacheFolder, identify

ENDINGS = ("<|return|>", "<|call|>", "<|endoftext|>")
CACHE_VERSION = b"1"  # to be raised when the kernels compute keys or values differently


def load_engine(
    path: Path,
    *,
    context: int,
    parallel: int = 1,
    together: int = 0,
    threads: int,
    kernels: str = "",
    cache: Path | None = None,
    cache_bytes: int = 0,
    guesses: bool = True,
) -> Engine:
    """Load a gpt-oss file with room for `parallel` answers of `context` tokens each.

    `together` answers are written at once, in that room; 0: as many as it is for.

    Raises KernelsMissing, NotForUs (another engine may run the file), BadRequest (a damaged file).
    """
    module = load_kernels(kernels)
    weights = open_weights(path, module)
    vocabulary = Vocabulary(weights.metadata)
    endings = frozenset(vocabulary.special[name] for name in ENDINGS if name in vocabulary.special)
    context = min(context, weights.shape.context)
    blocks = -(-context // BLOCK_TOKENS) * parallel
    identity = identify(path, CACHE_VERSION)
    shelf = BlockFiles(CacheFolder(cache, cache_bytes), identity.hex()) if cache and cache_bytes else None
    prefixes = PrefixCache(weights.shape, blocks, identity, shelf)
    scheduler = Scheduler(Model(weights, module, threads), prefixes, endings, context, together or parallel, guesses)
    return Engine(scheduler, vocabulary, endings)

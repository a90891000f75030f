"""Files that were read, made of a few words."""

from ossian.rag.pieces import Chunk
from ossian.rag.store import Reading, digest_of


def read(path: str, *texts: str, context: str = "", symbols: tuple[str, ...] = ()) -> Reading:
    """A file of chunks of one line each."""
    chunks = tuple(
        Chunk(text, context or path, number, number, symbols=symbols) for number, text in enumerate(texts, start=1)
    )
    whole = "\n".join(texts)
    return Reading(path, len(whole), 1_700_000_000_000_000_000, digest_of(whole), "text", chunks)

"""What every store writes of a file and reads back: words, names, vectors as half floats. Knows no database."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy

from ossian.rag.pieces import Chunk
from ossian.rag.store import KeptFile, Reading, State, Vector
from ossian.rag.vectors import unit
from ossian.rag.words import spread

NOBODY = 0  # number of an embedder that has kept no vector yet

Words = tuple[str, str]  # a chunk's text and context, as they stand in the index of words


def index_words(text: str, context: str, symbols: str) -> Words:
    """What a chunk is found by: the same at any time, because what goes out of the index must be what went in."""
    return spread(text), spread(f"{context}\n{symbols}")


def words_of(chunk: Chunk) -> Words:
    return index_words(chunk.text, chunk.context, "\n".join(chunk.symbols))


def symbol_rows(symbols: str) -> set[str]:
    """What lines of names are looked up by: in small letters, and `keep` for `Shelf.keep`."""
    names = symbols.lower().split("\n") if symbols else []
    return {part for name in names for part in (name, *name.rsplit(".", 1)[1:]) if part}


def writable(reading: Reading) -> Reading:
    """A reading without halves of characters, which cannot be written: a file's name or text may hold some."""
    chunks = tuple(
        replace(chunk, text=whole(chunk.text), context=whole(chunk.context), symbols=tuple(map(whole, chunk.symbols)))
        for chunk in reading.chunks
    )
    return replace(reading, path=whole(reading.path), chunks=chunks)


def whole(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def read_file(row: Sequence[Any]) -> KeptFile:
    path, size, modified, digest, kind, reason, chunks, pending = row
    state: State = "skipped" if reason and not chunks else "meaning pending" if pending else "searchable"
    return KeptFile(path, size, modified, digest, kind, state, reason, int(chunks), int(pending))


def write_vector(vector: Sequence[float]) -> bytes:
    return unit(numpy.asarray(vector, numpy.float32)).astype("<f2").tobytes()


def read_vector(data: bytes) -> Vector:
    return numpy.frombuffer(data, "<f2").astype(numpy.float32)

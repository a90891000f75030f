"""How fast the library of documents is: words of Zipf's law in files of 50 chunks, vectors around random middles.

    nice -n 19 python benchmarks/library.py --chunks 100000
    nice -n 19 python benchmarks/library.py --chunks 20000 --store postgresql://postgres@/empty?host=/tmp/socket

Wall times, with the processor's own in brackets where it was measured: this process's, not a database's. The text and
the vectors are made beforehand.
"""

import argparse
import asyncio
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy
from numpy.typing import NDArray

from ossian.rag.pieces import Chunk
from ossian.rag.search import Embedder, Search
from ossian.rag.shelf import LIBRARY_FILE, open_shelf
from ossian.rag.store import Reading, Shelf, digest_of
from ossian.rag.vectors import unit

CHUNK_CHARACTERS = 800
CHUNKS_OF_A_FILE = 50
VOCABULARY = 200_000
WIDTH = 384
MIDDLES = 2_000
TOGETHER = 4  # files in a transaction
QUESTIONS = 100
WORDS_OF_A_QUESTION = 7
EMBEDDER = "random"
VECTORS_AT_ONCE = 5_000


class Maker:
    """Texts and vectors by chance, the same each time."""

    def __init__(self) -> None:
        self.chance = numpy.random.default_rng(1)
        letters = numpy.array(list("etaoinshrdlucmfwypvbgkjqxz"))
        lengths = self.chance.integers(2, 11, VOCABULARY)
        self.vocabulary = ["".join(self.chance.choice(letters, length)) for length in lengths]
        for place in range(0, VOCABULARY, 9):  # a ninth are names of code
            self.vocabulary[place] = f"{self.vocabulary[place]}{self.vocabulary[place - 1].capitalize()}"
        weights = 1 / numpy.arange(1, VOCABULARY + 1) ** 1.05
        self.sums = numpy.cumsum(weights / weights.sum())
        self.middles = self.chance.normal(size=(MIDDLES, WIDTH)).astype(numpy.float32)

    def words(self, count: int) -> list[str]:
        places = numpy.searchsorted(self.sums, self.chance.random(count)).clip(max=VOCABULARY - 1)
        return [self.vocabulary[place] for place in places]

    def text(self) -> str:
        return " ".join(self.words(150))[:CHUNK_CHARACTERS]

    def file(self, number: int) -> Reading:
        chunks = [Chunk(self.text(), f"folder/{number}.md\nheading {number}", 1, 9) for _ in range(CHUNKS_OF_A_FILE)]
        return Reading(f"folder/{number}.md", 1, 1, digest_of(str(number)), "markdown", tuple(chunks))

    def vectors(self, count: int) -> NDArray[numpy.float32]:
        near = self.middles[self.chance.integers(MIDDLES, size=count)]
        return unit(near + self.chance.normal(size=(count, WIDTH)).astype(numpy.float32))


@contextmanager
def timed(what: str) -> Iterator[None]:
    wall, own = time.perf_counter(), time.process_time()
    yield
    print(f"{what}: {time.perf_counter() - wall:.2f} s ({time.process_time() - own:.2f})", flush=True)


def spread_of(what: str, actions: Sequence[Callable[[], object]]) -> None:
    """The median and the 95th percentile of actions, each timed alone; the first warms up."""
    times = []
    for action in actions:
        start = time.perf_counter(), time.process_time()
        action()
        times.append((time.perf_counter() - start[0], time.process_time() - start[1]))
    (median, own_median), (late, own_late) = numpy.percentile(times[1:], (50, 95), axis=0) * 1_000
    first = times[0][0] * 1_000
    print(
        f"{what}: first {first:.1f}, p50 {median:.1f} ({own_median:.1f}), p95 {late:.1f} ({own_late:.1f}) ms",
        flush=True,
    )


def ingest(shelf: Shelf, maker: Maker, chunks: int) -> None:
    wall = own = 0.0
    numbers = list(range(chunks // CHUNKS_OF_A_FILE))
    for start in range(0, len(numbers), TOGETHER):
        files = [maker.file(number) for number in numbers[start : start + TOGETHER]]
        before, own_before = time.perf_counter(), time.process_time()
        shelf.keep("c", files)
        wall, own = wall + time.perf_counter() - before, own + time.process_time() - own_before
    print(f"{chunks} chunks searchable by words: {wall:.1f} s ({own:.1f})", flush=True)


def fill(shelf: Shelf, maker: Maker) -> None:
    wall = after = 0.0
    while pending := shelf.pending(EMBEDDER, VECTORS_AT_ONCE, after=int(after)):
        after, vectors = max(pending), maker.vectors(len(pending))
        before = time.perf_counter()
        shelf.keep_vectors(EMBEDDER, dict(zip(pending.values(), vectors, strict=True)))
        wall += time.perf_counter() - before
    print(f"vectors kept: {wall:.1f} s", flush=True)


def ask(shelf: Shelf, maker: Maker) -> None:
    questions = [" ".join(maker.words(WORDS_OF_A_QUESTION)) for _ in range(QUESTIONS)]
    vectors = maker.vectors(QUESTIONS)

    known = dict(zip(questions, vectors, strict=True))

    async def embed(texts: Sequence[str]) -> list[list[float]]:
        return [known.get(text, vectors[0]).tolist() for text in texts]

    words, both = Search(shelf), Search(shelf, Embedder(EMBEDDER, embed))
    with asyncio.Runner() as loop:
        for search in (words, both):
            with timed("learning what is usual"):
                loop.run(search.calibrate(["c"]))
        spread_of("words", [lambda q=q: loop.run(words.find(["c"], q)) for q in questions])
        spread_of("meaning", [lambda v=v: shelf.find_meaning("c", EMBEDDER, v, 200) for v in vectors])
        spread_of("both", [lambda q=q: loop.run(both.find(["c"], q)) for q in questions])


def change(shelf: Shelf, maker: Maker) -> None:
    count = 20
    spread_of("a file put in again", [lambda n=n: shelf.keep("c", [maker.file(n)]) for n in range(count)])
    spread_of("a file deleted", [lambda n=n: shelf.forget("c", [f"folder/{n}.md"]) for n in range(count)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--store", default="", help="a file or a database to keep, and to ask again when it is filled")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        maker, shelf = Maker(), open_shelf(arguments.store, Path(temporary))
        if not shelf.collections():
            ingest(shelf, maker, arguments.chunks)
            fill(shelf, maker)
        if (file := Path(arguments.store or Path(temporary) / LIBRARY_FILE)).is_file():
            print(f"{file.stat().st_size / 1e6:.0f} MB")
        ask(shelf, maker)
        change(shelf, maker)
        print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f} MB of memory at most")


if __name__ == "__main__":
    main()

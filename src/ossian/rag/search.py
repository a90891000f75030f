"""Answer a question with passages: found by words and by meaning, ranked, joined. Knows no engine and no database.

Where vectors are missing, the best candidates by words are given theirs at question time, as far as the time allows.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import numpy

from ossian.errors import OssianError
from ossian.rag.fit import EVERYDAY_QUESTIONS, Calibration, Closeness, calibrate
from ossian.rag.rank import (
    MEANING_WEIGHT,
    MEANING_WEIGHT_OF_NAMES,
    Candidate,
    Ranked,
    join_neighbours,
    rank,
    share_definitions,
)
from ossian.rag.store import Hit, Placed, Shelf, Vector
from ossian.rag.vectors import unit
from ossian.rag.words import names_in, names_something, terms_of

CANDIDATES = 200  # by words, and as many by meaning, from each collection
LATE_CANDIDATES = 30  # that are given their vectors at question time
LATE_SECONDS = 1.5
LATE_BATCH = 6
COVERING_PLACES = 5  # of the best by words: how much of the question they hold
QUESTION_SECONDS = 20.0  # for the vector of the question: the embedder may have to be loaded
MOST_DEFINITIONS = 20  # places; a name that is defined more often is no name to go by

Meaning = Literal["all", "some", "none"]
By = Literal["both", "words", "meaning"]
Embed = Callable[[Sequence[str]], Awaitable[Sequence[Sequence[float]]]]


@dataclass(frozen=True, slots=True)
class Embedder:
    """Who gives texts their meaning, and the name under which its vectors are kept."""

    name: str
    embed: Embed


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of a file that may answer. `digest` is of the file's bytes when it was read."""

    collection: str
    path: str
    first_line: int
    last_line: int
    page: int | None
    score: float
    text: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found, the best first.

    meaning: whether all candidates were compared by it, some or none
    fits: False when the collections have nothing to say to the question; these are then the nearest all the same
    """

    passages: tuple[Passage, ...]
    meaning: Meaning
    fits: bool


@dataclass(frozen=True, slots=True)
class Candidates:
    """All that may answer a question, with what stands at each place."""

    ranked: list[Ranked]
    placed: Mapping[int, Placed]
    meaning: Meaning


@dataclass(frozen=True, slots=True)
class Gathered:
    """What words and meaning found for a question: the best place of each chunk, and cosines of chunks."""

    collections: Sequence[str]
    question: str
    vector: Vector | None
    hits: Mapping[int, Hit]
    cosines: dict[int, float]


class Search:
    """Searches collections of a shelf, with an embedder or by words alone."""

    def __init__(
        self,
        shelf: Shelf,
        embedder: Embedder | None = None,
        late_candidates: int = LATE_CANDIDATES,
        late_seconds: float = LATE_SECONDS,
    ) -> None:
        self.shelf = shelf
        self.embedder = embedder
        self.late_candidates = late_candidates
        self.late_seconds = late_seconds
        self._calibrations: dict[tuple[str, ...], Calibration] = {}
        self._everyday: list[Vector | None] = []  # the meaning of everyday questions

    async def find(self, collections: Sequence[str], question: str, count: int = 10, by: By = "both") -> Findings:
        """The passages that fit a question best. Raises CollectionNotFound, LibraryFailed.

        by: words or meaning alone, to compare them; by meaning alone whatever is found is said to fit
        """
        gathered = await self._gather(collections, question, by)
        if by == "both":
            await self._embed_late(gathered)
        found = await asyncio.to_thread(self._rank, gathered)
        stretches = join_neighbours(found.ranked, count)
        passages = tuple(write_passage(stretch, found.placed) for stretch in stretches)
        calibration = None if by == "meaning" else self._calibrations.get(tuple(collections))
        fits = bool(passages) and (calibration is None or calibration.fits(await self._closeness(gathered)))
        return Findings(passages, found.meaning, fits)

    async def candidates(self, collections: Sequence[str], question: str) -> Candidates:
        """Every chunk that may answer, the best first."""
        gathered = await self._gather(collections, question)
        await self._embed_late(gathered)
        return await asyncio.to_thread(self._rank, gathered)

    def use(self, embedder: Embedder | None) -> None:
        """Search with this embedder from now on; what another one taught counts no more."""
        if (embedder and embedder.name) != (self.embedder and self.embedder.name):
            self._calibrations.clear()
            self._everyday = []
        self.embedder = embedder

    def unlearn(self, collection: str) -> None:
        """Forget what is usual where this collection is searched: it is another now."""
        self._calibrations = {names: known for names, known in self._calibrations.items() if collection not in names}

    def is_calibrated(self, collections: Sequence[str]) -> bool:
        return tuple(collections) in self._calibrations

    async def calibrate(self, collections: Sequence[str]) -> Calibration:
        """Learn how near everyday questions come, so that `find` can tell what fits: again when much has changed.

        Nothing is embedded but these questions, once. What was learned of these collections among others is forgotten.
        """
        vectors = self._everyday or [await self._vector_of(question) for question in EVERYDAY_QUESTIONS]
        self._everyday = [] if any(vector is None for vector in vectors) else vectors
        gathered = [
            await self._near_words(collections, question, vector)
            for question, vector in zip(EVERYDAY_QUESTIONS, vectors, strict=True)
        ]
        calibration = calibrate([await self._closeness(each) for each in gathered])
        kept = {names: known for names, known in self._calibrations.items() if not set(names) > set(collections)}
        self._calibrations = kept | {tuple(collections): calibration}
        return calibration

    async def _gather(self, collections: Sequence[str], question: str, by: By = "both") -> Gathered:
        vector = None if by == "words" else await self._vector_of(question)
        return await self._near_words(collections, question if by != "meaning" else "", vector)

    async def _near_words(self, collections: Sequence[str], question: str, vector: Vector | None) -> Gathered:
        """What the words of a question find, none where they shall not count, and what its meaning finds."""
        hits = await asyncio.to_thread(self._by_words, collections, question) if question else {}
        cosines = await asyncio.to_thread(self._near, collections, vector, list(hits))
        return Gathered(collections, question, vector, hits, cosines)

    def _by_words(self, collections: Sequence[str], question: str) -> dict[int, Hit]:
        """The best place of each chunk that holds words of the question, the best first."""
        terms = terms_of(question)
        hits = [hit for name in collections for hit in self.shelf.find_words(name, terms, CANDIDATES)]
        best: dict[int, Hit] = {}
        for hit in sorted(hits, key=lambda hit: -hit.score):
            best.setdefault(hit.chunk, hit)
        return best

    async def _vector_of(self, question: str) -> Vector | None:
        """The meaning of a question; None without an embedder, or when it fails."""
        if self.embedder is None:
            return None
        with suppress(TimeoutError, OssianError):
            async with asyncio.timeout(QUESTION_SECONDS):
                (vector,) = await self.embedder.embed([question])
                return unit(numpy.asarray(vector, numpy.float32))
        return None

    def _near(self, collections: Sequence[str], vector: Vector | None, chunks: Sequence[int]) -> dict[int, float]:
        """Cosines of the nearest chunks, and of those given that have a vector."""
        if vector is None or self.embedder is None:
            return {}
        name = self.embedder.name
        found = [self.shelf.find_meaning(each, name, vector, CANDIDATES, chunks) for each in collections]
        return {chunk: score for each in found for chunk, score in each.items()}

    async def _closeness(self, gathered: Gathered) -> Closeness:
        """How near the question came to the best of what is there."""
        terms = terms_of(gathered.question)
        places = [hit.place for hit in gathered.hits.values()][:COVERING_PLACES]
        covered = [await asyncio.to_thread(self.shelf.cover, name, terms, places) for name in gathered.collections]
        most = max((share for each in covered for share in each.values()), default=0.0)
        return Closeness(max(gathered.cosines.values(), default=None), most)

    async def _embed_late(self, gathered: Gathered) -> None:
        """Give the best by words the vectors they lack, a few at a time, until the time is over.

        Each few are kept, and count, as soon as they are there.
        """
        if gathered.vector is None or self.embedder is None:
            return
        chunks = [chunk for chunk in gathered.hits if chunk not in gathered.cosines][: self.late_candidates]
        texts = await asyncio.to_thread(self.shelf.texts_of, chunks)
        chunks = [chunk for chunk in chunks if chunk in texts]  # a file may have gone since
        with suppress(TimeoutError, OssianError):
            async with asyncio.timeout(self.late_seconds):
                for start in range(0, len(chunks), LATE_BATCH):
                    batch = {chunk: texts[chunk] for chunk in chunks[start : start + LATE_BATCH]}
                    vectors = unit(numpy.asarray(await self.embedder.embed(list(batch.values())), numpy.float32))
                    found = map(float, vectors @ gathered.vector)
                    gathered.cosines.update(zip(batch, found, strict=True))
                    kept = dict(zip(batch.values(), vectors.tolist(), strict=True))
                    await asyncio.to_thread(self.shelf.keep_vectors, self.embedder.name, kept)

    def _rank(self, gathered: Gathered) -> Candidates:
        """All candidates in order."""
        defined = self._find_definitions(gathered.collections, gathered.question)
        shares = share_definitions({name: [hit.chunk for hit in found] for name, found in defined.items()})
        places = {hit.chunk: hit.place for found in defined.values() for hit in found}
        places |= {chunk: hit.place for chunk, hit in gathered.hits.items()}
        for name in gathered.collections:
            unplaced = [chunk for chunk in gathered.cosines if chunk not in places]
            places |= self.shelf.places_of(name, unplaced)
        placed = self.shelf.placed(places.values())
        candidates = [
            make_candidate(chunk, place, placed[place], gathered, shares.get(chunk, 0.0))
            for chunk, place in places.items()
            if place in placed  # a file may have gone since
        ]
        weight = MEANING_WEIGHT_OF_NAMES if names_something(gathered.question) else MEANING_WEIGHT
        return Candidates(rank(candidates, weight), placed, tell_meaning(candidates))

    def _find_definitions(self, collections: Sequence[str], question: str) -> dict[str, list[Hit]]:
        """The definitions of what the question names, over all collections together."""
        found: dict[str, list[Hit]] = {}
        for collection in collections:
            for name, hits in self.shelf.find_definitions(collection, names_in(question)).items():
                found[name] = found.get(name, []) + hits
        return {name: hits for name, hits in found.items() if len(hits) <= MOST_DEFINITIONS}


def make_candidate(chunk: int, place: int, placed: Placed, gathered: Gathered, defines: float) -> Candidate:
    hit = gathered.hits.get(chunk)
    document = (placed.collection, placed.path)
    meaning = gathered.cosines.get(chunk)
    score = hit.score if hit else 0.0
    return Candidate(chunk, place, document, placed.position, score, meaning, defines, placed.page)


def tell_meaning(candidates: Sequence[Candidate]) -> Meaning:
    known = sum(each.meaning is not None for each in candidates)
    return "none" if known == 0 else "all" if known == len(candidates) else "some"


def write_passage(stretch: Sequence[Ranked], placed: Mapping[int, Placed]) -> Passage:
    """Neighbouring chunks as one passage, in the order of the file."""
    parts = [placed[each.candidate.place] for each in stretch]
    first = parts[0]
    last_line = max(part.last_line for part in parts)
    score = max(each.score for each in stretch)
    text = join_texts(parts)
    return Passage(first.collection, first.path, first.first_line, last_line, first.page, score, text, first.digest)


def join_texts(parts: Sequence[Placed]) -> str:
    """Texts one behind the other, without the lines that the next has in common with the one before."""
    text, last_line = parts[0].text.rstrip("\n"), parts[0].last_line
    for part in parts[1:]:
        shared = last_line - part.first_line + 1
        lines = part.text.rstrip("\n").split("\n")
        text += "\n" + "\n".join(lines[shared:] if 0 < shared < len(lines) else lines)
        last_line = part.last_line
    return text

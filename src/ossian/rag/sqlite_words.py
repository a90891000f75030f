"""Find places by words in SQLite's full-text index, and bound what one question may cost there."""

import math
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from ossian.rag.store import Hit

MOST_ROWS = 25_000  # that the words of a question may touch: common words beside rare ones are left out
FEW_PLACES = 20_000  # in so small a collection no word is common
SAMPLES, SPAN = 8, 512  # stretches of places in which words are counted
MOST_COUNTS = 10_000  # that are remembered

Spans = tuple[tuple[int, int], ...]

FIRST_AND_LAST = "SELECT (SELECT min(id) FROM {words}_docsize), (SELECT max(id) FROM {words}_docsize)"
FIND = """
SELECT places.chunk, places.number, -found.rank FROM (
    SELECT rowid, rank FROM {words} WHERE {words} MATCH ? ORDER BY rank LIMIT ?
) AS found JOIN places ON places.number = found.rowid ORDER BY found.rank
"""


class Counts:
    """In how many places words stood lately: a question asks it twice, and common words come again and again."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, Spans, str], float] = {}

    def find(self, words: str, spans: Spans, term: str) -> float | None:
        return self._known.get((words, spans, term))

    def keep(self, words: str, spans: Spans, term: str, count: float) -> None:
        if len(self._known) >= MOST_COUNTS:
            self._known = {}
        self._known[words, spans, term] = count


def find_words(file: sqlite3.Connection, words: str, terms: Sequence[str], count: int, counts: Counts) -> list[Hit]:
    """The places that hold any of these words, the best first."""
    kept = rare_terms(file, words, terms, counts)
    if not kept:
        return []
    rows = file.execute(FIND.format(words=words), (any_of(kept), count))
    return [Hit(*row) for row in rows]


def rare_terms(file: sqlite3.Connection, words: str, terms: Sequence[str], counts: Counts) -> list[str]:
    """The rarest of the terms, as many as the bound on rows lets through; always one that occurs."""
    kept: list[str] = []
    rows = 0.0
    counted = Counted.of(file, words, counts)
    if counted.whole:
        return list(terms)
    for expected, term in sorted((counted.count(file, term), term) for term in terms):
        rows += expected
        if rows > MOST_ROWS and expected and kept:
            break
        kept.append(term)
    return kept


def cover(
    file: sqlite3.Connection, words: str, terms: Sequence[str], places: Iterable[int], counts: Counts
) -> dict[int, float]:
    """How much of the terms stands at each place, each weighing as much as it is rare."""
    counted = Counted.of(file, words, counts)
    weights = {term: counted.rarity(file, term) for term in terms}
    whole = sum(weights.values()) or 1.0
    query = f"SELECT 1 FROM {words} WHERE {words} MATCH ? AND rowid = ?"
    return {
        place: sum(
            weight for term, weight in weights.items() if file.execute(query, (any_of([term]), place)).fetchone()
        )
        / whole
        for place in places
    }


@dataclass(frozen=True, slots=True)
class Counted:
    """Counts the places of words: in a small collection all, in a large one those in a few stretches of it.

    whole: the stretches are all there is; total: of places, as far as is known
    """

    words: str
    spans: Spans
    share: float
    total: int
    counts: Counts

    @classmethod
    def of(cls, file: sqlite3.Connection, words: str, counts: Counts) -> Self:
        first, last = file.execute(FIRST_AND_LAST.format(words=words)).fetchone()
        if first is None or last - first < FEW_PLACES:
            return cls(words, ((first or 0, last or 0),), 1.0, 1 + (last or 0) - (first or 0), counts)
        spans = tuple((start, start + SPAN - 1) for start in range(first, last + 1, (last - first) // SAMPLES))
        return cls(words, spans, len(spans) * SPAN / (last - first), last - first, counts)

    @property
    def whole(self) -> bool:
        return self.share == 1.0

    def count(self, file: sqlite3.Connection, term: str) -> float:
        """In how many places a term stands."""
        if (known := self.counts.find(self.words, self.spans, term)) is not None:
            return known
        query = f"SELECT count(*) FROM {self.words} WHERE {self.words} MATCH ? AND rowid BETWEEN ? AND ?"
        found = sum(int(file.execute(query, (any_of([term]), *span)).fetchone()[0]) for span in self.spans)
        if not self.whole:  # a few places more or less mean nothing there
            self.counts.keep(self.words, self.spans, term, found / self.share)
        return found / self.share

    def rarity(self, file: sqlite3.Connection, term: str) -> float:
        """A word's weight: as BM25 has it."""
        count = self.count(file, term)
        return math.log(1 + max(0.0, self.total - count + 0.5) / (count + 0.5))


def any_of(terms: Sequence[str]) -> str:
    return " OR ".join(f'"{term}"' for term in terms)

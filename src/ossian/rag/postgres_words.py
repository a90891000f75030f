"""Find places by words in PostgreSQL, ranked by BM25. Knows no files and no vectors.

PostgreSQL's own ranks are not BM25: they know nothing of how rare a word is. So each place has its words as a
`tsvector` that is made here (its parser cuts names and addresses up differently), each word with the number of its
collection before it, so that one index serves every collection. `ts_rank_cd` of a single word is the sum of the
weights of where it stands: the frequency in BM25's formula. How many places hold a word is counted in the index.
"""

import math
import threading
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Self

from ossian.rag.postgres_file import Connection
from ossian.rag.store import Hit
from ossian.rag.words import LONGEST_WORD, WORD

MOST_ROWS = 25_000  # that the words of a question may touch: common words beside rare ones are left out
K1, B = 1.2, 0.75  # of BM25, as SQLite has them
LEAST_ODDS = 1 + 1e-6  # of a word that half of all places hold, as SQLite has it
CONTEXT_WEIGHT = 0.4  # of a word in a chunk's context against one in its text
LAST_POSITION = 16_383  # that a tsvector holds
MOST_WORDS = 2_000  # different ones of a chunk: a tsvector takes no more than a megabyte
REMEMBERED_STEMS = 1 << 17
FIRST_MARK, LAST_MARK = "\u0300", "\u036f"

STEMS = """
SELECT word, coalesce((ts_lexize('ossian.porter', word))[1], word) FROM unnest(%s::text[]) AS word WHERE word <> ''
"""
TOTALS = "SELECT coalesce(sum(chunks), 0)::bigint, coalesce(sum(words), 0)::bigint FROM files WHERE collection = %s"
COUNT = "SELECT count(*) FROM places WHERE words @@ %s::text::tsquery"
# Materialized, because else the frequency is computed twice and whole rows are sorted.
FIND = """
WITH found AS MATERIALIZED (
    SELECT places.chunk, places.number, rarity, 1 - %(b)s + %(b)s * length / %(average)s AS fullness,
        ts_rank_cd(%(weights)s::real[], words, term::tsquery)::double precision AS frequency
    FROM unnest(%(terms)s::text[], %(rarities)s::double precision[]) AS asked (term, rarity)
    JOIN places ON words @@ term::tsquery
)
SELECT max(chunk), number, sum(rarity * frequency * (%(k1)s + 1) / (frequency + %(k1)s * fullness)) AS score
FROM found GROUP BY number ORDER BY score DESC, number LIMIT %(count)s
"""
COVER = """
SELECT number, rarity FROM unnest(%s::text[], %s::double precision[]) AS asked (term, rarity)
JOIN places ON words @@ term::tsquery WHERE number = ANY(%s)
"""


class Stems:
    """Words without their endings, as PostgreSQL's Porter stemmer cuts them; remembered, because texts repeat them."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}
        self._turn = threading.Lock()

    def of(self, file: Connection, words: Iterable[str]) -> dict[str, str]:
        """The stem of each word."""
        known, wanted = self._known, set(words)
        unknown = [word for word in wanted if word not in known]
        found: dict[str, str] = dict(file.execute(STEMS, (unknown,)).fetchall()) if unknown else {}
        stems = {word: found.get(word) or known.get(word, word) for word in wanted}
        with self._turn:
            if len(known) + len(found) > REMEMBERED_STEMS:
                self._known = known = {}
            known.update(found)
        return stems


@dataclass(frozen=True, slots=True)
class Asked:
    """The words of a question, as they stand in the index, with how many places hold each."""

    terms: tuple[str, ...]
    counts: tuple[int, ...]
    places: int
    length: float

    @classmethod
    def of(cls, file: Connection, stems: Stems, collection: int, terms: Sequence[str]) -> Self:
        words = [words_in(term) for term in terms]
        stem = stems.of(file, (word for each in words for word in each))
        queries = [as_query(collection, [stem[word] for word in each]) for each in words if each]
        places, length = file.execute(TOTALS, (collection,)).fetchone() or (0, 0)
        counts = [int((file.execute(COUNT, (query,)).fetchone() or (0,))[0]) for query in queries]
        return cls(tuple(queries), tuple(counts), places, length / max(1, places) or 1.0)

    def rare(self) -> list[tuple[int, str]]:
        """The rarest of the terms that occur, as many as the bound on rows lets through; always one."""
        there = sorted((count, term) for count, term in zip(self.counts, self.terms, strict=True) if count)
        rows = 0
        kept: list[tuple[int, str]] = []
        for count, term in there:
            rows += count
            if rows > MOST_ROWS and kept:
                break
            kept.append((count, term))
        return kept

    def odds(self, count: int) -> float:
        """How much likelier it is that a place is without a word than with it."""
        return max(0.0, self.places - count + 0.5) / (count + 0.5)


def find_words(file: Connection, asked: Asked, count: int) -> list[Hit]:
    """The places that hold any of these words, the best first."""
    kept = asked.rare()
    bounds = {
        "terms": [term for _, term in kept],
        "rarities": [math.log(max(LEAST_ODDS, asked.odds(each))) for each, _ in kept],
        "weights": [CONTEXT_WEIGHT, 0.0, 0.0, 1.0],
        "average": asked.length,
        "k1": K1,
        "b": B,
        "count": count,
    }
    return [Hit(*row) for row in file.execute(FIND, bounds)] if kept else []


def cover(file: Connection, asked: Asked, places: Iterable[int]) -> dict[int, float]:
    """How much of the terms stands at each place, each weighing as much as it is rare."""
    rarities = [math.log(1 + asked.odds(count)) for count in asked.counts]
    whole = sum(rarities) or 1.0
    shares = dict.fromkeys(places, 0.0)
    for place, rarity in file.execute(COVER, (list(asked.terms), rarities, list(shares))):
        shares[place] += rarity / whole
    return shares


def words_in(text: str) -> list[str]:
    """The words of a text in small letters, without the marks on letters.

    >>> words_in("Él, naïve_café 한국")
    ['el', 'naive', 'cafe', '한국']
    """
    if not text.isascii():
        letters = unicodedata.normalize("NFD", text)
        text = unicodedata.normalize("NFC", "".join(one for one in letters if not FIRST_MARK <= one <= LAST_MARK))
    return [word for word in WORD.findall(text.lower()) if len(word) <= LONGEST_WORD]


def as_query(collection: int, stems: Sequence[str]) -> str:
    return " & ".join(f"'{collection}:{stem}'" for stem in stems)


def as_vector(collection: int, text: Sequence[str], context: Sequence[str]) -> str:
    """Stems of a chunk's text and context as PostgreSQL reads a tsvector.

    >>> as_vector(7, ["puffin", "nest", "puffin"], ["island"])
    "'7:puffin':1A,3A '7:nest':2A '7:island':4"
    """
    positions: dict[str, list[str]] = defaultdict(list)
    weighted = [(stem, "A") for stem in text] + [(stem, "") for stem in context]
    for position, (stem, weight) in enumerate(weighted[:LAST_POSITION], 1):
        positions[stem].append(f"{position}{weight}")
    kept = islice(positions.items(), MOST_WORDS)
    return " ".join(f"'{collection}:{stem}':{','.join(where)}" for stem, where in kept)

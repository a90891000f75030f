"""Find places by words in SQLite's full-text index, and bound what one question may cost there."""

import sqlite3
from collections.abc import Sequence

from ossian.rag.store import Hit

MOST_ROWS = 40_000  # that the words of a question may touch: common words beside rare ones are left out
FEW_PLACES = 20_000  # in so small a collection no word is common
SAMPLES, SPAN = 8, 512  # stretches of places in which words are counted

FIND = """
SELECT places.chunk, places.number, -found.rank FROM (
    SELECT rowid, rank FROM {words} WHERE {words} MATCH ? ORDER BY rank LIMIT ?
) AS found JOIN places ON places.number = found.rowid ORDER BY found.rank
"""


def find_words(file: sqlite3.Connection, words: str, terms: Sequence[str], count: int) -> list[Hit]:
    """The places that hold any of these words, the best first."""
    kept = rare_terms(file, words, terms)
    if not kept:
        return []
    rows = file.execute(FIND.format(words=words), (any_of(kept), count))
    return [Hit(*row) for row in rows]


def rare_terms(file: sqlite3.Connection, words: str, terms: Sequence[str]) -> list[str]:
    """The rarest of the terms, as many as the bound on rows lets through; always one that occurs."""
    (first, last) = file.execute(
        f"SELECT (SELECT min(id) FROM {words}_docsize), (SELECT max(id) FROM {words}_docsize)"
    ).fetchone()
    if first is None or last - first < FEW_PLACES:
        return list(terms)
    spans = [(start, start + SPAN - 1) for start in range(first, last + 1, (last - first) // SAMPLES)]
    share = len(spans) * SPAN / (last - first)
    counted = sorted((count_in(file, words, term, spans) / share, term) for term in terms)
    kept: list[str] = []
    rows = 0.0
    for expected, term in counted:
        rows += expected
        if rows > MOST_ROWS and expected and kept:
            break
        kept.append(term)
    return kept


def count_in(file: sqlite3.Connection, words: str, term: str, spans: Sequence[tuple[int, int]]) -> int:
    """In how many places of these spans a term stands."""
    query = f"SELECT count(*) FROM {words} WHERE {words} MATCH ? AND rowid BETWEEN ? AND ?"
    return sum(int(file.execute(query, (any_of([term]), *span)).fetchone()[0]) for span in spans)


def any_of(terms: Sequence[str]) -> str:
    return " OR ".join(f'"{term}"' for term in terms)

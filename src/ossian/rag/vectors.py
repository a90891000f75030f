"""Nearest vectors in memory: all of them looked at, or, where they are many, those in the nearest lists.

Vectors are one long, so that a product is a cosine. Keys are numbers of chunks. Knows no files.
"""

from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy
from numpy.typing import NDArray

Keys = NDArray[numpy.int64]
Floats = NDArray[numpy.float32]
Halves = NDArray[numpy.float16]
Array = TypeVar("Array", Floats, Keys)

LISTS_FROM = 300_000  # vectors: below that all are looked at
FIRST_ROWS = 1_024
GONE = -1  # key of a vector that was taken out
SAMPLE_OF_A_LIST = 32  # vectors a list, from which the lists' middles are learnt
ROUNDS = 4
PROBED_LISTS = 32
ROWS_AT_ONCE = 16_384
STALE_SHARE = 0.2  # of vectors that came or went since the lists were made


class Exact:
    """Vectors in one growing matrix, all looked at."""

    def __init__(self, keys: Keys, rows: Floats) -> None:
        self._rows, self._keys = rows, keys
        self._row_of: dict[int, int] = {key: row for row, key in enumerate(keys.tolist())}

    def __len__(self) -> int:
        return len(self._row_of)

    def __contains__(self, key: int) -> bool:
        return key in self._row_of

    def add(self, keys: Sequence[int], vectors: Floats) -> None:
        """Put vectors in, each under a key of its own; one that is known is replaced."""
        self._grow(len(self) + len(keys))
        for key, vector in zip(keys, vectors, strict=True):
            row = self._row_of.setdefault(key, len(self._row_of))
            self._rows[row], self._keys[row] = vector, key

    def remove(self, keys: Iterable[int]) -> None:
        """Take vectors out; the last one takes the place of each. Unknown keys are none of our business."""
        for key in keys:
            row = self._row_of.pop(key, None)
            last = len(self._row_of)
            if row is not None and row != last:
                self._rows[row], self._keys[row] = self._rows[last], self._keys[last]
                self._row_of[int(self._keys[row])] = row

    def nearest(self, question: Floats, count: int) -> dict[int, float]:
        return best(self._keys[: len(self)], self._rows[: len(self)] @ question, count)

    def cosines(self, question: Floats, keys: Iterable[int]) -> dict[int, float]:
        """The cosines of those that are known."""
        known = [key for key in keys if key in self._row_of]
        if not known:
            return {}
        found = self._rows[[self._row_of[key] for key in known]] @ question
        return dict(zip(known, map(float, found), strict=True))

    def rows(self) -> tuple[Keys, Floats]:
        """All that is in it."""
        return self._keys[: len(self)], self._rows[: len(self)]

    def _grow(self, count: int) -> None:
        if count > len(self._rows):
            size = max(count, FIRST_ROWS, 2 * len(self._rows))
            self._rows, self._keys = stretched(self._rows, size), stretched(self._keys, size)


class Lists:
    """Many vectors as half floats, in lists around middles; only the lists nearest a question are looked at."""

    def __init__(self, keys: Keys, rows: Halves) -> None:
        middles = find_middles(rows, count=round(len(rows) ** 0.5))
        lists = nearest_middles(rows, middles)
        order = numpy.argsort(lists, kind="stable")
        self._middles = middles
        self._starts = numpy.searchsorted(lists[order], numpy.arange(len(middles) + 1))
        self._keys, self._rows = keys[order], rows[order]
        self._by_key = numpy.argsort(self._keys, kind="stable")
        self._sorted_keys = self._keys[self._by_key]
        self.gone = 0

    def __len__(self) -> int:
        return len(self._keys) - self.gone

    def remove(self, keys: Iterable[int]) -> None:
        for row in self._find_rows(keys).values():
            self._keys[row] = GONE
            self.gone += 1

    def nearest(self, question: Floats, count: int) -> dict[int, float]:
        """The nearest of those in the nearest lists: nearly always, but not for certain, the nearest of all."""
        near = self._middles @ question
        probed = (
            numpy.argpartition(-near, PROBED_LISTS)[:PROBED_LISTS] if len(near) > PROBED_LISTS else range(len(near))
        )
        spans = [slice(self._starts[one], self._starts[one + 1]) for one in probed]
        cosines = [self._rows[span].astype(numpy.float32) @ question for span in spans]
        return best(numpy.concatenate([self._keys[span] for span in spans]), numpy.concatenate(cosines), count)

    def cosines(self, question: Floats, keys: Iterable[int]) -> dict[int, float]:
        """The cosines of those that are known."""
        rows = self._find_rows(keys)
        if not rows:
            return {}
        found = self._rows[list(rows.values())].astype(numpy.float32) @ question
        return dict(zip(rows, map(float, found), strict=True))

    def rows(self) -> tuple[Keys, Halves]:
        """All that is still in it."""
        there = self._keys != GONE
        return self._keys[there], self._rows[there]

    def _find_rows(self, keys: Iterable[int]) -> dict[int, int]:
        wanted = numpy.fromiter(keys, numpy.int64)
        at = numpy.minimum(numpy.searchsorted(self._sorted_keys, wanted), len(self._sorted_keys) - 1)
        rows = self._by_key[at]
        return {int(key): int(row) for key, row in zip(wanted, rows, strict=True) if self._keys[row] == key}


class Vectors:
    """All vectors of a collection: in lists, if they are asked for, and what came since beside them."""

    def __init__(self, keys: Keys, rows: Halves, *, in_lists: bool = False) -> None:
        self.width = rows.shape[1]
        self._lists = Lists(keys, rows) if in_lists else None
        beside = 0 if in_lists else len(rows)
        self._recent = Exact(keys[:beside].copy(), rows[:beside].astype(numpy.float32))

    def __len__(self) -> int:
        return len(self._recent) + (len(self._lists) if self._lists else 0)

    def replace(self, gone: Iterable[int], keys: Sequence[int], vectors: Floats) -> None:
        """Take vectors out and put others in."""
        gone = [*gone, *keys]
        self._recent.remove(gone)
        if self._lists:
            self._lists.remove(gone)
        self._recent.add(keys, vectors)

    def nearest(self, question: Floats, count: int) -> dict[int, float]:
        """The nearest with their cosines, the best first."""
        found = self._recent.nearest(question, count) | (self._lists.nearest(question, count) if self._lists else {})
        return dict(sorted(found.items(), key=lambda pair: -pair[1])[:count])

    def cosines(self, question: Floats, keys: Iterable[int]) -> dict[int, float]:
        """The cosines of those that are known."""
        keys = list(keys)
        return self._recent.cosines(question, keys) | (self._lists.cosines(question, keys) if self._lists else {})

    def wants_lists(self, lists_from: int = LISTS_FROM) -> bool:
        """Whether there are so many, or so many came or went, that lists are to be made (anew)."""
        moved = len(self._recent) + (self._lists.gone if self._lists else 0)
        return len(self) >= lists_from and moved > STALE_SHARE * len(self)

    def rows(self) -> tuple[Keys, Halves]:
        """All there are: a copy, from which others can be made while these serve."""
        keys, rows = self._recent.rows()
        halves = rows.astype(numpy.float16)
        if self._lists is None:
            return keys.copy(), halves
        older_keys, older = self._lists.rows()
        return numpy.concatenate([older_keys, keys]), numpy.concatenate([older, halves])


def best(keys: Keys, scores: Floats, count: int) -> dict[int, float]:
    """The highest scores with their keys, the best first."""
    scores = numpy.where(keys == GONE, -numpy.inf, scores)
    few = numpy.argpartition(-scores, count)[:count] if len(scores) > count else numpy.arange(len(scores))
    order = few[numpy.argsort(-scores[few], kind="stable")]
    return {int(keys[row]): float(scores[row]) for row in order if keys[row] != GONE}


def find_middles(rows: Halves, count: int) -> Floats:
    """Middles of lists, learnt from a sample: each becomes the mean direction of what is nearest to it."""
    chance = numpy.random.default_rng(0)
    sample = rows[chance.permutation(len(rows))[: SAMPLE_OF_A_LIST * count]].astype(numpy.float32)
    middles = sample[:count].copy()
    for _ in range(ROUNDS):
        lists = nearest_middles(sample, middles)
        order = numpy.argsort(lists, kind="stable")
        present, starts = numpy.unique(lists[order], return_index=True)
        middles[present] = unit(numpy.add.reduceat(sample[order], starts, axis=0))
    return middles


def nearest_middles(rows: Halves | Floats, middles: Floats) -> Keys:
    """For each vector the number of its nearest middle."""
    parts = [rows[start : start + ROWS_AT_ONCE] for start in range(0, len(rows), ROWS_AT_ONCE)]
    return numpy.concatenate([numpy.argmax(part.astype(numpy.float32) @ middles.T, axis=1) for part in parts])


def unit(vectors: Floats) -> Floats:
    """Vectors made one long; one without a length stays as it is."""
    lengths = numpy.linalg.norm(vectors, axis=-1, keepdims=True)
    return numpy.divide(vectors, numpy.where(lengths > 0, lengths, 1), dtype=numpy.float32)


def stretched(array: Array, size: int) -> Array:
    longer = numpy.empty((size, *array.shape[1:]), array.dtype)
    longer[: len(array)] = array
    return longer

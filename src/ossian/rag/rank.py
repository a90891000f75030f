"""Put candidates in order: words and meaning on one scale, definitions first, documents that fit as a whole. Pure.

The weights were chosen on a collection of questions about code (docs/log.md says which, and what they gain elsewhere).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy
from numpy.typing import NDArray

MEANING_WEIGHT = 0.6
MEANING_WEIGHT_OF_NAMES = 0.4  # where a question names something in code
DEFINITION_BOOST = 0.7  # for the one place that defines a name; shared where there are several
DOCUMENT_WEIGHT = 0.3
LONGEST_PASSAGE = 4  # chunks
LEAST_WORDS, LEAST_MEANING, LEAST = 0.5, 0.02, 0.1  # deviations: of BM25, of cosines, of both together

Scores = NDArray[numpy.float64]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A chunk that may answer. `words` is 0 where no word fits, `meaning` a cosine, None where there is no vector.

    defines: 1 for the only place that defines a name in the question, less where others do as well
    """

    chunk: int
    place: int
    document: tuple[str, str]
    position: int
    words: float = 0.0
    meaning: float | None = None
    defines: float = 0.0
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate with its score, which compares with scores for the same question only."""

    candidate: Candidate
    score: float


def rank(candidates: Sequence[Candidate], meaning_weight: float) -> list[Ranked]:
    """The best first."""
    if not candidates:
        return []
    own = fuse(candidates, meaning_weight)
    documents = of_documents(candidates, own)
    scores = (1 - DOCUMENT_WEIGHT) * standard(own, LEAST) + DOCUMENT_WEIGHT * standard(documents, LEAST)
    order = numpy.argsort(-scores, kind="stable")
    return [Ranked(candidates[place], float(scores[place])) for place in order]


def fuse(candidates: Sequence[Candidate], meaning_weight: float) -> Scores:
    """Words and meaning, each in deviations from the mean of the candidates; without any meaning, words alone."""
    words = standard(numpy.array([each.words for each in candidates]), LEAST_WORDS)
    meaning = numpy.array([numpy.nan if each.meaning is None else each.meaning for each in candidates])
    boost = DEFINITION_BOOST * numpy.array([each.defines for each in candidates])
    if numpy.isnan(meaning).all():
        return words + boost
    return (1 - meaning_weight) * words + meaning_weight * standard(meaning, LEAST_MEANING) + boost


def standard(scores: Scores, least: float) -> Scores:
    """Scores as deviations from their mean; one that is unknown counts as the mean.

    least: the smallest deviation that means anything: among few candidates chance alone would make the least
    difference a large one

    >>> standard(numpy.array([1.0, 3.0, numpy.nan]), 0.5).tolist()
    [-1.0, 1.0, 0.0]
    """
    known = scores[~numpy.isnan(scores)]
    spread = max(least, float(known.std()))
    deviations: Scores = numpy.nan_to_num((scores - known.mean()) / spread)
    return deviations


def of_documents(candidates: Sequence[Candidate], scores: Scores) -> Scores:
    """For each candidate the mean score of all candidates from its document."""
    members = defaultdict(list)
    for place, each in enumerate(candidates):
        members[each.document].append(place)
    means = {document: float(scores[places].mean()) for document, places in members.items()}
    return numpy.array([means[each.document] for each in candidates])


def share_definitions(defined: Mapping[str, Sequence[int]]) -> dict[int, float]:
    """How much each chunk counts as the definition of names, from the chunks that define each name.

    >>> share_definitions({"poll": [1], "new": [1, 2, 3, 4]})
    {1: 1.5, 2: 0.5, 3: 0.5, 4: 0.5}
    """
    shares: dict[int, float] = defaultdict(float)
    for chunks in defined.values():
        for chunk in set(chunks):
            shares[chunk] += len(set(chunks)) ** -0.5
    return dict(shares)


def join_neighbours(ranked: Sequence[Ranked], count: int) -> list[list[Ranked]]:
    """The best so many stretches: chunks next to each other in a document are one, placed where its best stands."""
    stretches: list[list[Ranked]] = []
    for each in ranked:
        beside = [stretch for stretch in stretches if touches(stretch, each.candidate)]
        if beside and sum(map(len, beside)) < LONGEST_PASSAGE:
            first, *others = beside
            first += [each, *(one for other in others for one in other)]
            first.sort(key=lambda one: one.candidate.position)
            stretches = [stretch for stretch in stretches if all(stretch is not other for other in others)]
        elif len(stretches) < count:
            stretches.append([each])
        else:
            break
    return stretches


def touches(stretch: Sequence[Ranked], candidate: Candidate) -> bool:
    first, last = stretch[0].candidate, stretch[-1].candidate
    same = (first.document, first.page) == (candidate.document, candidate.page)  # a citation names one page
    return same and first.position - 1 <= candidate.position <= last.position + 1

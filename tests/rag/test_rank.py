"""The order of candidates, and neighbours that become one passage."""

import numpy
import pytest

from ossian.rag.rank import Candidate, Ranked, join_neighbours, rank, share_definitions, standard


def candidate(
    chunk: int,
    words: float = 0.0,
    meaning: float | None = None,
    *,
    file: str | None = None,
    position: int = 0,
    defines: float = 0.0,
) -> Candidate:
    return Candidate(chunk, chunk, ("c", file or f"{chunk}.md"), position, words, meaning, defines)


def order(*candidates: Candidate, weight: float = 0.5) -> list[int]:
    return [each.candidate.chunk for each in rank(candidates, weight)]


def test_nothing_is_ranked_as_nothing() -> None:
    assert rank([], 0.5) == []


def test_without_any_meaning_words_alone_decide() -> None:
    assert order(candidate(1, 2.0), candidate(2, 5.0), candidate(3)) == [2, 1, 3]


def test_what_both_find_comes_before_what_one_finds() -> None:
    assert order(candidate(1, 9.0, 0.1), candidate(2, 8.0, 0.7), candidate(3, 0.0, 0.8), candidate(4, 1.0, 0.1))[0] == 2


def test_the_weight_decides_between_words_and_meaning() -> None:
    by_words, by_meaning = candidate(1, 9.0, 0.1), candidate(2, 1.0, 0.8)
    assert order(by_words, by_meaning, weight=0.4) == [1, 2]
    assert order(by_words, by_meaning, weight=0.6) == [2, 1]


def test_scales_do_not_matter_but_distances_do() -> None:
    scores = standard(numpy.array([1.0, 2.0, 9.0]), 0.5)
    assert numpy.allclose(scores, standard(numpy.array([10.0, 20.0, 90.0]), 0.5))
    assert scores.mean() == pytest.approx(0) and scores.std() == pytest.approx(1)


def test_a_difference_that_is_next_to_nothing_decides_nothing() -> None:
    alike = [candidate(number, 3.0 + 0.001 * number, 0.5) for number in range(5)]
    assert order(*alike, candidate(9, 3.0, 0.6))[0] == 9


def test_a_candidate_without_a_vector_is_neither_better_nor_worse_by_meaning() -> None:
    assert order(candidate(1, 1.0, 0.9), candidate(2, 1.0), candidate(3, 1.0, 0.1)) == [1, 2, 3]


def test_equal_candidates_keep_their_order_and_have_no_infinite_scores() -> None:
    ranked = rank([candidate(1, 3.0, 0.5), candidate(2, 3.0, 0.5)], 0.5)
    assert [(each.candidate.chunk, each.score) for each in ranked] == [(1, 0.0), (2, 0.0)]


def test_the_definition_of_a_name_comes_before_its_uses() -> None:
    uses = [candidate(number, 5.0) for number in range(3)]
    assert order(*uses, candidate(9, 4.6, defines=1.0), candidate(10, 1.0), candidate(11, 1.0))[0] == 9


def test_a_name_defined_in_many_places_says_little_about_each() -> None:
    assert share_definitions({"main": range(16), "poll": [3]}) == {
        number: 1.25 if number == 3 else 0.25 for number in range(16)
    }
    assert share_definitions({}) == {}


def test_a_document_that_fits_as_a_whole_lifts_its_chunks() -> None:
    rest = [candidate(number, 1.0) for number in range(5, 8)]
    fitting = [candidate(1, 4.0, file="a.md"), candidate(2, 5.0, file="a.md", position=5)]
    assert order(candidate(3, 4.1, file="b.md"), candidate(4, 0.5, file="b.md", position=9), *fitting, *rest)[:3] == [
        2,
        1,
        3,
    ]


def ranked(*positions: int, file: str = "a.md") -> list[Ranked]:
    return [
        Ranked(candidate(place, file=file, position=place), 1.0 / (1 + order)) for order, place in enumerate(positions)
    ]


def positions(stretches: list[list[Ranked]]) -> list[list[int]]:
    return [[each.candidate.position for each in stretch] for stretch in stretches]


@pytest.mark.parametrize(
    ("found", "joined"),
    [
        pytest.param([3, 9, 6], [[3], [9], [6]], id="apart"),
        pytest.param([3, 9, 4], [[3, 4], [9]], id="the next one"),
        pytest.param([3, 9, 2], [[2, 3], [9]], id="the one before"),
        pytest.param([3, 5, 4], [[3, 4, 5]], id="one that joins two"),
        pytest.param([1, 2, 3, 4, 5], [[1, 2, 3, 4], [5]], id="not without end"),
    ],
)
def test_neighbours_are_one_passage_where_the_best_of_them_stands(found: list[int], joined: list[list[int]]) -> None:
    assert positions(join_neighbours(ranked(*found), 10)) == joined


def test_the_same_positions_of_different_files_are_not_neighbours() -> None:
    assert positions(join_neighbours([*ranked(3), *ranked(4, file="b.md")], 10)) == [[3], [4]]


def test_no_more_passages_are_given_than_were_asked_for() -> None:
    assert positions(join_neighbours(ranked(1, 5, 2, 9), 2)) == [[1, 2], [5]]

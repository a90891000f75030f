"""The figures of a search: pass@k, nDCG@10, MRR, and the intervals around them."""

import math

import numpy
import pytest

from ossian.rag.measure import Figure, figure, measure, score, write_table


@pytest.mark.parametrize(
    ("found", "right", "scores"),
    [
        pytest.param(["a"], {"a"}, [1, 1, 1, 1, 1], id="found first"),
        pytest.param(["x", "a"], {"a"}, [1, 1, 1, 1 / math.log2(3), 0.5], id="found second"),
        pytest.param([*"uvwxyz", "a"], {"a"}, [0, 1, 1, 1 / 3, 1 / 7], id="found seventh"),
        pytest.param(["a", *"uvwxyz"], {"a", "b"}, [0.5, 0.5, 0.5, 1 / (1 + 1 / math.log2(3)), 1], id="one of two"),
        pytest.param(["x"], {"a"}, [0, 0, 0, 0, 0], id="not found"),
        pytest.param([], {"a"}, [0, 0, 0, 0, 0], id="nothing found"),
    ],
)
def test_one_question_is_scored(found: list[str], right: set[str], scores: list[float]) -> None:
    assert score(found, right) == pytest.approx(scores)


def test_a_mean_stands_in_its_interval_and_the_interval_repeats() -> None:
    values = numpy.array([0.0, 1.0] * 50)
    half = figure(values)
    assert half == figure(values)
    assert half.mean == 50 and 35 < half.low < 45 and 55 < half.high < 65


def test_equal_values_leave_nothing_to_chance() -> None:
    assert figure(numpy.ones(20)) == Figure(100, 100, 100)


def test_ways_of_searching_stand_one_under_the_other() -> None:
    words = measure([["a"], ["b"]], [{"a"}, {"b"}])
    assert write_table({"words": words}).splitlines() == [
        "| | pass@5 | pass@10 | pass@20 | nDCG@10 | MRR |",
        "|---|---|---|---|---|---|",
        "| words | 100.0 [100.0, 100.0] | 100.0 [100.0, 100.0] | 100.0 [100.0, 100.0] "
        "| 100.0 [100.0, 100.0] | 100.0 [100.0, 100.0] |",
    ]

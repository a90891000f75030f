"""Stop strings, however the text is cut into pieces; and loops, of however many tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ossian.engines.stops import LONGEST_PERIOD, LOOP_TOKENS, MOST_REPEATS, LoopGuard, StopCutter


@pytest.mark.parametrize(
    ("stops", "text", "shown"),
    [
        pytest.param(["END"], "one END two", "one ", id="in the middle"),
        pytest.param(["END"], "one EN", "one EN", id="only its beginning"),
        pytest.param(["b", "a"], "xyab", "xy", id="the first of several"),
        pytest.param(["\n\n"], "a\n\nb", "a", id="blank line"),
        pytest.param([""], "all", "all", id="an empty stop stops nothing"),
        pytest.param([], "all", "all", id="none"),
    ],
)
def test_the_answer_ends_before_the_stop_string(stops: list[str], text: str, shown: str) -> None:
    cutter = StopCutter(stops)
    assert "".join(cutter.feed(letter) for letter in text) + cutter.finish() == shown


@given(st.text("abc", max_size=12), st.lists(st.text("abc", min_size=1, max_size=3), max_size=3), st.data())
def test_pieces_make_no_difference(text: str, stops: list[str], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(text)))
    whole, pieces = StopCutter(stops), StopCutter(stops)
    assert pieces.feed(text[:cut]) + pieces.feed(text[cut:]) + pieces.finish() == whole.feed(text) + whole.finish()


def tokens_until_loop(tokens: list[str]) -> int | None:
    """After how many tokens the guard cries out."""
    guard = LoopGuard()
    return next((number for number, token in enumerate(tokens, 1) if guard.is_loop(token)), None)


@pytest.mark.parametrize("period", [2, 3, 17, LONGEST_PERIOD])
def test_what_goes_round_in_circles_is_a_loop(period: int) -> None:
    before, circle = [f"word {number}" for number in range(100)], [f"step {number}" for number in range(period)]
    assert tokens_until_loop(before + circle * LOOP_TOKENS) == 100 + LOOP_TOKENS


def test_a_loop_is_told_with_what_it_only_said_again() -> None:
    guard = LoopGuard()
    for token in [*"abc" * LOOP_TOKENS]:
        if guard.is_loop(token):
            break
    assert guard.repeated == LOOP_TOKENS - 3


@pytest.mark.parametrize(
    "tokens",
    [
        pytest.param(["--"] * MOST_REPEATS, id="a row of dashes"),
        pytest.param([part for number in range(5_000) for part in (str(number), ", ")], id="numbers that count"),
        pytest.param(["I", " will", " not", " talk", " in", " class", ".\n"] * 100, id="a line a hundred times"),
        pytest.param(["|", *["-"] * 40, "|"] * (LOOP_TOKENS // 42), id="a table of dashes"),
        pytest.param([part for row in range(200) for part in (*["0", ","] * 15, str(row))], id="a matrix with titles"),
        pytest.param([f"{number}" for number in range(LONGEST_PERIOD + 1)] * 50, id="a page again and again"),
    ],
)
def test_what_people_ask_for_is_none(tokens: list[str]) -> None:
    assert tokens_until_loop(tokens) is None

"""Stop strings, however the text is cut into pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ossian.engines.stops import StopCutter


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

"""Whether a collection has anything to say to a question, by how near everyday questions come."""

import pytest

from ossian.rag.fit import Calibration, Closeness, Usual, calibrate

WITH_MEANING = Calibration(Usual(0.2, 0.05), Usual(0.3, 0.1))
WORDS_ALONE = Calibration(None, Usual(0.3, 0.1))


@pytest.mark.parametrize(
    ("calibration", "question", "fits"),
    [
        pytest.param(WITH_MEANING, Closeness(0.5, 0.9), True, id="near in both"),
        pytest.param(WITH_MEANING, Closeness(0.5, 0.3), True, id="other words, same meaning"),
        pytest.param(WITH_MEANING, Closeness(0.2, 0.5), False, id="a common word"),
        pytest.param(WITH_MEANING, Closeness(0.2, 0.3), False, id="as an everyday question"),
        pytest.param(WITH_MEANING, Closeness(None, 0.5), True, id="the embedder failed, words fit"),
        pytest.param(WORDS_ALONE, Closeness(None, 0.35), False, id="words alone, too few"),
        pytest.param(WORDS_ALONE, Closeness(0.9, 0.45), True, id="calibrated by words alone"),
    ],
)
def test_a_question_fits_when_it_comes_clearly_nearer(
    calibration: Calibration, question: Closeness, fits: bool
) -> None:
    assert calibration.fits(question) is fits


def test_what_is_usual_is_learnt_from_everyday_questions() -> None:
    everyday = [Closeness(0.1, 0.0), Closeness(0.3, 0.4)]
    assert calibrate(everyday) == Calibration(
        Usual(pytest.approx(0.2), pytest.approx(0.1)), Usual(pytest.approx(0.2), pytest.approx(0.2))
    )


def test_without_vectors_for_all_of_them_meaning_is_left_out() -> None:
    assert calibrate([Closeness(0.1, 0.2), Closeness(None, 0.2)]).cosine is None


def test_where_everyday_questions_find_nothing_at_all_the_spread_has_a_floor() -> None:
    assert calibrate([Closeness(None, 0.0)] * 3).covered == Usual(0.0, 0.02)

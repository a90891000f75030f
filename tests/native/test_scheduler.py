"""Who is read and who is written in each step."""

from collections.abc import Iterator

import pytest
from recital import Heard, Recital

from ossian.native.cache import PrefixCache
from ossian.native.jobs import Failed, Job, Progress
from ossian.native.sampler import Rules
from ossian.native.scheduler import Scheduler

TEXT = list(range(1000))


@pytest.fixture
def model() -> Recital:
    """It waits in its first step until it may go on, so that all callers are there by then."""
    model = Recital(TEXT)
    model.may_go_on.clear()
    return model


@pytest.fixture
def scheduler(model: Recital) -> Iterator[Scheduler]:
    yield from start(model, blocks=64)


@pytest.fixture
def small(model: Recital) -> Iterator[Scheduler]:
    """With a cache of 16 blocks, 1,024 tokens, which four answers share."""
    yield from start(model, blocks=16)


def start(model: Recital, blocks: int) -> Iterator[Scheduler]:
    cache = PrefixCache(model.shape, blocks, b"x")
    scheduler = Scheduler(model, cache, frozenset(), 1000, 4, guesses=False, clock=lambda: model.seconds)  # type: ignore[arg-type]
    yield scheduler
    scheduler.close()


def test_a_beginning_that_two_have_in_common_is_read_once(scheduler: Scheduler, model: Recital) -> None:
    heard = [Heard() for _ in range(3)]
    for number, each in enumerate(heard):
        scheduler.submit(Job([7] * 600 + [number] * 20, 3, Rules(temperature=0), each.put))
        assert model.begun.wait(60)
    model.may_go_on.set()
    for each in heard:
        assert [step.token for step in each.wait().written] == TEXT[620:623]
    assert sum(model.rows) < 620 + 2 * (620 - 576) + 3 * 3
    assert [each.end.cached for each in heard] == [0, 576, 576]


def test_rules_that_cannot_be_kept_end_their_own_answer_alone(
    scheduler: Scheduler, model: Recital, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = Heard(), Heard()
    job = Job([1] * 10, 5, Rules(temperature=0), bad.put)
    monkeypatch.setattr(job.sampler, "draw", lambda *_: 1 // 0)
    scheduler.submit(Job([0] * 10, 5, Rules(temperature=0), good.put))
    scheduler.submit(job)
    model.may_go_on.set()
    assert [step.token for step in good.wait().written] == TEXT[10:15]
    assert isinstance(bad.wait().steps[-1], Failed)


def test_who_fits_beside_others_does_not_wait_for_one_who_does_not(small: Scheduler, model: Recital) -> None:
    first, large, quick = write(small, model, (400, 500), (700, 100), (20, 3))
    assert first.place < large.place
    assert quick.place < first.place


def write(scheduler: Scheduler, model: Recital, *jobs: tuple[int, int]) -> list[Heard]:
    """Have answers written, each of (tokens of the prompt, tokens of the answer); the later ones come during a step.

    No two prompts begin alike, so that none finds in the cache what another has left there.
    """
    heard = [Heard() for _ in jobs]
    for number, ((prompt, most), each) in enumerate(zip(jobs, heard, strict=True)):
        scheduler.submit(Job([number] * prompt, most, Rules(temperature=0), each.put))
        assert model.begun.wait(60)
    model.may_go_on.set()
    for (prompt, most), each in zip(jobs, heard, strict=True):
        assert [step.token for step in each.wait().written] == TEXT[prompt : prompt + most]
    return heard


def test_four_callers_are_written_in_the_same_steps(scheduler: Scheduler, model: Recital) -> None:
    write(scheduler, model, (10, 20), (11, 20), (12, 20), (13, 20))
    assert model.rows == [10, 1 + 11, 2 + 12, 3 + 13, *[4] * 16, 3, 2, 1]


def test_a_fifth_caller_waits_until_one_has_ended(scheduler: Scheduler, model: Recital) -> None:
    write(scheduler, model, (10, 4), (11, 9), (12, 9), (13, 9), (14, 2))
    assert max(rows for rows in model.rows if rows < 10) == 4
    assert model.rows[:6] == [10, 1 + 11, 2 + 12, 3 + 13, 3 + 14, 4]


def test_a_long_prompt_is_read_in_pieces_between_the_tokens_of_others(scheduler: Scheduler, model: Recital) -> None:
    _, long = write(scheduler, model, (10, 30), (300, 3))
    assert model.rows[:7] == [10, 1 + 64, 1 + 64, 1 + 64, 1 + 64, 1 + 44, 2]
    assert [step.read for step in long.steps if isinstance(step, Progress)] == [0, 64, 128, 192, 256, 300]


def test_a_long_prompt_alone_is_read_in_larger_pieces(scheduler: Scheduler, model: Recital) -> None:
    write(scheduler, model, (900, 2))
    assert model.rows == [512, 388, 1]


def test_a_short_prompt_is_read_before_a_long_one(scheduler: Scheduler, model: Recital) -> None:
    write(scheduler, model, (900, 1), (20, 3))
    assert model.rows == [512, 20, 1 + 64, 1 + 64, 260]


def test_a_long_prompt_has_its_turn_beside_many_short_ones(scheduler: Scheduler, model: Recital) -> None:
    write(scheduler, model, (999, 1), (100, 1), (101, 1), (102, 1))
    assert model.rows == [512, 100, 101, 487, 102]


def test_while_another_is_read_an_answer_is_written_half_of_the_time(scheduler: Scheduler, model: Recital) -> None:
    model.seconds_for_a_row = 0.25
    write(scheduler, model, (10, 150), (190, 1))
    assert model.rows == [10, 1 + 64, *[1] * 65, 1 + 64, 1 + 62, *[1] * 81]


def test_answers_that_need_more_than_there_is_wait_for_each_other_and_lose_no_word(
    small: Scheduler, model: Recital
) -> None:
    heard = write(small, model, (600, 100), (600, 100), (500, 300))
    assert [each.end.prompt for each in heard] == [600, 600, 500]
    assert [each.end.written for each in heard] == [100, 100, 300]


def test_an_answer_that_is_put_back_in_its_middle_goes_on_where_it_was(small: Scheduler, model: Recital) -> None:
    first, second = write(small, model, (300, 600), (200, 600))
    assert first.end.prompt + first.end.written == 900
    assert second.end.written == 600
    assert sum(model.rows) > 900 + 800 - 2, "nothing was read again: the second answer was never put back"

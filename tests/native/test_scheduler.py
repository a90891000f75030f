"""Who is read and who is written in each step."""

from collections.abc import Iterator

import pytest
from recital import Heard, Recital

from ossian.native.cache import PrefixCache
from ossian.native.jobs import Job, Progress
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
    scheduler = Scheduler(model, PrefixCache(model.shape, 64, b"x"), frozenset(), 1000, 4, guesses=False)  # type: ignore[arg-type]
    yield scheduler
    scheduler.close()


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

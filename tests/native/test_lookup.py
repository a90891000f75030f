"""Looking up instead of writing: the same tokens in fewer steps, and no guess where it would not pay."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from recital import Heard, Recital, write
from test_model import Reader, tokens

from ossian.native.cache import PrefixCache
from ossian.native.jobs import Failed, Finished, Job, Written
from ossian.native.load import load_engine
from ossian.native.lookup import FRESH_STEPS, MOST_GUESSED, Lookup, Pace, share_out
from ossian.native.model import Model
from ossian.native.sampler import Rules
from ossian.native.scheduler import Scheduler
from ossian.native.server import Engine, write_end
from ossian.native.weights import open_weights
from ossian.store.catalogue import DEMO

CONTEXT, TOGETHER, LENGTH = 512, 8, 60
PROMPT = "<|start|>user<|message|>{}<|end|><|start|>assistant"
QUESTION = "Write this again, word for word: one two three four, one two three four, one two three four."


class Free(Pace):
    """Further rows cost nothing: every guess is made."""

    def seconds(self, rows: int) -> float:
        return 1.0


class Steady(Pace):
    """Further rows cost what experts chosen at random cost; no clock is asked."""

    def note(self, rows: int, seconds: float) -> None:
        return None


def guessing(scheduler: Scheduler, pace: Pace) -> Scheduler:
    scheduler._pace = pace
    return scheduler


@pytest.fixture
def schedulers(small: Path, kernels: ModuleType) -> Iterator[list[Scheduler]]:
    """One that never guesses, and one that always does."""
    pair = []
    for guesses in (False, True):
        model = Model(open_weights(small, kernels), kernels, 2)
        cache = PrefixCache(model.shape, TOGETHER * CONTEXT // 64, b"small")
        pair.append(guessing(Scheduler(model, cache, frozenset({7}), CONTEXT, TOGETHER, guesses), Free()))
    yield pair
    for scheduler in pair:
        scheduler.close()


FEW = {token: 30.0 for token in (11, 12, 13, 14)}  # of which a text repeats itself all the time, and never for long
RULES = {
    "greedy": Rules(temperature=0),
    "greedy, few letters": Rules(temperature=0, bias=FEW),
    "greedy, nothing twice": Rules(temperature=0, bias=FEW, repeat_penalty=1.3, frequency_penalty=0.2),
    "seeded": Rules(seed=5, top_k=40, top_p=0.95, min_p=0.05),
    "seeded, few letters": Rules(seed=6, bias=FEW, temperature=8, top_k=4),
    "seeded, few letters and rare ones": Rules(
        seed=7, bias=FEW, temperature=8, top_k=5, presence_penalty=2.0, repeat_last=9
    ),
    "seeded, with an end": Rules(seed=10, bias=FEW | {7: 10.0}, temperature=8, top_k=5),
}


def repeating(rules: Rules, seed: int, answer: Sequence[Written] = ()) -> Callable[[Heard], Job]:
    """A job whose prompt says everything four times, and ends where guesses are at hand, or with an answer to it."""
    prompt = [int(token) for token in tokens(seed, 20)] * 4 + [11, 12, 13, 11, 12, 14, 11]
    prompt += [step.token for step in answer]
    return lambda heard: Job(prompt, LENGTH, rules, heard.put, likeliest=3)


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
def test_one_answer_is_the_same_with_guesses(schedulers: list[Scheduler], rules: Rules) -> None:
    without, guessed = (write(scheduler, [repeating(rules, 1)])[0] for scheduler in schedulers)
    assert guessed.written == without.written and guessed.end.limit == without.end.limit
    assert (without.end.guessed, without.end.kept) == (0, 0)
    assert guessed.end.guessed >= guessed.end.kept
    assert guessed.end.written == len(guessed.written)
    if rules.bias:
        assert 0 < guessed.end.kept < guessed.end.guessed


def test_eight_answers_beside_each_other_are_the_same_with_guesses(schedulers: list[Scheduler]) -> None:
    jobs = [repeating(rules, seed) for seed, rules in enumerate([*RULES.values(), Rules(temperature=0)])]
    without, guessed = (write(scheduler, jobs) for scheduler in schedulers)
    assert [each.written for each in guessed] == [each.written for each in without]
    assert sum(each.end.kept for each in guessed) > 0
    alone = [write(schedulers[1], [job])[0] for job in jobs]
    assert [each.written for each in alone] == [each.written for each in without]


def test_what_was_rejected_is_not_in_the_cache(schedulers: list[Scheduler]) -> None:
    """An answer that is asked to go on is found there, and goes on as one without guesses does."""
    rules, told = RULES["seeded, few letters"], []
    for scheduler in schedulers:
        (first,) = write(scheduler, [repeating(rules, 2)])
        (longer,) = write(scheduler, [repeating(rules, 2, first.written)])
        assert longer.end.cached == 128
        told.append([first.written, longer.written])
    assert told[0] == told[1]


@pytest.mark.parametrize("start", [1, 62, 120, 127, 128, 150])
def test_a_row_gives_the_same_numbers_alone_and_among_others(small: Path, kernels: ModuleType, start: int) -> None:
    """Bit for bit, also over what an earlier guess has left behind in the cache."""
    text, wrong = tokens(1), tokens(2)
    alone, together = Reader(small, kernels), Reader(small, kernels)
    expected = [alone.read((0, text, place, place + 1))[0] for place in range(start + 1 + MOST_GUESSED)][start:]
    together.read((0, text, 0, start))
    for count in range(1, MOST_GUESSED + 1):
        together.read((0, wrong, start, start + 1 + count), (1, wrong, 0, 3))
        right, _ = together.read((0, text, start, start + 1 + count), (1, wrong, 3, 4))
        np.testing.assert_array_equal(right, np.concatenate(expected[: 1 + count]))


def test_a_guess_that_has_no_place_is_given_up(small: Path, kernels: ModuleType) -> None:
    prompt, told = [11, 12, 13] * 20, []
    for guesses in (False, True):
        model = Model(open_weights(small, kernels), kernels, 1)
        scheduler = Scheduler(model, PrefixCache(model.shape, 1, b"small"), frozenset(), CONTEXT, 1, guesses)
        (heard,) = write(guessing(scheduler, Free()), [lambda heard: Job(prompt, LENGTH, Rules(seed=1), heard.put)])
        told.append(heard.steps)
        scheduler.close()
    assert told[0] == told[1]
    assert told[0][-1] == Failed("the cache has no room for this answer")


# The demo model, which knows words


@pytest.fixture
def engines(kernels: ModuleType) -> Iterator[list[Engine]]:
    name = kernels.__name__.rpartition("_")[2]
    pair = [load_engine(DEMO, context=1024, parallel=8, threads=1, kernels=name, guesses=on) for on in (False, True)]
    for engine in pair:
        guessing(engine.scheduler, Free())
    yield pair
    for engine in pair:
        engine.scheduler.close()


def ask(engine: Engine, bodies: Sequence[dict[str, object]]) -> list[Heard]:
    prompt = engine.vocabulary.encode(PROMPT.format(QUESTION), special=True)
    jobs = [lambda heard, body=body: engine.read_job({"prompt": prompt, **body}, heard) for body in bodies]
    return write(engine.scheduler, jobs)


GRAMMAR = """root ::= <|channel|> "final" <|message|> words <|return|>
words ::= ("one two three four, " | "one two six, " | "one, "){6,12}"""
BODIES = {
    "greedy": {"temperature": 0, "n_predict": LENGTH, "n_probs": 4},
    "seeded": {"temperature": 1.0, "seed": 3, "n_predict": LENGTH, "n_probs": 4},
    "grammar": {"temperature": 0, "n_predict": LENGTH, "grammar": GRAMMAR},
    "grammar, seeded": {"temperature": 1.5, "seed": 4, "n_predict": LENGTH, "grammar": GRAMMAR},
}


@pytest.mark.parametrize("name", BODIES)
def test_the_demo_model_says_the_same_with_guesses(engines: list[Engine], name: str) -> None:
    without, guessed = (ask(engine, [BODIES[name]])[0] for engine in engines)
    assert guessed.written == without.written
    if "grammar" in name:
        assert guessed.end.kept > 0
        text = engines[0].vocabulary.decode([step.token for step in guessed.written])
        assert text.startswith("<|channel|>final<|message|>one")


def test_eight_callers_of_the_demo_model_hear_the_same_with_guesses(engines: list[Engine]) -> None:
    bodies = [*BODIES.values(), *(body | {"seed": 11} for body in BODIES.values())]
    without, guessed = (ask(engine, bodies) for engine in engines)
    assert [each.written for each in guessed] == [each.written for each in without]
    assert sum(each.end.kept for each in guessed) > 0


# When it pays


def recite(prompt: list[int], answer: list[int]) -> tuple[Finished, list[int]]:
    """What it costs to write an answer, and the rows of each step that wrote it."""
    model = Recital(prompt + answer)
    scheduler = Scheduler(model, PrefixCache(model.shape, 64, b"x"), frozenset(), 4096, 1)  # type: ignore[arg-type]
    (heard,) = write(
        guessing(scheduler, Steady()), [lambda heard: Job(prompt, len(answer), Rules(temperature=0), heard.put)]
    )
    scheduler.close()
    assert [step.token for step in heard.written] == answer
    return heard.end, model.rows[1:]


def random_text(length: int, letters: int = 1000, seed: int = 1) -> list[int]:
    return [int(token) for token in np.random.default_rng(seed).integers(0, letters, length)]


def test_a_text_that_repeats_its_input_takes_few_steps() -> None:
    code = random_text(300)
    end, rows = recite(code, [*code[:100], 1, 2, 3, *code[110:300]])
    assert end.kept > 240 and len(rows) < 50
    assert end.kept / end.guessed > 0.9
    assert max(rows) == 1 + MOST_GUESSED


@pytest.mark.parametrize("letters", [4, 12, 1000])
def test_a_text_without_pattern_is_hardly_guessed(letters: int) -> None:
    """Few letters: nearly every pair has stood somewhere, and says nothing about what follows."""
    end, rows = recite(random_text(400, letters), random_text(600, letters, seed=2))
    assert sum(rows[300:]) <= 1.02 * len(rows[300:])
    assert end.guessed < 60


def test_a_text_that_begins_to_repeat_is_guessed_again() -> None:
    noise, code = random_text(500, 6, seed=3), random_text(200, seed=4)
    end, rows = recite([*code, *noise[:200]], [*noise[200:], *code])
    assert end.kept > 140 and len(rows) < 380


def test_guesses_follow_the_latest_twin_and_repetition() -> None:
    lookup = Lookup([1, 2, 3, 4, 9, 1, 2, 3, 5, 9, 2, 3])
    assert lookup.guess(3) == [5, 9, 2]
    lookup.add(4)  # behind 2, 3 stood 5; behind 2, 3, 4 stood 9, 1
    assert lookup.guess(3) == [9, 1, 2]
    assert Lookup([1, 2, 3]).guess(5) == []
    assert Lookup([8, 7, 7, 7, 7]).guess(4) == [7, 7, 7, 7]
    assert Lookup([]).guess(4) == [] and list(Lookup([1]).chances(3)) == []


def test_an_index_that_grew_is_the_one_that_is_made_at_once() -> None:
    text = random_text(400, 5)
    grown = Lookup(text[:100])
    for token in text[100:]:
        grown.add(token)
    whole = Lookup(text)
    last = {size: {tuple(text[-size:]): len(text)} for size in (2, 3)}  # not yet in one that has not gone on
    assert grown._behind == {size: whole._behind[size] | last[size] for size in last}


def test_what_a_step_takes_is_learned_and_forgotten() -> None:
    pace = Pace()
    pace.note(1, 8.0)  # the file is being read from the disk
    for _ in range(20):
        pace.note(1, 1.0)
    assert pace.seconds(1) == pytest.approx(1.0, rel=0.01)
    assert pace.seconds(4) == pytest.approx(2.0, rel=0.01)
    pace.note(4, 9.0)
    assert pace.seconds(4) == 9.0
    assert pace.seconds(5) > 9.0
    pace.note(1, 3.0)  # something else was busy
    assert pace.seconds(1) == pytest.approx(1.2, rel=0.01)
    for _ in range(FRESH_STEPS):
        pace.note(1, 1.0)
    assert pace.seconds(4) == pytest.approx(2.0, rel=0.01)


def test_a_step_is_shared_out_to_whom_it_helps_most() -> None:
    text = random_text(100)
    copying, lost = Lookup(text + text[:40]), Lookup(text)
    for token in text[40:60]:
        copying.add(token)
    cheap, dear = Pace(), Pace()
    for rows in range(1, 24):
        cheap.note(rows, 1.0)
        dear.note(rows, float(rows))
    assert share_out([(lost, 16), (copying, 16), (None, 16)], 3, cheap) == [[], text[60:76], []]
    assert share_out([(copying, 2)], 1, cheap) == [text[60:62]]
    assert share_out([(copying, 0), (copying, -3)], 2, cheap) == [[], []]
    assert share_out([(lost, 16), (copying, 16)], 2, dear) == [[], []]


def test_timings_count_guesses_where_there_were_some() -> None:
    without = write_end(Finished(10, 0, 5, 1.0, 2.0, limit=False), "")["timings"]
    assert write_end(Finished(10, 0, 5, 1.0, 2.0, False, 9, 4), "")["timings"] == without | {
        "draft_n": 9,
        "draft_n_accepted": 4,
    }
    assert "draft_n" not in without

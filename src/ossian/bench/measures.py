"""What is measured: each a function that takes a started engine and gives a figure, and what bounds that figure.

Time is taken outside, from the request to the end of its answer, by one clock for all engines. Every prompt is drawn
anew, so no cache knows it but where a measure wants that.
"""

import asyncio
import random
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from ossian.bench.floors import Rates, Work
from ossian.engines.local import USUAL
from ossian.engines.memory import bytes_per_token
from ossian.engines.runner import Runner
from ossian.engines.steps import Timings
from ossian.errors import ModelFailed
from ossian.store.catalogue import ModelFile

CONTEXT, SHARED_CONTEXT, TOGETHER = 16_384, 1_024, 4
WRITTEN = 128  # tokens of an answer whose speed is measured
KNOWN, EDITED, EDITED_AT = 10_000, 6_000, 3_000
WARM_UP = 128
PIECE = 2_048
SETTLED_SECONDS, SETTLE_POLLS = 0.5, 60


@dataclass(slots=True)
class Started:
    """An engine at work. `seed` is that of the round, so that every engine gets the same prompts; `read` counts."""

    runner: Runner
    model: ModelFile
    cache: Path
    seed: str
    read: int = 0

    def draw(self, count: int, what: str) -> list[int]:
        """Token ids by chance, ordinary ones: the same for the same purpose in the same round."""
        ordinary = range(self.model.vocabulary // 8, self.model.vocabulary * 3 // 4)
        return random.Random(f"{self.seed} {what}").choices(ordinary, k=count)

    async def ask(self, prompt: list[int], count: int) -> tuple[float, Timings]:
        """Have so many tokens written behind a prompt: the seconds until the last, and the engine's own counts."""
        began, last = time.perf_counter(), None
        sampling = replace(USUAL, seed=1)
        async with aclosing(self.runner.complete(prompt, count, sampling, ignore_eos=True)) as steps:
            async for step in steps:
                last = step
        if not isinstance(last, Timings) or last.completion_tokens != count:
            raise ModelFailed("an answer ended before its time.", "The figures would mean nothing.")
        self.read += last.prompt_tokens - last.cached_tokens
        return time.perf_counter() - began, last


Take = Callable[[Started], Awaitable[float | None]]
Floor = Callable[[Work, Rates, ModelFile], float | None]


def no_floor(work: Work, rates: Rates, model: ModelFile) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Measure:
    """One line of the table. `name` is how a person asks for it.

    tokens: context it needs; none: it only prepares another one of the same name, and gives no figure
    once: a count or a size, which a second round would not change
    """

    name: str
    title: str
    unit: str
    tokens: int
    take: Take
    floor: Floor = no_floor
    more_is_better: bool = True
    once: bool = False


@dataclass(frozen=True, slots=True)
class Visit:
    """An engine is started, measured and ended. `measures` in this order.

    warmed: a short answer that does not count goes before, so that no measure pays for first touches
    """

    context: int
    parallel: int
    measures: tuple[Measure, ...]
    warmed: bool = True


def reading(tokens: int) -> Measure:
    """Tokens a second of a prompt that nobody knows."""

    async def take(started: Started) -> float:
        seconds, timings = await started.ask(started.draw(tokens, f"reading {tokens}"), 1)
        return (timings.prompt_tokens - timings.cached_tokens) / seconds

    def floor(work: Work, rates: Rates, model: ModelFile) -> float | None:
        return rates.operations and rates.operations / work.operations

    return Measure(f"read-{tokens}", f"reading {tokens:,} tokens", "tokens/s", tokens + 1, take, floor)


def writing(callers: int) -> Measure:
    """Tokens a second that callers get together.

    Each prompt is one token, so that every step of the engine writes one token for each caller, the first step too.
    """

    async def take(started: Started) -> float:
        prompts = [started.draw(1, f"writing {caller} of {callers}") for caller in range(callers)]
        began = time.perf_counter()
        await asyncio.gather(*(started.ask(prompt, WRITTEN) for prompt in prompts))
        return callers * WRITTEN / (time.perf_counter() - began)

    def floor(work: Work, rates: Rates, model: ModelFile) -> float:
        return callers * rates.bytes / work.bytes_for(callers)

    title = "writing" if callers == 1 else f"writing, {callers} callers together"
    return Measure(f"write-{callers}", title, "tokens/s", WRITTEN + 1, take, floor)


async def take_change(started: Started) -> float:
    """Tokens that are read again when one in the middle of a prompt changes."""
    prompt = started.draw(EDITED, "change")
    await started.ask(prompt, 1)
    prompt[EDITED_AT] -= 1
    _, timings = await started.ask(prompt, 1)
    return timings.prompt_tokens - timings.cached_tokens


async def prepare_restart(started: Started) -> None:
    """Read the prompt that is to be known, and let what is kept of it reach the disk."""
    await started.ask(started.draw(KNOWN, "restart"), 1)
    before = -1
    for _ in range(SETTLE_POLLS):
        size = sum(path.stat().st_size for path in started.cache.rglob("*.kv"))
        if size == before:
            return
        before = size
        await asyncio.sleep(SETTLED_SECONDS)


async def take_restart(started: Started) -> float:
    """Seconds to the first word of the prompt that was read before the restart."""
    seconds, _ = await started.ask(started.draw(KNOWN, "restart"), 1)
    return seconds


async def take_memory(started: Started) -> float:
    """GB beside the model's file, when as much has been read as the context holds."""
    while (rest := started.runner.context - 1 - started.read) > 0:
        await started.ask(started.draw(min(rest, PIECE), f"memory {rest}"), 1)
    return await asyncio.to_thread(memory_beside, started.runner.pid, started.model.path, started.model.size) / 1e9


def memory_beside(pid: int, path: Path, size: int) -> int:
    """Bytes that a process and what it started hold in memory, without the pages of the model's file."""
    process = psutil.Process(pid)
    family = [process, *process.children(recursive=True)]
    held = sum(member.memory_info().rss for member in family)
    if sys.platform != "linux":  # elsewhere nothing tells which pages are the file's: let them be all of it
        return max(0, held - size)
    maps = (region for member in family for region in member.memory_maps())
    return held - sum(region.rss for region in maps if region.path == str(path.resolve()))


def change_floor(work: Work, rates: Rates, model: ModelFile) -> float:
    return EDITED - EDITED_AT


def memory_floor(work: Work, rates: Rates, model: ModelFile) -> float:
    """Keys and values of the layers that see everything."""
    return CONTEXT * bytes_per_token(model) / 1e9


CHANGE = Measure(
    "change",
    f"read again after a change at token {EDITED_AT:,} of {EDITED:,}",
    "tokens",
    EDITED + 1,
    take_change,
    change_floor,
    more_is_better=False,
    once=True,
)
MEMORY = Measure(
    "memory",
    f"memory beside the file, context {CONTEXT:,}",
    "GB",
    CONTEXT,
    take_memory,
    memory_floor,
    more_is_better=False,
    once=True,
)
RESTART = Measure(
    "restart",
    f"first word after a restart, {KNOWN:,} known tokens",
    "s",
    KNOWN + 1,
    take_restart,
    more_is_better=False,
    once=True,
)
LOADING = "loading, the file in the page cache"

VISITS = (
    Visit(
        CONTEXT,
        1,
        (
            reading(512),
            reading(2_048),
            reading(8_192),
            writing(1),
            CHANGE,
            replace(RESTART, take=prepare_restart),
            MEMORY,
        ),
    ),
    Visit(CONTEXT, 1, (RESTART,), warmed=False),
    Visit(SHARED_CONTEXT, TOGETHER, (writing(2), writing(4))),
)
NAMES = tuple(dict.fromkeys(measure.name for visit in VISITS for measure in visit.measures))
QUICK = ("read-512", "write-1")

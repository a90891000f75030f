"""A whole run: rounds in which each engine in turn is started, measured and ended, whatever happens."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

from ossian.bench.contenders import Contender
from ossian.bench.floors import Rates, measure_rates, work_of
from ossian.bench.measures import LOADING, TOGETHER, VISITS, WARM_UP, Measure, Started, Visit
from ossian.bench.report import Report, Row, figure_text
from ossian.engines.memory import context_for, free_memory, needed_memory, total_memory
from ossian.engines.runner import Runner
from ossian.store.catalogue import ModelFile

PIECE_BYTES = 16 << 20
WARM_UP_WRITTEN = 4

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be measured. `folder` is empty and this run's own; `names` are those of measures."""

    model: ModelFile
    contenders: Sequence[Contender]
    names: Sequence[str]
    rounds: int
    threads: int
    folder: Path
    load_timeout: float
    seed: int


async def run(plan: Plan, say: Say) -> Report:
    """Measure everything. Raises ModelFailed when an engine fails, NotEnoughMemory when the model cannot be held."""
    context = context_for(plan.model, VISITS[0].context, free_memory(), total_memory())
    visits = choose_visits(plan.names, context)
    for name in set(plan.names) - {measure.name for visit in visits for measure in visit.measures}:
        say(f"{name} is left out: {plan.model.name} has a context of {context:,} tokens")
    at_once = fit_at_once(plan.model, len(plan.contenders))
    running = _Run(plan, say, at_once)
    for number in range(plan.rounds):
        await running.round(number, visits)
    return running.report(visits)


def choose_visits(names: Sequence[str], context: int) -> list[Visit]:
    """The visits with the measures that were asked for and fit into the context; none without a measure."""
    chosen = []
    for visit in VISITS:
        context_here = min(visit.context, context)
        fitting = (measure for measure in visit.measures if measure.tokens <= context_here)
        if measures := tuple(measure for measure in fitting if measure.name in names):
            chosen.append(replace(visit, context=context_here, measures=measures))
    return chosen


def repeated(visits: Sequence[Visit]) -> list[Visit]:
    """What later rounds measure again."""
    changing = (replace(visit, measures=tuple(m for m in visit.measures if not m.once)) for visit in visits)
    return [visit for visit in changing if visit.measures]


def fit_at_once(model: ModelFile, engines: int) -> bool:
    """Whether all engines can be loaded together; llama.cpp holds the weights twice, rearranged and as they were."""
    return engines * (needed_memory(model, VISITS[0].context) + model.size) < free_memory()


@dataclass(slots=True)
class _Run:
    """The figures so far, by measure and engine."""

    plan: Plan
    say: Say
    at_once: bool
    rates: list[Rates] = field(default_factory=list)
    figures: dict[str, dict[str, list[float]]] = field(default_factory=dict)

    async def round(self, number: int, visits: Sequence[Visit]) -> None:
        """Rates of the machine, then every visit of every engine; odd rounds go through the engines backwards."""
        self.say(f"round {number + 1} of {self.plan.rounds}")
        self.rates.append(await asyncio.to_thread(measure_rates, self.plan.threads))
        engines = list(self.plan.contenders)[:: -1 if number % 2 else 1]
        groups = [engines] if self.at_once else [[engine] for engine in engines]
        try:
            for place, visit in enumerate(visits if number == 0 else repeated(visits)):
                for group in groups:
                    await self._visit(visit, group, f"{self.plan.seed} {number}", place)
        finally:
            for rest in self.plan.folder.iterdir():
                await asyncio.to_thread(shutil.rmtree, rest, ignore_errors=True)

    async def _visit(self, visit: Visit, engines: Sequence[Contender], seed: str, place: int) -> None:
        async with AsyncExitStack() as stack:
            started = [
                (engine, await stack.enter_async_context(self._start(engine, visit, seed))) for engine in engines
            ]
            for _, at_work in started if visit.warmed else ():
                await at_work.ask(at_work.draw(WARM_UP, f"warm up {place}"), WARM_UP_WRITTEN)
            for measure in visit.measures:
                for engine, at_work in started:
                    self._note(measure.title, measure.unit, engine, await measure.take(at_work))

    @asynccontextmanager
    async def _start(self, engine: Contender, visit: Visit, seed: str) -> AsyncIterator[Started]:
        """An engine that has loaded the model, with the file in the page cache; ended in any case."""
        plan, cache = self.plan, self.plan.folder / engine.name.replace(":", "-")
        await asyncio.to_thread(read_through, plan.model.path)
        spec = engine.spec(
            plan.model.path, context=visit.context, parallel=visit.parallel, threads=plan.threads, cache=cache
        )
        began = time.perf_counter()
        runner = await Runner(spec, plan.load_timeout).start()
        try:
            self._note(LOADING, "s", engine, time.perf_counter() - began)
            yield Started(runner, plan.model, cache, seed)
        finally:
            await runner.close()

    def _note(self, title: str, unit: str, engine: Contender, figure: float | None) -> None:
        if figure is None:
            return
        self.figures.setdefault(title, {}).setdefault(engine.name, []).append(figure)
        self.say(f"  {engine.name}: {title}: {figure_text(figure)} {unit}")

    def report(self, visits: Sequence[Visit]) -> Report:
        """The figures beside what bounds them."""
        plan, rates = self.plan, middle(self.rates)
        work = work_of(plan.model)
        measures = {measure.title: measure for visit in visits for measure in visit.measures}
        rows = [
            self._row(measure, measure.floor(work, rates, plan.model))
            for measure in measures.values()
            if measure.title in self.figures
        ]
        rows += compare_callers({row.name: row for row in rows})
        rows.append(Row("loading", LOADING, "s", False, self.figures[LOADING], None))
        return Report(plan.model, plan.contenders, plan.rounds, plan.threads, self.at_once, rates, rows)

    def _row(self, measure: Measure, floor: float | None) -> Row:
        figures = self.figures[measure.title]
        return Row(measure.name, measure.title, measure.unit, measure.more_is_better, figures, floor)


def compare_callers(rows: Mapping[str, Row]) -> list[Row]:
    """How many times as much many callers get together as one alone, where both were measured."""
    one, many = rows.get("write-1"), rows.get(f"write-{TOGETHER}")
    if not one or not many:
        return []
    figures = {engine: [median(many.figures[engine]) / median(one.figures[engine])] for engine in many.figures}
    return [Row("together", f"{many.title}, against one", "times", True, figures, None)]


def middle(rates: Sequence[Rates]) -> Rates:
    """The medians of what was measured in each round."""
    operations = [rate.operations for rate in rates if rate.operations is not None]
    return Rates(median(rate.bytes for rate in rates), median(operations) if operations else None)


def read_through(path: Path) -> None:
    """Read a file once, so that every engine finds it in the page cache, as far as memory goes."""
    piece = bytearray(PIECE_BYTES)
    with path.open("rb", buffering=0) as file:
        while file.readinto(piece):
            pass

"""The figures of a run as a table for people, as markdown, as JSON. Knows nothing of how they were taken."""

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

from rich.table import Table

from ossian import __version__
from ossian.bench.contenders import WHEEL, Contender
from ossian.bench.floors import Rates
from ossian.engines.memory import GIB, total_memory
from ossian.native.instruction_sets import KernelsMissing, instruction_sets
from ossian.store.catalogue import ModelFile

NOTHING = "-"


@dataclass(frozen=True, slots=True)
class Row:
    """One measure: the figures of each engine, and the bound that no engine can pass, where one is known."""

    name: str
    title: str
    unit: str
    more_is_better: bool
    figures: Mapping[str, Sequence[float]]
    floor: float | None

    def median(self, engine: str) -> float | None:
        return median(self.figures[engine]) if engine in self.figures else None

    def ratio(self, engine: str, others: Sequence[str]) -> float | None:
        """How many times as good an engine is as the best of the others."""
        own, figures = self.median(engine), [found for other in others if (found := self.median(other))]
        if not own or not figures:
            return None
        return own / max(figures) if self.more_is_better else min(figures) / own

    def share(self, engine: str) -> float | None:
        """How much of what is possible an engine reaches; 1 is all."""
        own = self.median(engine)
        if not own or not self.floor:
            return None
        return own / self.floor if self.more_is_better else self.floor / own


@dataclass(frozen=True, slots=True)
class Report:
    """A run. `at_once`: all engines were loaded together, and took turns at every measure."""

    model: ModelFile
    contenders: Sequence[Contender]
    rounds: int
    threads: int
    at_once: bool
    rates: Rates
    rows: Sequence[Row]

    @property
    def engines(self) -> list[str]:
        return [contender.name for contender in self.contenders]

    @property
    def first(self) -> str:
        """Whose ratio and share are shown: our own engine's, where it was measured."""
        return next((contender.name for contender in self.contenders if contender.is_ours), self.engines[0])

    @property
    def others(self) -> list[str]:
        return [
            contender.name for contender in self.contenders if not contender.is_ours and contender.name != self.first
        ]


def figure_text(figure: float | None) -> str:
    """A figure with as many digits as mean something.

    >>> figure_text(19432.1), figure_text(71.32), figure_text(0.4567), figure_text(0.0123), figure_text(None)
    ('19,432', '71.3', '0.46', '0.012', '-')
    """
    if figure is None:
        return NOTHING
    digits = 0 if figure >= 100 else 1 if figure >= 10 else 2 if figure >= 0.1 else 3
    return f"{figure:,.{digits}f}"


def range_text(figures: Sequence[float]) -> str:
    """The median, and where there are several figures, from where to where they go.

    >>> range_text([1.0]), range_text([2.0, 1.0, 4.0]), range_text([])
    ('1.00', '2.00 (1.00-4.00)', '-')
    """
    if not figures:
        return NOTHING
    spread = f" ({figure_text(min(figures))}-{figure_text(max(figures))})" if len(figures) > 1 else ""
    return figure_text(median(figures)) + spread


def lines_of(report: Report) -> list[list[str]]:
    """Heads and cells, for every kind of table."""
    heads = ["", *report.engines, "ratio", "floor", "share of it"]
    lines = [heads]
    for row in report.rows:
        share = row.share(report.first)
        lines.append(
            [
                f"{row.title}, {row.unit}",
                *(range_text(row.figures.get(engine, ())) for engine in report.engines),
                figure_text(row.ratio(report.first, report.others)),
                figure_text(row.floor),
                NOTHING if share is None else f"{share:.0%}",
            ]
        )
    return lines


def notes_of(report: Report) -> list[str]:
    """What a reader must know to believe the table."""
    operations = report.rates.operations
    arithmetic = f"{operations / 1e9:,.0f} GOP/s of bytes" if operations else "arithmetic not measured: no kernels"
    turns = (
        "all loaded at once, by turns at every measure"
        if report.at_once
        else "one after another, reloaded for every visit, for they do not fit into memory together"
    )
    rounds = "one round" if report.rounds == 1 else f"medians of {report.rounds} rounds (counts and sizes: one)"
    return [
        f"{report.model.name}, {report.model.size / 1e9:.2f} GB ({report.model.quantization})",
        f"{machine_text(report.threads)}; {versions_text(report)}",
        f"{rounds}; engines {turns}",
        f"this run: {report.rates.bytes / 1e9:.1f} GB/s read from memory, {arithmetic}",
        f"ratio: how many times as good {report.first} is as the best of the others; share: its own, of the floor",
    ]


def machine_text(threads: int) -> str:
    try:
        sets = instruction_sets()
    except KernelsMissing:
        sets = []
    memory = f"{total_memory() / GIB:.0f} GiB of memory"
    return ", ".join([processor_name(), f"{threads} threads", *sets[:1], memory, f"{platform.system()}"])


def processor_name() -> str:
    """As Linux tells it, or Python."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def versions_text(report: Report) -> str:
    try:
        wheel = f", xllamacpp {version('xllamacpp')}" if WHEEL in report.engines else ""
    except PackageNotFoundError:
        wheel = ""
    return f"Ossian {__version__}{wheel}"


def write_table(report: Report) -> Table:
    """For a terminal."""
    heads, *lines = lines_of(report)
    table = Table()
    for number, head in enumerate(heads):
        table.add_column(head, justify="right" if number else "left")
    for line in lines:
        table.add_row(*line)
    return table


def write_markdown(report: Report) -> str:
    """For documents."""
    heads, *lines = lines_of(report)
    rows = [heads, ["---", *["---:"] * (len(heads) - 1)], *lines]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return table + "\n\n" + "\n".join(f"- {note}" for note in notes_of(report))


def write_json(report: Report) -> str:
    """For programs: every figure, with its floor, ratio and share."""
    measures: list[dict[str, Any]] = [
        {
            "name": row.name,
            "title": row.title,
            "unit": row.unit,
            "more_is_better": row.more_is_better,
            "figures": {engine: list(figures) for engine, figures in row.figures.items()},
            "medians": {engine: row.median(engine) for engine in row.figures},
            "ratio": row.ratio(report.first, report.others),
            "floor": row.floor,
            "share": row.share(report.first),
        }
        for row in report.rows
    ]
    return json.dumps(
        {
            "model": report.model.name,
            "model_bytes": report.model.size,
            "machine": machine_text(report.threads),
            "versions": versions_text(report),
            "rounds": report.rounds,
            "engines": report.engines,
            "at_once": report.at_once,
            "memory_bytes_per_second": report.rates.bytes,
            "int8_operations_per_second": report.rates.operations,
            "measures": measures,
        },
        indent=2,
    )

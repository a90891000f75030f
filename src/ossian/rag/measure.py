"""How well questions find what answers them: pass@k, nDCG@10 and MRR, each with the interval chance leaves it. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy
from numpy.typing import NDArray

DEPTHS = (5, 10, 20)
NDCG_DEPTH = 10
RESAMPLES = 2_000
INTERVAL = (2.5, 97.5)  # percentiles: 95 % of resamples lie between


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean over questions, in percent, and its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:5.1f} [{self.low:.1f}, {self.high:.1f}]"


def measure(
    found: Sequence[Sequence[str]], right: Sequence[Collection[str]], depths: Sequence[int] = DEPTHS
) -> dict[str, Figure]:
    """The figures of one way of searching: what it found for each question, best first, and what was right."""
    rows = numpy.array([score(*pair, depths) for pair in zip(found, right, strict=True)])
    names = (*(f"pass@{depth}" for depth in depths), f"nDCG@{NDCG_DEPTH}", "MRR")
    return {name: figure(rows[:, place]) for place, name in enumerate(names)}


def score(found: Sequence[str], right: Collection[str], depths: Sequence[int] = DEPTHS) -> list[float]:
    """One question's measures: pass@k, the share of what is right among the first k; then nDCG and MRR."""
    hits = [name in right for name in found]
    passes = [sum(hits[:depth]) / len(right) for depth in depths]
    gains = [1 / numpy.log2(place + 2) for place in range(NDCG_DEPTH)]
    gained = sum(gain for gain, hit in zip(gains, hits, strict=False) if hit)
    first = next((1 / place for place, hit in enumerate(hits, start=1) if hit), 0.0)
    return [*passes, gained / sum(gains[: len(right)]), first]


def figure(values: NDArray[numpy.float64]) -> Figure:
    """The mean of values between 0 and 1, in percent, with its interval."""
    chance = numpy.random.default_rng(0)
    means = values[chance.integers(len(values), size=(RESAMPLES, len(values)))].mean(axis=1)
    low, high = numpy.percentile(means, INTERVAL)
    return Figure(*(round(100 * float(value), 2) for value in (values.mean(), low, high)))


def write_table(rows: Mapping[str, Mapping[str, Figure]]) -> str:
    """Ways of searching one under the other, as Markdown."""
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    lines = [f"| | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    lines += [f"| {way} | {' | '.join(str(row[name]) for name in names)} |" for way, row in rows.items()]
    return "\n".join(lines)

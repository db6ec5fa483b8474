"""How often a confidence interval of one run includes the true percentile, by simulation."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bench.arrays import Floats
from bench.measure.confidence import (
    FEWEST_BEYOND,
    GROUPS,
    design_effect,
    ranks,
    rate_interval,
)
from tests.latency_processes import FRESH, TUNED, Process, exponential, true_percentile

PERCENTS = (50.0, 90.0, 99.0, 99.9)
_AT_ONCE = 1_000_000


@dataclass(frozen=True)
class Cell:
    """Of the trials of one process, how many have an interval, and how many of these are right."""

    trials: int
    given: int
    right: int

    @property
    def share_given(self) -> float:
        """The share of trials that have an interval."""
        return self.given / self.trials

    @property
    def coverage(self) -> float:
        """The share of the intervals given that include the true value; NaN without any."""
        return self.right / self.given if self.given else math.nan


Method = Callable[[Floats, Floats, Floats, float], tuple[int, int] | None]
"""From the latencies in order of time (tasks,), sorted (tasks,), the samples in each group
(GROUPS,) and a share: the ranks of the interval's ends, or None where there is none."""


def ours(series: Floats, ordered: Floats, counts: Floats, share: float) -> tuple[int, int] | None:
    """The method of ``bench.measure.confidence``."""
    tasks = len(series)
    if tasks * min(share, 1 - share) < FEWEST_BEYOND - 1e-9:
        return None
    value = ordered[max(math.ceil(share * tasks - 1e-9), 1) - 1]
    shown = design_effect(_above(series, value, counts), counts)
    if shown is None or not shown.is_enough:
        return None
    low, high = ranks(tasks, share, shown)
    return (low, high) if low >= 1 and high <= tasks else None


def _above(series: Floats, value: float, counts: Floats) -> Floats:
    group = np.repeat(np.arange(GROUPS), counts.astype(np.int64))
    above: Floats = np.bincount(group[series > value], minlength=GROUPS).astype(np.float64)
    return above


def batch_means(
    series: Floats, ordered: Floats, counts: Floats, share: float
) -> tuple[int, int] | None:
    """Sixteen batches of the share above the percentile, and Student's t; never withheld."""
    tasks = len(series)
    value = ordered[max(math.ceil(share * tasks - 1e-9), 1) - 1]
    batches = _above(series, value, counts).reshape(16, -1).sum(axis=1)
    half = 2.1314 * math.sqrt(float(np.var(batches, ddof=1)) * 16)
    return _clipped(tasks, share, half)


def block_bootstrap(
    series: Floats, ordered: Floats, counts: Floats, share: float
) -> tuple[int, int] | None:
    """A moving-block bootstrap of the same sums, in blocks of sixteen groups; never withheld."""
    tasks = len(series)
    value = ordered[max(math.ceil(share * tasks - 1e-9), 1) - 1]
    above = _above(series, value, counts)
    generator = np.random.default_rng(len(ordered))
    begins = generator.integers(0, GROUPS - 16 + 1, (400, GROUPS // 16))
    sums = np.lib.stride_tricks.sliding_window_view(above, 16).sum(axis=1)[begins].sum(axis=1)
    half = float(np.percentile(np.abs(sums - sums.mean()), 95))
    return _clipped(tasks, share, half)


def _clipped(tasks: int, share: float, half: float) -> tuple[int, int]:
    low, high = math.ceil(share * tasks - half), math.floor(share * tasks + half) + 1
    return max(low, 1), min(high, tasks)


def cells(
    process: Process, tasks: int, trials: int, seed: int, method: Method = ours
) -> dict[float, Cell]:
    """Returns the coverage by percentile."""
    generator = np.random.default_rng(seed)
    truth = {percent: true_percentile(process, tasks, percent) for percent in PERCENTS}
    counts = np.diff(np.linspace(0, tasks, GROUPS + 1).astype(np.int64)).astype(np.float64)
    given, right = dict.fromkeys(PERCENTS, 0), dict.fromkeys(PERCENTS, 0)
    left = trials
    while left:
        some = min(left, max(_AT_ONCE // tasks, 1))
        left -= some
        made = process.make(generator, some, tasks)
        for series, ordered in zip(made, np.sort(made, axis=1), strict=True):
            for percent in PERCENTS:
                found = method(series, ordered, counts, percent / 100)
                if found is not None:
                    low, high = ordered[found[0] - 1], ordered[found[1] - 1]
                    given[percent] += 1
                    right[percent] += bool(low <= truth[percent] <= high)
    return {percent: Cell(trials, given[percent], right[percent]) for percent in PERCENTS}


def rate_cell(trials: int, seed: int, correlation: float, bins: int = 100) -> Cell:
    """The coverage of the rate of Poisson events whose rate wanders by 20% as an autoregression
    with this coefficient from bin to bin; 0 for a rate that is steady."""
    generator = np.random.default_rng(seed)
    given = right = 0
    for _ in range(trials):
        level = np.full(bins, 100.0)
        if correlation:
            noise = generator.standard_normal(bins + 200)
            wander = np.zeros(bins + 200)
            for at in range(1, bins + 200):
                step = math.sqrt(1 - correlation**2) * noise[at]
                wander[at] = correlation * wander[at - 1] + step
            level = level * np.exp(0.2 * wander[200:] - 0.02)
        found = rate_interval(generator.poisson(level).tolist(), 0.1)
        if found.low is not None and found.high is not None:
            given += 1
            right += found.low <= 1000.0 <= found.high
    return Cell(trials, given, right)


def _text(cell: Cell) -> str:
    if cell.share_given < 0.02:
        return "withheld"
    return f"{cell.coverage:.1%} of {cell.share_given:.0%}"


def _rows(
    processes: Sequence[Process], tasks: int, trials: int, seed: int, method: Method
) -> Iterator[str]:
    for number, process in enumerate(processes):
        found = cells(process, tasks, trials, seed + number, method)
        row = " | ".join(_text(found[percent]) for percent in PERCENTS)
        yield f"| {process.name} | {tasks:,} | {row} |"


def _table(trials: int, sizes: Sequence[int], seed: int, method: Method = ours) -> Iterator[str]:
    yield "| process | tasks | p50 | p90 | p99 | p99.9 |"
    yield "|---|---:|---:|---:|---:|---:|"
    for tasks in (200, 1_000):
        yield from _rows([exponential()], tasks, trials, seed + 900 + tasks, method)
    for tasks in sizes:
        yield from _rows([*TUNED, *FRESH], tasks, trials, seed + tasks, method)


def _rates(trials: int) -> Iterator[str]:
    yield "| correlation | 80 tenths | 100 tenths | 600 tenths |"
    yield "|---:|---:|---:|---:|"
    for correlation in (0.0, 0.3, 0.6, 0.8, 0.9):
        row = (_text(rate_cell(trials, 7, correlation, bins)) for bins in (80, 100, 600))
        yield f"| {correlation:g} | {' | '.join(row)} |"


def table(trials: int) -> str:
    """Returns the tables of the documentation: this method, two others with fewer trials, and
    rates."""
    lines = [*_table(trials, (8_000, 60_000), 20_000)]
    for name, method in (("batch means", batch_means), ("block bootstrap", block_bootstrap)):
        lines += ["", name, "", *_table(min(trials, 300), (8_000,), 20_000, method)]
    return "\n".join([*lines, "", *_rates(trials)])

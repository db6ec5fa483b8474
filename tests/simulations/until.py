"""Whole runs with ``--until`` on simulated series whose percentiles are known: how often the
interval at their end holds the true value, and how long they take.

The looks and the rule are those of ``bench.measure``. All looks at one series are computed from one
sorting; ``tests/measure/test_until_simulation.py`` checks that they are what a run would see.
"""

import math
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.signal import lfilter
from scipy.stats import norm

from bench.arrays import Floats
from bench.measure import interim
from bench.measure.confidence import FEWEST_BEYOND, TAIL
from bench.measure.interim import LookFigure
from bench.measure.stopping import StoppingRule
from bench.workload.until import Target, look_length_s, parse_target

RATE_PER_S = 200
DURATION_S = 600
"""Where a run ends that was not precise before."""
_SAMPLES = RATE_PER_S * DURATION_S
_SEED = 19
_BURN_IN = 4000
ASKED = (
    "e2e.p50 ±5%",
    "e2e.p50 ±20%",
    "e2e.p99 ±5%",
    "e2e.p99 ±10%",
    "e2e.p99 ±20%",
    "e2e.p99.9 ±20%",
)

Draw = Callable[[np.random.Generator], Floats]


@dataclass(frozen=True)
class Series:
    """Latencies (n,) of tasks that end evenly over time, and their true percentiles."""

    name: str
    draw: Draw
    true: Callable[[float], float]
    """From a percentage to the value."""


def _independent(rng: np.random.Generator) -> Floats:
    return rng.exponential(1, _SAMPLES)


def _autocorrelated(correlation_s: float) -> Draw:
    """Exponential latencies from a Gaussian AR(1) series."""
    keeps = math.exp(-1 / (correlation_s * RATE_PER_S))

    def draw(rng: np.random.Generator) -> Floats:
        steps = rng.standard_normal(_SAMPLES) * math.sqrt(1 - keeps**2)
        steps[0] = rng.standard_normal()
        normal = lfilter([1], [1, -keeps], steps)
        found: Floats = -norm.logsf(normal)
        return found

    return draw


def _queue(load: float) -> Draw:
    """Sojourn times of a queue with exponential gaps and service (M/M/1), in service times."""

    def draw(rng: np.random.Generator) -> Floats:
        service = rng.exponential(1, _SAMPLES + _BURN_IN)
        gaps = rng.exponential(1 / load, _SAMPLES + _BURN_IN)
        walk = np.cumsum(np.concatenate(([0.0], service[:-1] - gaps[1:])))
        waits = walk - np.minimum.accumulate(walk)
        found: Floats = (waits + service)[_BURN_IN:]
        return found

    return draw


def _bursts(every_s: float) -> Draw:
    """Independent latencies; in bursts of half a second on average, six longer."""

    def draw(rng: np.random.Generator) -> Floats:
        found: Floats = rng.exponential(1, _SAMPLES)
        begins_s = rng.uniform(0, DURATION_S, rng.poisson(DURATION_S / every_s))
        is_in = np.zeros(_SAMPLES, np.bool_)
        for begin_s, length_s in zip(begins_s, rng.exponential(0.5, len(begins_s)), strict=True):
            is_in[int(begin_s * RATE_PER_S) : int((begin_s + length_s) * RATE_PER_S) + 1] = True
        found[is_in] += 6 * rng.uniform(0.5, 1.5, int(is_in.sum()))
        return found

    return draw


def _exponential(mean: float) -> Callable[[float], float]:
    return lambda percent: -mean * math.log(1 - percent / 100)


def _long_run(draw: Draw) -> Callable[[float], float]:
    """True percentiles where no formula gives them: those of 16 hours."""
    drawn: list[Floats] = []

    def true(percent: float) -> float:
        if not drawn:
            rng = np.random.default_rng(99)
            drawn.append(np.sort(np.concatenate([draw(rng) for _ in range(100)])))
        return float(drawn[0][math.ceil(percent / 100 * len(drawn[0])) - 1])

    return true


def series() -> list[Series]:
    """All kinds of series."""
    return [
        Series("independent", _independent, _exponential(1)),
        *(
            Series(f"correlated over {text}", _autocorrelated(length_s), _exponential(1))
            for text, length_s in (("half a second", 0.5), ("5 s", 5.0))
        ),
        *(
            Series(f"queue, {load:.0%} busy", _queue(load), _exponential(1 / (1 - load)))
            for load in (0.5, 0.8, 0.9)
        ),
        *(
            Series(f"a burst each {every_s} s", draw, _long_run(draw))
            for every_s, draw in ((2, _bursts(2)), (10, _bursts(10)))
        ),
    ]


@dataclass(frozen=True)
class Seen:
    """What one look finds."""

    figure: LookFigure
    low: float = math.nan
    high: float = math.nan
    own_half_width: float = math.nan
    """Half of the interval that a run of this fixed length would give."""


def lengths_s() -> list[int]:
    """The windows of all looks, and that of the whole run."""
    found: list[int] = []
    while (length_s := look_length_s(len(found))) < DURATION_S:
        found.append(length_s)
    return [*found, DURATION_S]


def seen_in(values: Floats, percent: float, order: np.typing.NDArray[np.int64]) -> list[Seen]:
    """All looks at a series (n,), whose order (n,) sorts it."""
    found: list[Seen] = []
    largest = 0.0
    ordered = values[order]
    for seconds in lengths_s():
        count = seconds * RATE_PER_S
        within = ordered[order < count]
        seen = _look(values[:count], within, seconds, percent / 100, largest)
        largest = seen.figure.effect
        found.append(seen)
    return found


def _look(values: Floats, ordered: Floats, seconds: int, share: float, largest: float) -> Seen:
    count = len(values)
    value = float(ordered[math.ceil(share * count - 1e-9) - 1])
    if count * min(share, 1 - share) < FEWEST_BEYOND:
        return Seen(LookFigure(value, largest, withheld=TAIL))
    begins = interim.part_begins(seconds) * RATE_PER_S
    above = np.add.reduceat((values > value).astype(np.float64), begins)
    sizes = np.diff(begins, append=count).astype(np.float64)
    beyond = float(above.sum()) / count
    spread = interim.spread(above, sizes, beyond * (1 - beyond) * count)
    largest = max(largest, spread.variance)
    ranks = interim.share_ranks(spread, largest, share, count)
    if isinstance(ranks, str):
        return Seen(LookFigure(value, largest, withheld=ranks))
    low, high = (float(ordered[rank - 1]) for rank in ranks)
    own = interim.share_ranks(spread, spread.variance, share, count)
    own_half = math.nan
    if not isinstance(own, str):
        own_half = float(ordered[own[1] - 1] - ordered[own[0] - 1]) / 2
    return Seen(LookFigure(value, largest, (high - low) / 2), low, high, own_half)


@dataclass
class Outcome:
    """What came of all trials of a series with one precision asked for."""

    asked: str
    covered: list[bool] = field(default_factory=list)
    """Of each run that ended early, whether its interval held the true value."""
    lengths_s: list[int] = field(default_factory=list)
    """Of each run that ended early."""
    errors: list[float] = field(default_factory=list)
    """Of each run that ended early, how far its value was from the true one, as a share."""
    covered_at_all: list[bool] = field(default_factory=list)
    """Of every run with an interval at its end, whether it held the true value."""
    half_widths: list[list[float]] = field(default_factory=list)
    """Of each run, for each look, half of its own interval as a share of the value."""
    trials: int = 0

    def add(self, seen: Sequence[Seen], true: float) -> None:
        """Add one run."""
        self.trials += 1
        ended = ends_at(parse_target(self.asked), seen)
        at_end = seen[-1 if ended is None else ended]
        is_covered = at_end.low <= true <= at_end.high
        if ended is not None:
            self.lengths_s.append(lengths_s()[ended])
            self.covered.append(is_covered)
            self.errors.append((at_end.figure.value or 0.0) / true - 1)
        if not at_end.figure.withheld:
            self.covered_at_all.append(is_covered)
        self.half_widths.append(
            [each.own_half_width / (each.figure.value or math.nan) for each in seen]
        )

    def fixed_s(self) -> float | None:
        """Length of the shortest run whose median half width is the one asked for, by a power law
        between looks; None where the longest is not enough. Runs without an interval count as
        infinitely wide."""
        widths = np.nan_to_num(np.array(self.half_widths), nan=math.inf)
        medians = np.median(widths, axis=0)
        asked = parse_target(self.asked).precision
        enough = np.flatnonzero(medians <= asked)
        if not len(enough):
            return None
        at, tried = int(enough[0]), lengths_s()
        if at == 0 or not math.isfinite(medians[at - 1]):
            return tried[0] * float(medians[0] / asked) ** 2 if at == 0 else tried[at]
        part = math.log(medians[at - 1] / asked) / math.log(medians[at - 1] / medians[at])
        return float(tried[at - 1] * (tried[at] / tried[at - 1]) ** part)


def ends_at(target: Target, seen: Sequence[Seen]) -> int | None:
    """The number of the look after which a run ends before its duration; None for none."""
    rule = StoppingRule([target])
    for number, (length_s, each) in enumerate(zip(lengths_s()[:-1], seen, strict=False)):
        rule.note(length_s, length_s, {target.expression: each.figure})
        if rule.is_reached:
            return number
    return None


def outcomes(kind: Series, trials: int, asked: Sequence[str] = ASKED) -> list[Outcome]:
    """What comes of this many seeded runs of a kind of series, for each precision."""
    rng = np.random.default_rng([_SEED, zlib.crc32(kind.name.encode())])
    found = [Outcome(each) for each in asked]
    percents = {each: parse_target(each).metric.percent or 0.0 for each in asked}
    true = {percent: kind.true(percent) for percent in percents.values()}
    for _ in range(trials):
        values = kind.draw(rng)
        order = np.argsort(values)
        seen = {percent: seen_in(values, percent, order) for percent in true}
        for each in found:
            percent = percents[each.asked]
            each.add(seen[percent], true[percent])
    return found


def table(trials: int) -> str:
    """The table of ``docs/until.md``."""
    return "\n".join(_rows(trials))


def _rows(trials: int) -> Iterator[str]:
    yield (
        "| series | asked | ended early | held the true value | of all runs | error | "
        "mean length | fixed length |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for kind in series():
        for each in outcomes(kind, trials):
            fixed_s = each.fixed_s()
            cells = [
                kind.name,
                each.asked,
                f"{len(each.covered) / each.trials:.1%}",
                _share(each.covered),
                _share(each.covered_at_all),
                f"{np.mean(each.errors):+.1%}" if each.errors else "–",
                f"{np.mean(each.lengths_s):.0f} s" if each.lengths_s else "–",
                f"over {DURATION_S} s" if fixed_s is None else f"{fixed_s:.0f} s",
            ]
            yield f"| {' | '.join(cells)} |"


def _share(of: Sequence[bool]) -> str:
    return f"{np.mean(of):.1%}" if of else "–"

"""Priority inversions: sub-queues whose tasks waited longer than those of lower priority.

A difference counts only where chance, the clocks and the observation cannot explain it.
"""

import itertools
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import msgspec

from bench import units
from bench.measure.histogram import Histogram
from bench.measure.recorder import Interval
from bench.measure.summary import LatencyTable
from bench.workload.scenario import Scenario

STATISTICS: Mapping[str, float] = {"p50": 50.0, "p90": 90.0, "p99": 99.0}
"""The percentiles that are compared. p90 sees what the median hides at low load, where most tasks
do not wait, and needs fewer tasks than p99."""
CHANCE = 0.01
"""Probability at most that a run whose sub-queues are served alike shows any inversion."""
MARGIN = 0.03
"""Share of the lower sub-queue's wait that is ignored. The order of the commands within a batch
delays some sub-queues by that much, whatever the worker does. The rounding of the histograms, 0.1%,
is covered as well."""
FEWEST_BEYOND = 10
"""Samples that must lie on either side of a percentile: 20 in all for p50, 1,000 for p99."""
CLEAR_RATIO = 2.0
"""How much more often a sub-queue must be drawn before another than that before it, so that the
order of their waits does not hang on single draws."""
_STAMP_US = 1
"""Waits are differences of moments that are read to one µs."""


class Inversion(msgspec.Struct, frozen=True):
    """A sub-queue whose tasks waited longer than those of lower priority, by one statistic.

    Waits are in seconds.
    """

    statistic: str
    """``p50``, ``p90`` or ``p99``."""
    interval: str
    """``queue_wait``, or ``e2e`` where the workers did not report when they started a task."""
    higher: str
    higher_s: float
    lower: str
    lower_s: float
    least_difference_s: float
    """By how much ``higher`` waited longer at least, whatever chance, clocks and observation do."""


@dataclass(frozen=True)
class _QueueWaits:
    """The waits of one sub-queue: as measured, and the shortest that the observation allows."""

    name: str
    measured: Histogram
    shortest: Histogram


@dataclass(frozen=True)
class _Estimate:
    """A percentile in µs, and how far above and below it the true one may lie by chance."""

    value_us: float
    up_us: float
    down_us: float

    def least_above(self, lower: "_Estimate") -> float:
        """Returns the lower end of the confidence interval of ``self`` - ``lower``, in µs.

        From the intervals of both (Zou and Donner, Statistics in Medicine 27, 2008, 1693).
        """
        return self.value_us - lower.value_us - math.hypot(self.down_us, lower.up_us)


def ordered_pairs(scenario: Scenario) -> set[tuple[str, str]]:
    """Returns the pairs (higher, lower) of sub-queues of which the higher must not wait longer.

    With strict priority these are all pairs. Where sub-queues are drawn by weight, a sub-queue with
    a larger share of the load may well wait longer than one with a lower weight. Certain are those
    pairs whose higher one has no larger share and ``CLEAR_RATIO`` times the weight.
    """
    shares, weights = scenario.queues, scenario.service_weights
    pairs = itertools.combinations(shares, 2)
    if scenario.priority == "strict":
        return set(pairs)
    return {
        (high, low)
        for high, low in pairs
        if shares[high] <= shares[low] and weights[high] >= CLEAR_RATIO * weights[low]
    }


def find_inversions(
    histograms: LatencyTable,
    queues: Sequence[str],
    *,
    clock_error_us: float = 0.0,
    is_drain: bool = False,
    pairs: Collection[tuple[str, str]] | None = None,
) -> list[Inversion] | None:
    """Returns every pair of sub-queues whose waits prove that their priorities were not kept.

    ``queues`` has the highest priority first. Compared are ``queue_wait`` where it was measured and
    otherwise ``e2e``; of observed runs the shortest possible ``e2e`` of the higher sub-queue with
    the longest of the lower one. ``clock_error_us`` bounds the error of any moment. ``is_drain``
    says that everything was enqueued before anything was served. ``pairs`` are the pairs (higher,
    lower) to compare, None for all. None where no two sub-queues have samples enough to be
    compared.
    """
    interval, waits = _waits(histograms, queues)
    compared = [
        (high, low)
        for high, low in itertools.combinations(range(len(waits)), 2)
        if pairs is None or (waits[high].name, waits[low].name) in pairs
    ]
    comparisons = len(compared) * len(STATISTICS)
    if not comparisons:
        return None
    estimates = _Estimates(NormalDist().inv_cdf(1 - CHANCE / comparisons), is_drain)  # Bonferroni
    resolution_us = _STAMP_US + 2 * clock_error_us
    found, is_judged = [], False
    for statistic, percent in STATISTICS.items():
        longest = [estimates.of(each.measured, percent) for each in waits]
        shortest = [estimates.of(each.shortest, percent) for each in waits]
        for high, low in compared:
            above, below = shortest[high], longest[low]
            if above is None or below is None:
                continue
            is_judged = True
            least_us = above.least_above(below) - resolution_us
            if least_us > MARGIN * max(below.value_us, 0):
                pair = (waits[high], waits[low])
                found.append(_inversion(statistic, interval, *pair, least_us / 1e6))
    return found if is_judged else None


def _waits(
    histograms: LatencyTable, queues: Sequence[str]
) -> tuple[Interval, Sequence[_QueueWaits]]:
    """Returns the interval to compare, and the sub-queues that have samples of it."""
    interval = Interval.QUEUE_WAIT
    if not any(histograms[interval, queue].count for queue in queues):
        interval = Interval.E2E
    waits = []
    for queue in queues:
        measured, shortest = histograms[interval, queue], histograms[Interval.E2E_EARLIEST, queue]
        is_observed = interval is Interval.E2E and shortest.count
        waits.append(_QueueWaits(queue, measured, shortest if is_observed else measured))
    return interval, [each for each in waits if each.measured.count]


def _inversion(
    statistic: str, interval: Interval, high: _QueueWaits, low: _QueueWaits, least_s: float
) -> Inversion:
    high_us, low_us = (each.measured.percentile_us(STATISTICS[statistic]) for each in (high, low))
    return Inversion(
        statistic=statistic,
        interval=str(interval),
        higher=high.name,
        higher_s=(high_us or 0) / 1e6,
        lower=low.name,
        lower_s=(low_us or 0) / 1e6,
        least_difference_s=least_s,
    )


@dataclass(frozen=True)
class _Estimates:
    """Reads percentiles with confidence intervals, which no distribution is assumed for.

    An interval ends at the values whose ranks lie ``deviations`` standard deviations of the
    binomial distribution from the percentile's own (David and Nagaraja, Order Statistics, 2003,
    section 7.1); of n tasks that are served evenly, that is a relative variance of (1/q - 1)/n for
    the percentile q. In a drain that draws sub-queues at random it is (1 + 1/q)/n, because of the
    draws and because by chance one sub-queue has more tasks, so 2/n is added.
    """

    deviations: float
    is_drain: bool

    def of(self, histogram: Histogram, percent: float) -> _Estimate | None:
        """Returns a percentile of the waits; None with too few samples."""
        count, share = histogram.count, percent / 100
        ranks = self.deviations * math.sqrt(count * share * (1 - share))
        if count * min(share, 1 - share) < max(FEWEST_BEYOND, ranks):
            return None
        value, low, high = (
            histogram.percentile_us(percent + 100 * distance / count) or 0
            for distance in (0.0, -ranks, ranks)
        )
        by_draw = self.deviations * value * math.sqrt(2 / count) if self.is_drain else 0.0
        return _Estimate(
            value,
            up_us=math.hypot(high - value, by_draw),
            down_us=math.hypot(value - low, by_draw),
        )


def clauses(found: Sequence[Inversion], *, is_drain: bool) -> list[str]:
    """Returns a clause for each pair of sub-queues, with all statistics that show its inversion.

    Of a drain a clause says which sub-queue was served first, if the medians show that.
    """
    pairs: dict[tuple[str, str], list[Inversion]] = {}
    for each in found:
        pairs.setdefault((each.higher, each.lower), []).append(each)
    return [_clause(shown, is_drain and shown[0].statistic == "p50") for shown in pairs.values()]


def _clause(shown: Sequence[Inversion], is_order_known: bool) -> str:
    """Returns the clause of one pair, whose inversions these are."""
    first = shown[0]
    compared = []
    for each in shown:
        waits = [units.format_duration(wait_s) for wait_s in (each.higher_s, each.lower_s)]
        if is_order_known:
            waits.reverse()
        compared.append(f"{each.statistic} {' against '.join(waits)}")
    figures = f"({first.interval} {', '.join(compared)})"
    if is_order_known:
        return f"{first.lower} was served before {first.higher} {figures}"
    verb = "took" if first.interval == Interval.E2E else "waited"
    return f"{first.higher} {verb} longer than {first.lower} {figures}"

"""How sure a figure is after a part of a run, for a run that ends once it is sure enough; no I/O.

The window so far is divided into equal parts of whole seconds, ``GROUPS`` at most. How much a count
in them varies over long times is estimated as for the record (``bench.measure.confidence``). Its
*design effect* is this variance over that of as many independent samples.

Whoever looks often and stops when an interval happens to be narrow stops when the variance happens
to be underestimated, or when what makes the figure unsure happened to come seldom. Therefore each
look takes the geometric mean of its own design effect and the largest one so far, and its interval
is wider wherever neighbouring parts depend on each other, as fewer separate periods show.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from bench.arrays import Floats, Integers
from bench.measure.confidence import (
    FEWEST_BEYOND,
    GROUPS,
    INDEPENDENT,
    PERIODS,
    SHORT,
    STANDARD_ERRORS,
    TAIL,
    Dependence,
    dependence,
    is_regular,
    worse,
)
from bench.measure.latency_cells import LatencyCells

_MANY_PERIODS = 28.0
"""Effective number of separate periods in ``GROUPS`` parts from which an interval is not made
wider, and fewer in fewer parts: independent samples have as many."""
_WIDER = 2.0


def reach(shown: Dependence, largest: float, independent: float) -> float | None:
    """Returns by how much a count may be off in either direction; None where too few separate
    periods decide it.

    ``shown`` is its design effect, ``largest`` the largest one until now, and ``independent`` the
    variance that it has if its samples are independent.
    """
    if not shown.is_enough:
        return None
    fewest = shown.fewest_periods
    many = max(_MANY_PERIODS * min(shown.slices / GROUPS, 1.0), fewest + 1)
    missing = max(many - shown.periods, 0.0) / (many - fewest)
    effect = math.sqrt(shown.variance * largest)
    return STANDARD_ERRORS * (1 + _WIDER * missing) * math.sqrt(effect * independent)


@dataclass(frozen=True)
class LookFigure:
    """A figure at one look, in its unit, and how sure it is."""

    value: float | None
    effect: float = 0.0
    """The largest design effect so far, for the next look."""
    half_width: float | None = None
    """Half of the 95% interval; None where ``withheld`` says why there is none."""
    withheld: str = ""


def part_begins(seconds: int) -> Integers:
    """Returns the seconds (parts,) in which the equal parts of a window of this length begin."""
    parts = min(seconds, GROUPS)
    begins: Integers = (np.arange(parts) * seconds) // parts
    return begins


def spread(events: Floats, sizes: Floats, independent: float) -> Dependence:
    """Returns the design effect of the sum of the events (parts,) in parts of these sizes (parts,).

    ``independent`` is the variance that the sum has if the events are independent.
    """
    deviations = events - sizes * (events.sum() / max(float(sizes.sum()), 1.0))
    if independent <= 0 or not deviations.any():
        return replace(INDEPENDENT, variance=0.0, slices=len(events))
    shown = dependence(deviations)
    return replace(shown, variance=shown.variance / independent)


def share_ranks(
    shown: Dependence, largest: float, share: float, count: int
) -> tuple[int, int] | str:
    """Returns the ranks, from 1, of the samples that bound the quantile ``share`` of ``count``
    samples, or why there are none: ``tail`` or ``periods``."""
    half = reach(shown, largest, share * (1 - share) * count)
    if half is None:
        return PERIODS
    low, high = math.ceil(share * count - half), math.floor(share * count + half) + 1
    return TAIL if low < 1 or high > count else (low, high)


def percentile_look(cells: LatencyCells, percent: float, largest: float) -> LookFigure:
    """Returns a percentile of these latencies, in seconds.

    ``largest`` is the largest design effect of the looks before.
    """
    count, share = cells.count, percent / 100
    if not count:
        return LookFigure(None, largest, withheld=SHORT)
    bucket = cells.bucket_at(max(math.ceil(share * count - 1e-9), 1))
    value_s = cells.value_s(bucket)
    if count * min(share, 1 - share) < FEWEST_BEYOND - 1e-9:
        return LookFigure(value_s, largest, withheld=TAIL)
    shown = _shown(cells, bucket)
    largest = max(largest, shown.variance)
    ranks = share_ranks(shown, largest, share, count)
    if isinstance(ranks, str):
        return LookFigure(value_s, largest, withheld=ranks)
    low_s, high_s = (cells.value_s(cells.bucket_at(rank)) for rank in ranks)
    return LookFigure(value_s, largest, (high_s - low_s) / 2)


def _shown(cells: LatencyCells, bucket: int) -> Dependence:
    """The design effect of the samples above a bucket; of its two ends, which samples of equal
    latency may set far apart, the worse one."""
    begins, totals = part_begins(cells.seconds), cells.in_seconds()
    sizes = np.add.reduceat(totals, begins)
    found = []
    for end in (bucket, bucket + 1):
        above = np.add.reduceat(cells.in_seconds(end), begins)
        share = float(above.sum()) / cells.count
        found.append(spread(above, sizes, share * (1 - share) * cells.count))
    return worse(*found)


def rate_look(events: Floats, largest: float) -> LookFigure:
    """Returns the rate of the events in consecutive seconds (n,), per second, as
    ``percentile_look`` does a percentile."""
    if not len(events):
        return LookFigure(None, largest, withheld=SHORT)
    begins = part_begins(len(events))
    sizes = np.diff(begins, append=len(events)).astype(np.float64)
    total, parts = float(events.sum()), np.add.reduceat(events, begins)
    shown = spread(parts, sizes, total)
    deviations = parts - sizes * (total / len(events))
    if not shown.is_enough and is_regular(deviations / math.sqrt(max(total, 1.0)), shown, 1.0):
        shown = replace(INDEPENDENT, slices=len(begins))
    largest = max(largest, shown.variance)
    half = reach(shown, largest, total)
    per_s = total / len(events)
    if half is None:
        return LookFigure(per_s, largest, withheld=PERIODS)
    return LookFigure(per_s, largest, half / len(events))

"""How sure a figure is after a part of a run, for a run that ends once it is sure enough; no I/O.

The window so far is divided into equal parts of whole seconds, ``GROUPS`` at most. How much a count
in them varies over long times is estimated as for the record (``bench.measure.confidence``), whose
limits on separate periods are scaled with the number of parts. Its *design effect* is this
variance over that of as many independent samples.

Whoever looks often and stops when an interval happens to be narrow stops when the variance happens
to be underestimated. Therefore each look takes the largest design effect of all looks so far.
"""

import math
from dataclasses import dataclass

import numpy as np

from bench.arrays import Floats, Integers
from bench.measure.confidence import (
    FEWEST_BEYOND,
    FEWEST_PERIODS,
    GROUPS,
    MANY_PERIODS,
    PERIODS,
    SHORT,
    TAIL,
    dependence,
    factor,
)
from bench.measure.latency_cells import LatencyCells


@dataclass(frozen=True)
class PartSpread:
    """How a count spreads over the parts of a window."""

    effect: float
    """Its variance over that of independent samples."""
    periods: float
    """The effective number of separate periods in which it is above its mean."""
    parts: int

    def reach(self, effect: float, independent: float) -> float | None:
        """Returns by how much the count may be off, for this design effect and the variance of
        independent samples; None where too few separate periods decide it."""
        scale = min(self.parts / GROUPS, 1.0)
        enough, many = FEWEST_PERIODS * scale, MANY_PERIODS * scale
        if self.periods < enough:
            return None
        return factor(self.periods, enough, many) * math.sqrt(effect * independent)


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


def spread(events: Floats, sizes: Floats, independent: float) -> PartSpread:
    """Returns how events (parts,) spread over parts of these sizes (parts,).

    ``independent`` is the variance that the sum of the events would have, were they independent.
    """
    deviations = events - sizes * (events.sum() / max(float(sizes.sum()), 1.0))
    if independent <= 0 or not deviations.any():
        return PartSpread(0.0, MANY_PERIODS, len(events))
    shown = dependence(deviations)
    return PartSpread(shown.variance / independent, shown.periods, len(events))


def share_ranks(
    found: PartSpread, effect: float, share: float, count: int
) -> tuple[int, int] | str:
    """Returns the ranks, from 1, of the samples that bound the quantile ``share`` of ``count``
    samples, or why there are none: ``tail`` or ``periods``."""
    half = found.reach(effect, share * (1 - share) * count)
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
    found = _widest(cells, bucket)
    largest = max(largest, found.effect)
    ranks = share_ranks(found, largest, share, count)
    if isinstance(ranks, str):
        return LookFigure(value_s, largest, withheld=ranks)
    low_s, high_s = (cells.value_s(cells.bucket_at(rank)) for rank in ranks)
    return LookFigure(value_s, largest, (high_s - low_s) / 2)


def _widest(cells: LatencyCells, bucket: int) -> PartSpread:
    """How the samples above a bucket spread over the parts; of its two ends, which samples of equal
    latency may set far apart, that with the larger effect, and the fewer periods."""
    begins, totals = part_begins(cells.seconds), cells.in_seconds()
    sizes = np.add.reduceat(totals, begins)
    found = []
    for end in (bucket, bucket + 1):
        above = np.add.reduceat(cells.in_seconds(end), begins)
        share = float(above.sum()) / cells.count
        found.append(spread(above, sizes, share * (1 - share) * cells.count))
    return PartSpread(
        max(each.effect for each in found), min(each.periods for each in found), len(begins)
    )


def rate_look(events: Floats, largest: float) -> LookFigure:
    """Returns the rate of the events in consecutive seconds (n,), per second, as
    ``percentile_look`` does a percentile."""
    if not len(events):
        return LookFigure(None, largest, withheld=SHORT)
    begins = part_begins(len(events))
    sizes = np.diff(begins, append=len(events)).astype(np.float64)
    total = float(events.sum())
    found = spread(np.add.reduceat(events, begins), sizes, total)
    largest = max(largest, found.effect)
    half = found.reach(largest, total)
    per_s = total / len(events)
    if half is None:
        return LookFigure(per_s, largest, withheld=PERIODS)
    return LookFigure(per_s, largest, half / len(events))

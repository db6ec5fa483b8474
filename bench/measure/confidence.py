"""How sure a percentile or a rate of one run is: its confidence interval, or why it has none; no
I/O.

The run is divided into ``GROUPS`` equal slices. In each, the samples above the percentile are
counted. How much their share varies over long times is read from the slow waves in these counts
alone, because these contain the dependence between neighbouring slices: the long-run variance is
the mean square of the projections on the first ``FREEDOM`` cosines (equal-weighted cosines: Müller,
"A theory of robust long-run variance estimation", 2007; Lazarus, Lewis, Stock and Watson, "HAR
inference", 2018), and Student's t has as many degrees of freedom. The interval of the share is read
back as values through the histogram (Woodruff, "Confidence intervals for medians and other position
measures", 1952).

That holds where what lies above the percentile comes in many separate periods (``Dependence``).
With few of them the interval is withheld; with not many it is wider, because those runs that happen
to pass the limit would otherwise be too sure.
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from bench.arrays import Floats
from bench.measure.histogram import Histogram
from bench.measure.sliced import SliceCounts, codes_of

LEVEL = 0.95
"""The share of runs whose intervals are to include the true value."""
GROUPS = 256
"""Number of slices into which a run is divided."""
FREEDOM = 6
STANDARD_ERRORS = 2.4469
"""Standard errors from a figure to either end of its interval, at least: Student's t that is
exceeded, in either direction, with a chance of 5%, with 6 degrees of freedom."""
FEWEST_BEYOND = 20
"""Samples that must lie on either side of a percentile."""
FEWEST_PERIODS = 14.0
"""Effective number of separate periods in ``GROUPS`` slices from which an interval is given."""
_MANY_PERIODS = 22.0
"""From here, and below by up to ``_WIDER``, the interval is not made wider."""
_WIDER = 1.1
_COARSE = 4
"""Neighbouring slices that make a coarse one: noise divides one long period into many short ones,
and less so where it is averaged."""
_FEWEST_COARSE = 5.0
"""Effective number of separate periods in coarse slices."""
_SLOWEST = 4.0
"""By how many times the power of the first ``FREEDOM`` waves may be that of the next. It is one
where the dependence is short, more than this in one of 150 independent series, and about twenty
where the level changes in the middle of the run."""
_NEXT_WAVES = 24
_FEWEST_IN_SHARE, _MANY_IN_SHARE = (5.0, 12.0), (6.0, 18.0)
"""Of fewer slices than ``GROUPS``, fewer periods are asked for, because independent counts have
fewer, too: the first number, and the second one times the share of ``GROUPS``."""
FEWEST_RATE_BINS = 80
"""Bins from which the interval of a rate is given."""

SHORT, TAIL, PERIODS = "short", "tail", "periods"
"""Why there is no interval: the run was too short to be divided, too few samples lie beyond the
percentile, or what lies beyond it comes from too few separate periods."""


class ConfidenceInterval(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The 95% confidence interval of a figure, in its unit, or why there is none.

    ``low`` and ``high`` are None where ``withheld`` says why: ``short``, ``tail`` or ``periods``.
    """

    low: float | None = None
    high: float | None = None
    withheld: str = ""
    needs_s: float | None = None
    """With ``short`` and ``tail``: a window of this length may be long enough, at the same rate."""
    periods: float | None = None
    """With ``periods``: the effective number of separate periods that decide the figure."""

    @property
    def is_known(self) -> bool:
        """Whether there is an interval."""
        return not self.withheld


@dataclass(frozen=True)
class Dependence:
    """What a count in slices shows of its sum.

    The effective number of separate periods is (Σ s)² / Σ s² over the periods in which the count is
    above its mean, with the excess s of each.
    """

    variance: float
    """The variance of the sum."""
    slices: int
    periods: float
    """The effective number of separate periods."""
    coarse_periods: float
    """That number where ``_COARSE`` neighbouring slices are one."""
    slowness: float
    """Power of the waves from which the variance is read, over that of the next faster ones."""

    @property
    def fewest_periods(self) -> float:
        """How many separate periods there must be."""
        return min(FEWEST_PERIODS, _in_share(_FEWEST_IN_SHARE, self.slices))

    @property
    def is_enough(self) -> bool:
        """Whether the variance is known: what decides the sum came often, and not as one change."""
        return (
            self.periods >= self.fewest_periods
            and self.coarse_periods >= _FEWEST_COARSE * min(self.slices / GROUPS, 1.0)
            and self.slowness < _SLOWEST
        )

    @property
    def separate(self) -> float:
        """The least number of separate periods that is seen, to be told where it is not enough."""
        return min(self.periods, self.coarse_periods)

    @property
    def factor(self) -> float:
        """By how many standard errors the interval of a fixed length reaches in either
        direction."""
        many = min(_MANY_PERIODS, _in_share(_MANY_IN_SHARE, self.slices))
        missing = max(many - self.periods, 0.0) / (many - self.fewest_periods)
        return STANDARD_ERRORS * (1 + _WIDER * missing)


def _in_share(line: tuple[float, float], slices: int) -> float:
    return line[0] + line[1] * slices / GROUPS


INDEPENDENT = Dependence(1.0, GROUPS, _MANY_PERIODS, _FEWEST_COARSE, 1.0)
"""The design effect of independent samples; samples that are all alike have it, too."""


def dependence(deviations: Floats) -> Dependence:
    """Returns what a series (n,) with the mean zero shows, whose neighbours may depend on each
    other; at least ``FEWEST_RATE_BINS / 2`` of them."""
    slices = len(deviations)
    powers = (_cosines(slices) @ deviations) ** 2
    slow, faster = float(powers[:FREEDOM].mean()), float(powers[FREEDOM:].mean())
    coarse = np.add.reduceat(deviations, np.arange(0, slices, _COARSE))
    return Dependence(
        variance=slow * slices,
        slices=slices,
        periods=_periods(deviations),
        coarse_periods=_periods(coarse),
        slowness=slow / faster if faster > 0 else math.inf,
    )


def worse(one: Dependence, other: Dependence) -> Dependence:
    """Returns what the worse one of two counts in the same slices shows, in each respect."""
    return Dependence(
        variance=max(one.variance, other.variance),
        slices=one.slices,
        periods=min(one.periods, other.periods),
        coarse_periods=min(one.coarse_periods, other.coarse_periods),
        slowness=max(one.slowness, other.slowness),
    )


def is_regular(deviations: Floats, shown: Dependence, independent: float) -> bool:
    """Returns whether a count varies less than that of independent events does, from slice to slice
    and over long times: then it is known at least as well as theirs, however few slices differ.

    ``deviations`` (n,) of the slices show a variance of the sum, and ``independent`` is what it is
    of independent events.
    """
    return shown.variance <= independent and float(deviations @ deviations) <= independent


@functools.lru_cache(16)
def _cosines(length: int) -> Floats:
    """The first cosines (FREEDOM + _NEXT_WAVES, length), each with the square sum one."""
    middles = np.arange(length) + 0.5
    waves = np.arange(1, FREEDOM + _NEXT_WAVES + 1)[:, None]
    cosines: Floats = math.sqrt(2 / length) * np.cos(math.pi * waves * middles / length)
    return cosines


def _periods(deviations: Floats) -> float:
    is_above = deviations > 0
    if not is_above.any():
        return 0.0
    begins = np.flatnonzero(np.diff(is_above, prepend=not is_above[0]))
    sums = np.add.reduceat(deviations, begins)
    excess = sums[sums > 0]
    return float(excess.sum() ** 2 / (excess**2).sum())


def percentile_interval(
    histogram: Histogram, percent: float, sliced: SliceCounts, window_us: tuple[int, int]
) -> ConfidenceInterval:
    """Returns the confidence interval, in seconds, of a percentile of the samples of a window.

    ``sliced`` has the same samples, and perhaps others outside of the window, whose ends are in µs
    after the start of the run.
    """
    count = histogram.count
    value_us = histogram.percentile_us(percent)
    length_s = (window_us[1] - window_us[0]) / 1e6
    if value_us is None or length_s <= 0:
        return ConfidenceInterval(withheld=SHORT)
    share = percent / 100
    beyond = count * min(share, 1 - share)
    if beyond < FEWEST_BEYOND - 1e-9:
        needs_s = length_s * FEWEST_BEYOND / beyond
        return ConfidenceInterval(withheld=TAIL, needs_s=needs_s)
    groups = _grouped(sliced, window_us)
    if groups is None:
        needs_s = (GROUPS + 1) * sliced.width_us / 1e6
        return ConfidenceInterval(withheld=SHORT, needs_s=needs_s)
    shown = _shown(groups, value_us)
    if not shown.is_enough:
        return ConfidenceInterval(withheld=PERIODS, periods=shown.separate)
    low, high = ranks(count, share, shown)
    if low < 1 or high > count:
        needs_s = length_s * ((high - share * count) / beyond) ** 2
        return ConfidenceInterval(withheld=TAIL, needs_s=needs_s)
    return ConfidenceInterval(low=_ranked_s(histogram, low), high=_ranked_s(histogram, high))


def ranks(count: int, share: float, shown: Dependence) -> tuple[int, int]:
    """Returns the ranks, from 1, of the ends of a percentile's interval among ``count`` samples;
    beyond the first or the last sample where they do not bound it.

    ``shown`` is what ``design_effect`` found for the percentile that has this share of the samples
    below it.
    """
    half = shown.factor * math.sqrt(shown.variance * share * (1 - share) * count)
    return math.ceil(share * count - half), math.floor(share * count + half) + 1


def _ranked_s(histogram: Histogram, rank: int) -> float:
    """The sample with this rank, from 1, in seconds."""
    value_us = histogram.percentile_us(100 * rank / histogram.count)
    return 0.0 if value_us is None else value_us / 1e6


@dataclass(frozen=True)
class _Groups:
    """The slices within a window, and which of them begin each of the groups (GROUPS,)."""

    sliced: SliceCounts
    stop: int
    begins: np.typing.NDArray[np.int64]

    def sums(self, in_slices: Floats) -> Floats:
        """The sums (GROUPS,) of a number for each slice (stop,)."""
        sums: Floats = np.add.reduceat(in_slices, self.begins)
        return sums


def _grouped(sliced: SliceCounts, window_us: tuple[int, int]) -> _Groups | None:
    """The slices that lie within the window as a whole, in equal groups; None if they are fewer
    than the groups."""
    first = -(-window_us[0] // sliced.width_us)
    stop = window_us[1] // sliced.width_us
    if stop - first < GROUPS:
        return None
    begins = first + (np.arange(GROUPS) * (stop - first)) // GROUPS
    return _Groups(sliced, int(stop), begins)


def design_effect(above: Floats, counts: Floats) -> Dependence | None:
    """Returns by how many times the variance of the number of samples above a value is larger than
    that of as many independent samples.

    Of each group (GROUPS,), ``above`` is the number of samples above the value and ``counts`` that
    of all samples. None if all or none of them are above.
    """
    share = float(above.sum() / max(counts.sum(), 1.0))
    independent = share * (1 - share) * float(counts.sum())
    if independent <= 0:
        return None
    shown = dependence(above - share * counts)
    return replace(shown, variance=shown.variance / independent)


def _shown(groups: _Groups, value_us: int) -> Dependence:
    """The design effect of the share above a value, of the worse one of the two ends of the value's
    bucket."""
    counts = groups.sums(groups.sliced.totals(groups.stop))
    code = int(codes_of(np.array([value_us]))[0])
    ends = [
        design_effect(groups.sums(groups.sliced.at_least(end, groups.stop)), counts)
        for end in (code, code + 1)
    ]
    found = [each for each in ends if each is not None]
    return functools.reduce(worse, found) if found else INDEPENDENT


def rate_interval(counts: Sequence[int], bin_s: float) -> ConfidenceInterval:
    """Returns the confidence interval of events per second, from the events of bins (n,) of
    ``bin_s`` seconds each."""
    if len(counts) < FEWEST_RATE_BINS:
        return ConfidenceInterval(withheld=SHORT, needs_s=FEWEST_RATE_BINS * bin_s)
    events = np.array(counts, np.float64)
    mean = float(events.mean())
    deviations = events - mean
    if not deviations.any():
        return ConfidenceInterval(low=mean / bin_s, high=mean / bin_s)
    shown, independent = dependence(deviations), float(events.sum())
    if not shown.is_enough:
        if not is_regular(deviations, shown, independent):
            return ConfidenceInterval(withheld=PERIODS, periods=shown.separate)
        shown = replace(INDEPENDENT, variance=independent, slices=len(counts))
    half = shown.factor * math.sqrt(shown.variance) / len(counts)
    return ConfidenceInterval(low=max(mean - half, 0.0) / bin_s, high=(mean + half) / bin_s)

"""Whether tasks were sent as the schedule asked: spacing, rate, and for random arrivals their law.

Everything is judged by when tasks were *sent*. What is due within one tick of a producer is sent
together, so that a time of sending tells when a task was due only to within that tick, the
resolution. A deviation counts as far as the resolution cannot explain it. A check fails where the
deviation matters, by a threshold, and is no chance, by a p value: of many samples the smallest
deviation is no chance, and of few ones a large one may be.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec
import numpy as np

from bench import units
from bench.arrays import Floats, Integers
from bench.measure.arrival_tests import (
    correlation,
    dispersion,
    distance_beyond,
    erlang_cdf,
    kolmogorov_p,
)
from bench.measure.recorder import BIN_US
from bench.measure.send_times import SentPoints
from bench.workload.schedule import RateProfile

LARGEST_P = 0.0001
"""Probability of a deviation by chance from which on it may be chance."""
MOST_OFF = 0.05
"""Share of the gaps that may be off, and the largest Kolmogorov-Smirnov distance: as if that share
of the gaps were others."""
MOST_RATE_ERROR = 0.005
"""Share by which the rate of sending may differ from that of the schedule."""
MOST_CORRELATION = 0.1
"""Correlation of successive gaps of random arrivals, in either direction, that does not matter."""
MOST_DISPERSION = 1.5
"""Ratio of the variance of counts to that of a Poisson process, either way, that does not matter:
the standard deviation is then a fifth larger or smaller."""
NOTICED_S = 0.001
"""Deviation of a gap from which on it is told that arrivals were uneven."""
TOLERATED_S = 0.005
"""Deviation of a gap from which on it counts against a run: half of the lateness (10 ms) at which
tasks are no longer on time."""
FEWEST_GAPS = 50
"""Gaps from which on their distribution is judged."""
FEWEST_WINDOWS = 20
"""Windows from which on the dispersion of counts is judged."""
_SHORTEST_FOR_RATE_US = 330_000
"""Time between the middles of the thirds of a window that are compared for the rate, at least."""
_FEWEST_EXPECTED = 10.0
"""Tasks that a window must have on average, so that their number is about normal."""
_DISPERSED_BY_TICKS = 0.02
"""Share that the resolution may add to the variance of counts in a window."""


class Outcome(StrEnum):
    """What was found."""

    AS_ASKED = "as asked"
    UNEVEN = "uneven"
    """As asked, but for moments of a few milliseconds."""
    NOT_AS_ASKED = "not as asked"
    NOT_JUDGED = "not judged"


class PoissonFit(msgspec.Struct, frozen=True):
    """How gaps compare with those of a Poisson process."""

    ks_distance: float
    """Kolmogorov-Smirnov distance of their distribution, as far as it is not explained by the
    resolution."""
    ks_p: float
    """Its p value, which is too large rather than too small where the resolution explains a part.
    """
    autocorrelation: float
    """Correlation of each gap with the next."""
    autocorrelation_p: float
    """Its p value."""

    def misfits(self) -> list[str]:
        """Returns what matters of it and is no chance, a clause each."""
        clauses = []
        if self.ks_distance > MOST_OFF and self.ks_p < LARGEST_P:
            clauses.append(
                "the gaps are not those of a Poisson process (Kolmogorov-Smirnov distance "
                f"{self.ks_distance:.1%})"
            )
        if abs(self.autocorrelation) > MOST_CORRELATION and self.autocorrelation_p < LARGEST_P:
            clauses.append(
                f"successive gaps are not independent (correlation {self.autocorrelation:+.2f})"
            )
        return clauses


class Arrivals(msgspec.Struct, frozen=True, kw_only=True):
    """How tasks were sent, against the schedule that was asked for. None is what was not judged."""

    process: str
    """``constant``, ``poisson``, ``trace`` where single tasks of one are replayed, or ``max``."""
    outcome: Outcome
    """``as asked``, ``uneven`` where moments of a few milliseconds are not, ``not as asked``, or
    ``not judged``."""
    reason: str = ""
    """Why it is not judged, or what is not as asked, as clauses."""
    resolution_s: float = 0.0
    """Tasks that are due within this time may be sent together."""
    every: int = 1
    """A gap is that from a task of the schedule to this many tasks after it."""
    gaps: int = 0
    """Number of gaps that were compared with the schedule."""
    off_share: float | None = None
    """Share of the gaps that differ from the schedule's by more than a millisecond."""
    far_off_share: float | None = None
    """Share of the gaps that differ from the schedule's by more than five milliseconds."""
    off_p99_s: float | None = None
    """p99 of the difference of a gap from that of the schedule, in either direction."""
    rate_error: float | None = None
    """By which share the rate of sending was lower than that of the schedule; negative where it was
    higher."""
    sent: PoissonFit | None = None
    """Of the gaps between times of sending, where arrivals are random."""
    due: PoissonFit | None = None
    """Of the gaps between the due times of the same tasks, which no lateness is part of."""
    dispersion: float | None = None
    """Index of dispersion of the numbers of tasks sent in windows, where arrivals are random: 1 for
    a Poisson process."""
    dispersion_p: float | None = None
    """Its p value, by a sign test."""
    dispersion_window_s: float | None = None
    """Length of a window."""


@dataclass(frozen=True)
class Asked:
    """The schedule that was asked for."""

    process: str
    profile: RateProfile | None
    """The offered rate over time; None for a trace of single tasks."""
    resolution_us: int
    every: int


@dataclass(frozen=True)
class Sends:
    """When tasks were sent in the window of a run, in µs after the run's start."""

    points: SentPoints
    """The sample, of the tasks that were due in the window."""
    by_bin: Sequence[int]
    """All tasks, by the bins (0.1 s) of the whole run in which they were sent."""
    start_us: float
    end_us: float
    """Start and end of the window."""


def not_judged(process: str, reason: str) -> Arrivals:
    """Returns what stands for arrivals of which nothing can be said."""
    return Arrivals(process=process, outcome=Outcome.NOT_JUDGED, reason=reason)


def judge(asked: Asked, sends: Sends) -> Arrivals:
    """Returns how tasks were sent, and whether that was as asked."""
    points = sends.points
    first = np.flatnonzero(np.diff(points.numbers) == asked.every)
    if len(first) < FEWEST_GAPS:
        gaps = "gap" if len(first) == 1 else "gaps"
        return not_judged(
            asked.process, f"there are {len(first)} {gaps} between tasks, too few to judge"
        )
    found = _against_schedule(asked, points, first)
    if asked.process == "poisson" and asked.profile is not None:
        found = msgspec.structs.replace(
            found,
            sent=_poisson_fit(asked, points.sent_us, first, found.resolution_s),
            due=_poisson_fit(asked, points.due_us, first, 0.0),
        )
        found = _with_dispersion(found, asked.profile, sends)
    return _judged(found)


def _judged(found: Arrivals) -> Arrivals:
    outcome, clauses = Outcome.NOT_AS_ASKED, _faults(found)
    if not clauses:
        outcome, clauses = Outcome.UNEVEN, _unevenness(found)
    if not clauses:
        outcome = Outcome.AS_ASKED
    return msgspec.structs.replace(found, outcome=outcome, reason="; ".join(clauses))


def _against_schedule(asked: Asked, points: SentPoints, first: Integers) -> Arrivals:
    late_us = points.sent_us - points.due_us
    off_us = np.abs(late_us[first + 1] - late_us[first])
    noticed_us = max(asked.resolution_us, NOTICED_S * 1e6)
    return Arrivals(
        process=asked.process,
        outcome=Outcome.NOT_JUDGED,
        resolution_s=asked.resolution_us / 1e6,
        every=asked.every,
        gaps=len(first),
        off_share=float(np.mean(off_us > noticed_us)),
        far_off_share=float(np.mean(off_us > TOLERATED_S * 1e6)),
        off_p99_s=float(np.quantile(off_us, 0.99, method="inverted_cdf")) / 1e6,
        rate_error=_rate_error(points, late_us),
    )


def _rate_error(points: SentPoints, late_us: Integers) -> float | None:
    """By how much tasks were sent later and later, as a share of the time that passed: from the
    median of the first third to that of the last, which a stall in between does not move."""
    third = len(late_us) // 3
    begin, end = slice(0, third), slice(len(late_us) - third, None)
    passed_us = float(np.median(points.due_us[end]) - np.median(points.due_us[begin]))
    if passed_us < _SHORTEST_FOR_RATE_US:
        return None
    later_us = float(np.median(late_us[end]) - np.median(late_us[begin]))
    return later_us / (passed_us + later_us)


def _poisson_fit(
    asked: Asked, moments_us: Integers, first: Integers, resolution_s: float
) -> PoissonFit:
    """How the gaps of these moments (n,), in expected tasks, fit those of a Poisson process.

    What happened at a moment was due at most the resolution before it, so that each gap lies
    between two bounds. By the time-rescaling theorem a changing rate makes no difference.
    """
    assert asked.profile is not None  # noqa: S101 - random arrivals have one
    latest = asked.profile.counts_at(moments_us / 1e6)
    earliest = asked.profile.counts_at(moments_us / 1e6 - resolution_s)
    low = erlang_cdf(earliest[first + 1] - latest[first], asked.every)
    high = erlang_cdf(latest[first + 1] - earliest[first], asked.every)
    distance = distance_beyond(low, high)
    middle = (low + high) / 2
    follows = np.flatnonzero(np.diff(first) == 1)
    return PoissonFit(
        distance,
        kolmogorov_p(distance, len(first)),
        *correlation(middle[follows], middle[follows + 1]),
    )


def _with_dispersion(found: Arrivals, profile: RateProfile, sends: Sends) -> Arrivals:
    """The dispersion of counts, over windows of whole bins in which enough tasks are expected."""
    begin, end = -(-int(sends.start_us) // BIN_US), int(sends.end_us) // BIN_US
    edges = np.arange(begin, end + 1)
    by_bin = np.zeros(max(end, 0))
    known = sends.by_bin[: len(by_bin)]
    by_bin[: len(known)] = known
    expected = np.diff(profile.counts_at(edges * BIN_US / 1e6))
    if not len(expected) or expected.min() <= 0:
        return found
    # Batches move tasks to the next window. At a rate r, the uneven delays at both ends add
    # r·tick²/6 to the ratio of the variance and the length of a window.
    per_s = float(expected.mean()) * 1e6 / BIN_US
    least_s = per_s * found.resolution_s**2 / 6 / _DISPERSED_BY_TICKS
    bins = max(
        int(np.ceil(_FEWEST_EXPECTED / expected.min())), int(np.ceil(least_s * 1e6 / BIN_US)), 1
    )
    windows = len(expected) // bins
    if windows < FEWEST_WINDOWS:
        return found
    index, p_value = dispersion(
        _sums(by_bin[begin:end], windows, bins), _sums(expected, windows, bins)
    )
    return msgspec.structs.replace(
        found,
        dispersion=index,
        dispersion_p=p_value,
        dispersion_window_s=bins * BIN_US / 1e6,
    )


def _sums(values: Floats, windows: int, bins: int) -> Floats:
    sums: Floats = values[: windows * bins].reshape(windows, bins).sum(axis=1)
    return sums


def _faults(found: Arrivals) -> list[str]:
    """What counts against the run, a clause each."""
    clauses = [] if found.due is None else [f"by schedule, {each}" for each in found.due.misfits()]
    far_off, rate_error = found.far_off_share or 0.0, found.rate_error or 0.0
    if far_off > MOST_OFF:
        clauses.append(_off(far_off, TOLERATED_S))
    if abs(rate_error) > MOST_RATE_ERROR:
        than = "lower" if rate_error > 0 else "higher"
        clauses.append(f"the rate is {abs(rate_error):.1%} {than} than the schedule's")
    if found.dispersion is not None and _is_dispersed(found.dispersion, found.dispersion_p or 0.0):
        clauses.append(
            f"the number of tasks in {units.format_duration(found.dispersion_window_s)} has "
            f"{found.dispersion:.2f} times the variance of a Poisson process"
        )
    return clauses


def _unevenness(found: Arrivals) -> list[str]:
    """What of single moments is not as asked, a clause each."""
    clauses = [] if found.sent is None else found.sent.misfits()
    # The law of random arrivals says whether gaps are off in a way that matters to it.
    off = found.off_share or 0.0
    if found.sent is None and off > MOST_OFF:
        clauses.append(_off(off, max(found.resolution_s, NOTICED_S)))
    return clauses


def _off(share: float, beyond_s: float) -> str:
    return (
        f"{share:.1%} of the gaps between tasks differ from the schedule's by more than "
        f"{units.format_duration(beyond_s)}"
    )


def _is_dispersed(index: float, p_value: float) -> bool:
    is_much = not 1 / MOST_DISPERSION <= index <= MOST_DISPERSION
    return is_much and p_value < LARGEST_P

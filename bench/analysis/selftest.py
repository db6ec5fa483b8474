"""Judges a self-test: what is known of planted delays and losses, beside what was measured.

A latency that lies between two bounds for every single task has percentiles that lie between the
percentiles of the bounds, because ordering preserves the bounds. That is how time stamps around an
event, taken by another process, give a range for a percentile without any assumption about the
machine: it may be as busy as it likes.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.analysis.significance import student_t
from bench.arrays import Floats
from bench.errors import ExitCode
from bench.records.run_record import LatencySummary
from bench.records.selftest_record import (
    ComparedStatistic,
    DelayCheck,
    MeasuredBy,
    RepeatNoise,
    SelftestRecord,
)

_PERCENTS: Mapping[str, float] = {"p50": 50.0, "p99": 99.0}
_RESOLUTION = 2.0**-10
"""Relative width of a bucket of the histograms: three significant digits."""
_TICK_S = 1e-6
"""Stamps are whole microseconds."""
_FEWEST = 3
"""Runs from which on a spread is given."""


@dataclass(frozen=True)
class KnownLatencies:
    """Bounds of a latency for each task (n,), in seconds."""

    low_s: Floats
    high_s: Floats


@dataclass(frozen=True)
class MeasuredSummaries:
    """The summary of a record; with ``earliest``, the latencies lie between the two."""

    summary: LatencySummary
    earliest: LatencySummary | None = None


def nearest_rank(values: Floats, percent: float) -> float:
    """Returns the smallest of the values (n,) that at least ``percent`` % of them do not exceed."""
    rank = max(math.ceil(percent * len(values) / 100 - 1e-9), 1)
    return float(np.sort(values)[rank - 1])


def check_delay(
    path: MeasuredBy,
    interval: str,
    planted_s: float | None,
    known: KnownLatencies,
    measured: MeasuredSummaries,
    clock_error_s: float = 0.0,
    names: Sequence[str] = tuple(_PERCENTS),
) -> DelayCheck:
    """Returns what was measured of an interval beside the bounds of every task.

    ``clock_error_s`` is the error of comparing time stamps of the run with those of the bounds.
    """
    summary, earliest = measured.summary, measured.earliest
    count = len(known.low_s)
    compared = []
    for name in names if count and summary.count else ():
        high_s = getattr(summary, f"{name}_s")
        low_s = high_s if earliest is None else getattr(earliest, f"{name}_s")
        if low_s is None or high_s is None:
            continue
        compared.append(
            ComparedStatistic(
                statistic=name,
                known_low_s=nearest_rank(known.low_s, _PERCENTS[name]),
                known_high_s=nearest_rank(known.high_s, _PERCENTS[name]),
                measured_low_s=low_s,
                measured_high_s=high_s,
                error_s=clock_error_s + abs(high_s) * _RESOLUTION + _TICK_S,
            )
        )
    return DelayCheck(
        path=path,
        interval=interval,
        planted_s=planted_s,
        samples=count,
        measured_samples=summary.count,
        compared=compared,
    )


def noise_of(figure: str, values: Sequence[float]) -> RepeatNoise:
    """Returns how the positive values of a figure in identical runs differ.

    The logarithms are taken for normally distributed: the difference of two further runs then lies
    within t·s·√2 of zero in 95% of all cases, with the quantile t of Student's distribution.
    """
    differs = None
    if len(values) >= _FEWEST and min(values) > 0:
        spread = statistics.stdev(map(math.log, values))
        quantile = student_t(0.975, len(values) - 1)
        differs = math.expm1(quantile * spread * math.sqrt(2))
    return RepeatNoise(figure=figure, values=list(values), differs=differs)


def disagreements(record: SelftestRecord) -> int:
    """Returns how many checks found a figure that is not what it was, or could not be made."""
    delays = sum(not each.agrees for each in record.delays)
    return delays + sum(not each.agrees for each in record.counts) + len(record.problems)


def cannot_tell(record: SelftestRecord) -> list[DelayCheck]:
    """Returns the delays that agree and would have done so had nothing been measured."""
    return [each for each in record.delays if each.agrees and not each.tells]


def checks_made(record: SelftestRecord) -> int:
    """Returns how many planted delays and counts were compared."""
    return len(record.delays) + len(record.counts)


def exit_code(record: SelftestRecord) -> ExitCode:
    """Returns the exit code of the command that made the record: 4 where a measurement does not
    agree with what was planted, or nothing was compared, and 3 where a delay could not be told from
    none."""
    if record.ended == "interrupted":
        return ExitCode.INTERRUPTED
    if disagreements(record) or not checks_made(record) or record.ended != "finished":
        return ExitCode.INVALID
    return ExitCode.INCONCLUSIVE if cannot_tell(record) else ExitCode.PASSED

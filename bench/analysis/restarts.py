"""How the figures of a run differ between starts of its processes and within one.

What differs between starts (the order in which a worker serves its queues, the memory that it got,
the core that it runs on) is the same for all tasks of a run, so a single run cannot show it.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

import numpy as np
import numpy.typing as npt

from bench.analysis.metric_values import confidence_of, value_of
from bench.analysis.significance import chi_square, student_t
from bench.measure.confidence import LEVEL, STANDARD_ERRORS, ConfidenceInterval
from bench.measure.histogram import merged
from bench.measure.verdict_inputs import CUT_SHORT
from bench.records.restarts_record import RestartsRecord, Spread
from bench.records.run_record import RunRecord
from bench.records.summaries import histogram_of
from bench.workload.metrics import Metric, parse_metric
from bench.workload.scenario import Scenario

_COLUMNS: Mapping[str, str] = {
    "enqueue.rate": "enqueued",
    "finished.rate": "finished",
    "completed.rate": "finished",
    "e2e.p50": "e2e_p50_s",
    "e2e.p99": "e2e_p99_s",
}
"""Metrics to the columns of a run's series that have them second by second."""

_FEWEST_FOR_INTERVAL = 3
NOTABLE = 0.05
"""Spread between starts from which on a single run is not enough."""
_MOST_ADVISED = 100
"""Starts beyond which no number of them is advised."""
Values = npt.NDArray[np.float64]


def metrics_of(scenario: Scenario) -> list[str]:
    """Returns the metrics whose spread is shown: rates, latencies, and those of each sub-queue."""
    if not scenario.has_workers:
        return ["enqueue.rate", "enqueue.p50", "enqueue.p99"]
    queues = list(scenario.queues) if len(scenario.queues) > 1 else []
    of_queues = [f"e2e{{{queue}}}.p50" for queue in queues]
    return ["completed.rate", "e2e.p50", "e2e.p99", *of_queues]


def spreads(records: Sequence[RunRecord]) -> list[Spread]:
    """Returns the spread of each metric over these runs of one scenario.

    Runs that are incomplete or were aborted do not count: they were cut short, or lack a part.
    """
    whole = [record for record in records if record.verdict not in CUT_SHORT]
    return [_spread(name, whole) for name in metrics_of(records[0].scenario)]


def _spread(name: str, records: Sequence[RunRecord]) -> Spread:
    metric = parse_metric(name)
    values = [value_of(metric, record) for record in records]
    known = _known(values)
    intervals = [confidence_of(metric, record) for record in records]
    error = _standard_error(intervals)
    between, between_low, between_high = between_starts(known, error or 0.0)
    low, high = interval_over_starts(known)
    return Spread(
        metric=name,
        values=values,
        intervals=intervals,
        between=between,
        between_low=between_low,
        between_high=between_high,
        within=None if error is not None else _by_seconds(name, records),
        error=error,
        pooled=_pooled(metric, records),
        low=low,
        high=high,
    )


def _pooled(metric: Metric, records: Sequence[RunRecord]) -> float | None:
    """The percentile of the tasks of all runs: percentiles cannot be averaged, histograms merge."""
    if metric.kind != "interval" or metric.percent is None:
        return None
    found = [record.latency.get(metric.subject.name, {}).get(metric.queue) for record in records]
    summaries = [each for each in found if each is not None]
    if any(each.negative or each.overflow for each in summaries):
        return None
    pooled = merged(histogram_of(each) for each in summaries).percentile_us(metric.percent)
    return None if pooled is None else pooled / 1e6


def _standard_error(intervals: Sequence[ConfidenceInterval | None]) -> float | None:
    """The standard error of one run's figure as a share, as the root mean square over runs."""
    widths = [
        math.log(each.high / each.low)
        for each in intervals
        if each is not None and each.low and each.high
    ]
    if not widths or len(widths) < len(intervals):
        return None
    return math.sqrt(float(np.mean(np.square(widths)))) / (2 * STANDARD_ERRORS)


def between_starts(values: Values, error: float) -> tuple[float | None, float | None, float | None]:
    """Returns the standard deviation between starts as a share, and both ends of its 95% confidence
    interval.

    ``values`` (n,) are the figures of the runs, and ``error`` is the standard error of each as a
    share; with zero, all that differs counts as between starts. On logarithms, the variance between
    starts is that of the figures less that of their errors, or zero where that is more (random
    effects, by the method of moments). The ends come from the chi-square distribution of the
    variance of the figures, likewise. All three are None with fewer than two figures, and where one
    is zero.
    """
    if len(values) < 2 or values.min() <= 0:
        return None, None, None
    variance = float(np.var(np.log(values), ddof=1))
    low, high = _interval_of_spread(variance, len(values), error)
    return math.sqrt(max(variance - error * error, 0.0)), low, high


def _interval_of_spread(variance: float, starts: int, error: float) -> tuple[float, float]:
    """The 95% confidence interval of the standard deviation between starts, from the variance of
    the logarithms of their figures."""
    low, high = (
        (starts - 1) * variance / chi_square(chance, starts - 1)
        for chance in ((1 + LEVEL) / 2, (1 - LEVEL) / 2)
    )
    explained = error * error
    if high < explained:  # the figures differ by less than their errors: these are too large
        return 0.0, math.sqrt(high)
    return math.sqrt(max(low - explained, 0.0)), math.sqrt(high - explained)


def interval_over_starts(values: Values) -> tuple[float | None, float | None]:
    """Returns the 95% confidence interval of the geometric mean over starts, by Student's t on the
    logarithms of the runs' figures (n,); None with fewer than three, or where one is zero."""
    if len(values) < _FEWEST_FOR_INTERVAL or values.min() <= 0:
        return None, None
    logs = np.log(values)
    reach = student_t(0.975, len(logs) - 1) * float(np.std(logs, ddof=1)) / math.sqrt(len(logs))
    return math.exp(float(logs.mean()) - reach), math.exp(float(logs.mean()) + reach)


def _known(values: Sequence[float | None]) -> Values:
    return np.array([value for value in values if value is not None], np.float64)


def _by_second(record: RunRecord, column: str) -> Values:
    """A column of a run's series, in the whole seconds in which the run was steady."""
    series = record.series
    rows = [dict(zip(series.columns, row, strict=True)) for row in series.rows]
    if record.scenario.worker_start == "after-fill":
        busy = [row for row in rows if row["finished"]]
        chosen = busy[1:-1]
    else:
        start_s = record.warmup.left_out_s
        end_s = start_s + record.window_s
        chosen = [row for row in rows if start_s <= (row["second"] or 0) <= end_s - 1]
    return _known([row.get(column) for row in chosen])


def _by_seconds(name: str, records: Sequence[RunRecord]) -> float | None:
    """The standard deviation from second to second of a run, as a share of the mean."""
    column = _COLUMNS.get(name)
    seconds = [] if column is None else [_by_second(record, column) for record in records]
    long = [each for each in seconds if len(each) > 1 and each.mean()]
    if not long:
        return None
    shares = [float(np.var(each, ddof=1) / each.mean() ** 2) for each in long]
    return math.sqrt(float(np.mean(shares)))


class Answer(Enum):
    """Whether one run of a scenario is enough."""

    TOO_FEW = auto()
    """There are fewer than two whole starts."""
    UNKNOWN = auto()
    """No metric has an interval of what differs between starts, as in older records."""
    ALIKE = auto()
    """With 95% confidence no metric differs by as much as ``NOTABLE`` between starts."""
    UNPROVEN = auto()
    """There are too few starts to tell."""
    DIFFERENT = auto()
    """With 95% confidence a metric differs by ``NOTABLE`` or more between starts."""


@dataclass(frozen=True)
class RestartsJudgement:
    """Whether one run is enough, and by what that is known."""

    answer: Answer
    spread: Spread | None = None
    """The metric that decides."""
    advised: int | None = None
    """With UNPROVEN: the starts with which it may be known, if the figures go on to differ as much;
    None where these are more than a hundred."""


def judge(record: RestartsRecord) -> RestartsJudgement:
    """Returns whether one run is enough, by the intervals of the spread between starts."""
    if whole_starts(record) < 2:
        return RestartsJudgement(Answer.TOO_FEW)
    judged = [each for each in record.spreads if each.between_high is not None]
    if not judged:
        widest = max(record.spreads, key=lambda each: each.between or 0.0, default=None)
        return RestartsJudgement(Answer.UNKNOWN, widest)
    surest = max(judged, key=lambda each: each.between_low or 0.0)
    if (surest.between_low or 0.0) >= NOTABLE:
        return RestartsJudgement(Answer.DIFFERENT, surest)
    widest = max(judged, key=lambda each: each.between_high or 0.0)
    if (widest.between_high or 0.0) < NOTABLE and not unjudged(record):
        return RestartsJudgement(Answer.ALIKE, widest)
    return RestartsJudgement(Answer.UNPROVEN, widest, _advised(widest))


def unjudged(record: RestartsRecord) -> list[str]:
    """Returns the metrics that have figures, but whose spread between starts is not known, such as
    one that only one of the starts has."""
    return [
        each.metric
        for each in record.spreads
        if each.between_high is None and any(value is not None for value in each.values)
    ]


def _advised(spread: Spread) -> int | None:
    """How many starts may tell whether this metric differs, if its figures vary as they do."""
    values = _known(spread.values)
    if len(values) < 2 or values.min() <= 0:  # of a file that was written by hand
        return None
    variance = float(np.var(np.log(values), ddof=1))
    for starts in range(len(values) + 1, _MOST_ADVISED + 1):
        low, high = _interval_of_spread(variance, starts, spread.error or 0.0)
        if low >= NOTABLE or high < NOTABLE:
            return starts
    return None


def rarest_seen(starts: int) -> float:
    """Returns the share of all starts that something must have to be seen in at least one of
    ``starts`` of them, one or more, with a chance of 95%: 1 − 0.05 ** (1 / starts)."""
    return float(1 - (1 - LEVEL) ** (1 / starts))


def whole_starts(record: RestartsRecord) -> int:
    """Returns the number of runs that were not cut short."""
    return sum(run.verdict not in CUT_SHORT for run in record.runs)


def inverted_pairs(record: RestartsRecord) -> Counter[tuple[str, str]]:
    """Returns in how many starts the first sub-queue of a pair waited longer than the second, which
    has lower priority."""
    return Counter(
        pair
        for run in record.runs
        for pair in {(each.higher, each.lower) for each in run.inversions or []}
    )

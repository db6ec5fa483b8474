"""How the figures of a run differ between starts of its processes and within one.

What differs between starts (the order in which a worker serves its queues, the memory that it got,
the core that it runs on) is the same for all tasks of a run, so a single run cannot show it.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from enum import Enum, auto

import numpy as np
import numpy.typing as npt

from bench.analysis.metric_values import confidence_of, value_of
from bench.analysis.significance import student_t
from bench.measure.confidence import ConfidenceInterval
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

_NORMAL = 1.959964
"""Standard errors from a figure to either end of its 95% confidence interval."""
_FEWEST_FOR_INTERVAL = 3
NOTABLE = 0.05
"""Spread between starts from which on a single run is not enough."""
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
    column = _COLUMNS.get(name)
    seconds = [] if column is None else [_by_second(record, column) for record in records]
    known = _known(values)
    between, within = components(known, [each for each in seconds if len(each) > 1])
    intervals = [confidence_of(metric, record) for record in records]
    error = _standard_error(intervals)
    if error is not None and len(known) > 1:
        between = between_starts(known, error)
    low, high = interval_over_starts(known)
    return Spread(
        metric=name,
        values=values,
        between=between,
        within=within,
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
    return math.sqrt(float(np.mean(np.square(widths)))) / (2 * _NORMAL)


def between_starts(values: Values, error: float) -> float | None:
    """Returns the standard deviation between starts, as a share.

    ``values`` (n,), at least two, are the figures of the runs, and ``error`` is the standard error
    of each as a share. It is the method of moments for random effects, on logarithms: the variance
    of the figures, less that of their errors, or zero where that is more. None where a figure is
    zero.
    """
    if values.min() <= 0:
        return None
    variance = float(np.var(np.log(values), ddof=1)) - error**2
    return math.sqrt(max(variance, 0.0))


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


def components(values: Values, seconds: Sequence[Values]) -> tuple[float | None, float | None]:
    """Returns the spread between runs and within one, each as a share of the mean.

    ``values`` (n,) are the figures of the runs, ``seconds`` their values second by second. The
    variance between runs is what is left of the variance of the figures after that has been taken
    away which the seconds of a run explain: the mean variance within runs over the number of
    seconds (a one-way analysis of variance with random effects).
    """
    if not len(values) or not values.mean():
        return None, None
    mean = float(values.mean())
    within_variance = None
    if seconds:
        within_variance = float(np.mean([np.var(each, ddof=1) for each in seconds]))
    within = None if within_variance is None else float(np.sqrt(within_variance)) / mean
    if len(values) < 2:
        return None, within
    variance = float(np.var(values, ddof=1))
    if within_variance is not None:
        variance -= within_variance / float(np.mean([len(each) for each in seconds]))
    return float(np.sqrt(max(variance, 0.0))) / mean, within


class Answer(Enum):
    """Whether one run of a scenario is enough."""

    TOO_FEW = auto()
    """There are fewer than two whole starts."""
    TOO_SHORT = auto()
    """No metric is known second by second, so that differences within a run are not known."""
    ALIKE = auto()
    DIFFERENT = auto()
    """Starts differ, beyond what varies within one."""


def judge(record: RestartsRecord) -> tuple[Answer, Spread | None]:
    """Returns whether one run is enough, and the metric that differs most between starts."""
    judged = [
        each
        for each in record.spreads
        if each.between is not None and (each.within, each.error) != (None, None)
    ]
    if whole_starts(record) < 2:
        return Answer.TOO_FEW, None
    if not judged:
        return Answer.TOO_SHORT, None
    worst = max(judged, key=lambda each: each.between or 0.0)
    is_alike = (worst.between or 0.0) < NOTABLE
    return (Answer.ALIKE if is_alike else Answer.DIFFERENT), worst


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

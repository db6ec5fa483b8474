"""How the objectives of a run (``--slo``) stand while it lasts.

What is known then are latencies from due to finished, rates, and what only grows. The record
decides, once the warm-up is known and every task is accounted for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bench.measure import summary
from bench.measure.histogram import Histogram
from bench.measure.recorder import Interval
from bench.measure.reports import ProducerReport, WorkerReport
from bench.names import ALL_QUEUES
from bench.workload.metrics import Metric, Objective, parse_objective


class ObjectiveState(StrEnum):
    """Whether an objective holds, as far as that is known."""

    MET = "met so far"
    MISSED = "missed so far"
    NOT_REACHED = "not reached yet"
    """A count that can only grow is still below what it is to reach."""
    NO_DATA = "no data yet"
    AT_THE_END = "known at the end"


@dataclass(frozen=True)
class ObjectiveSoFar:
    """An objective, and its value in the metric's unit; None where it is not known."""

    expression: str
    value: float | None
    state: ObjectiveState


@dataclass(frozen=True)
class MeasuredSoFar:
    """What the objectives of a run are read from while it lasts."""

    queues: Sequence[str]
    e2e: Histogram
    """Of all tasks that have finished since the warm-up."""
    producers: Sequence[ProducerReport]
    workers: Sequence[WorkerReport]
    start_s: float
    """Where the part of the run begins that rates are measured in, in seconds after its start."""
    end_s: float
    """Where it ends: now, or where enqueueing has ended."""
    is_filled_first: bool = False
    """Whether workers begin once everything is enqueued: the rate of such a drain is known at its
    end."""


def objectives_so_far(
    expressions: Sequence[str], measured: MeasuredSoFar
) -> tuple[ObjectiveSoFar, ...]:
    """Returns each objective with its value so far. Raises UsageError for one that cannot be
    read."""
    return tuple(_stands(parse_objective(each), measured) for each in expressions)


def _stands(objective: Objective, measured: MeasuredSoFar) -> ObjectiveSoFar:
    metric = objective.metric
    if not _is_known(metric, measured):
        return ObjectiveSoFar(objective.expression, None, ObjectiveState.AT_THE_END)
    if metric.kind == "interval":
        value = latency_s(metric, measured.e2e)
    elif metric.kind == "rate":
        value = rate_per_s(metric, measured)
    else:
        value = float(known_counts(metric, measured)[metric.subject.name])
    return ObjectiveSoFar(objective.expression, value, _state(objective, value))


def _state(objective: Objective, value: float | None) -> ObjectiveState:
    if value is None:
        return ObjectiveState.NO_DATA
    if objective.holds(value):
        return ObjectiveState.MET
    can_be_reached = objective.operator in (">", ">=", "==") and value <= objective.limit
    if objective.metric.kind == "count" and can_be_reached:
        return ObjectiveState.NOT_REACHED
    return ObjectiveState.MISSED


def _is_known(metric: Metric, measured: MeasuredSoFar) -> bool:
    """Whether the newest reports tell the metric's value."""
    name, is_of_all = metric.subject.name, metric.queue == ALL_QUEUES
    if metric.kind == "interval":
        return name == Interval.E2E and is_of_all
    is_observed = any(report.observed is not None for report in measured.workers)
    if metric.kind == "rate":
        if name == "enqueue.rate":
            return True
        is_seen = name == "finished.rate" or not is_observed
        return is_seen and not measured.is_filled_first
    return metric.kind == "count" and not is_observed and name in known_counts(metric, measured)


def latency_s(metric: Metric, e2e: Histogram) -> float | None:
    """Returns the statistic of the metric, in seconds, of a histogram; None of an empty one."""
    if metric.percent is not None:
        value_us: float | None = e2e.percentile_us(metric.percent)
    elif not e2e.count:
        value_us = None
    else:
        named = {"min": e2e.min_us, "max": e2e.max_us, "mean": e2e.mean_us()}
        value_us = named[metric.statistic]
    return None if value_us is None else value_us / 1e6


def rate_per_s(metric: Metric, measured: MeasuredSoFar) -> float | None:
    """Returns the metric's rate over the time of ``measured``; None where that is too short."""
    if metric.subject.name == "enqueue.rate":
        bins = summary.add_bins([report.enqueued_by_bin for report in measured.producers])
    else:
        bins = summary.add_bins([report.finished_by_bin for report in measured.workers])
    if metric.subject.name == "completed.rate":
        failed = summary.add_bins([report.failed_by_bin for report in measured.workers])
        bins = summary.subtract_bins(bins, failed)
    return summary.rate_between(bins, measured.start_s, measured.end_s)


def known_counts(metric: Metric, measured: MeasuredSoFar) -> Mapping[str, int]:
    """Returns the counts of the metric's queue, or of all, that can only grow, by name."""
    workers, queue = measured.workers, metric.queue
    if queue == ALL_QUEUES:
        return {
            "failed": sum(report.failed for report in workers),
            "retried": sum(sum(report.retried.values()) for report in workers),
            "duplicated": sum(sum(report.duplicated.values()) for report in workers),
            "refused": sum(report.refused for report in measured.producers),
        }
    if queue not in measured.queues:
        return {}
    index = measured.queues.index(queue)
    return {
        "failed": sum(report.failed_by_queue.get(index, 0) for report in workers),
        "retried": sum(report.retried.get(queue, 0) for report in workers),
        "duplicated": sum(report.duplicated.get(queue, 0) for report in workers),
    }

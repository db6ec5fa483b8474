"""The values of metrics in run records, and the metrics that comparisons choose by default."""

from collections.abc import Sequence

from bench.errors import UsageError
from bench.measure.confidence import ConfidenceInterval
from bench.names import ALL_QUEUES
from bench.records.run_record import LatencySummary, RunRecord
from bench.workload.metrics import Metric, parse_metric
from bench.workload.scenario import Scenario

_STATISTICS = {
    "min": "min_s",
    "mean": "mean_s",
    "p50": "p50_s",
    "p90": "p90_s",
    "p95": "p95_s",
    "p99": "p99_s",
    "p99.9": "p999_s",
    "max": "max_s",
}
"""Statistics of an interval to the fields of a record's summary."""


def value_of(metric: Metric, record: RunRecord) -> float | None:
    """Returns the metric's value in a run record, in the metric's unit; None if it has none."""
    found: float | None
    match metric.kind:
        case "rate":
            found = getattr(record.rates, metric.subject.field)
        case "cost":
            found = getattr(record.resources, metric.subject.field)
        case "count":
            counts = (
                record.queues.get(metric.queue) if metric.queue != ALL_QUEUES else record.counts
            )
            found = None if counts is None else float(getattr(counts, metric.subject.name))
        case "interval":
            summaries = record.latency.get(metric.subject.name, {})
            summary: LatencySummary | None = summaries.get(metric.queue)
            found = getattr(summary, _STATISTICS[metric.statistic], None)
        case "fault":  # read by objectives alone
            found = None
    return found


def confidence_of(metric: Metric, record: RunRecord) -> ConfidenceInterval | None:
    """Returns how sure the metric's value in a run record is; None where the record does not say,
    as it does of rates and percentiles."""
    if metric.kind == "rate":
        return record.rates.confidence.get(metric.subject.field)
    summary = record.latency.get(metric.subject.name, {}).get(metric.queue)
    if metric.kind != "interval" or summary is None:
        return None
    return summary.confidence.get(_STATISTICS.get(metric.statistic, ""))


def parse_comparable(text: str) -> Metric:
    """Reads a metric by which runs can be compared: a rate, a cost, or a recorded statistic of an
    interval. Raises UsageError for any other."""
    metric = parse_metric(text)
    if metric.kind == "count":
        raise UsageError(
            f"{metric.name!r} is a count, and only rates, costs and latencies are compared: write "
            "for example e2e.p99 or completed.rate"
        )
    if metric.kind == "fault":
        raise UsageError(
            f"{metric.name!r} is for objectives, and runs are compared by rates, costs and "
            "latencies: write for example e2e.p99 or completed.rate"
        )
    if metric.kind == "interval" and metric.statistic not in _STATISTICS:
        raise UsageError(
            f"{metric.name!r}: records hold {', '.join(_STATISTICS)} of an interval; choose one"
        )
    return metric


def gated_by_default(scenario: Scenario) -> Sequence[Metric]:
    """Returns the metrics that a run of this scenario is made for: the rates of a closed loop,
    otherwise latencies."""
    if scenario.worker_start == "after-fill":
        names = ["completed.rate"]
    elif scenario.is_closed_loop:
        names = ["enqueue.rate", *(["completed.rate"] if scenario.has_workers else [])]
    else:
        interval = "e2e" if scenario.has_workers else "enqueue"
        names = [f"{interval}.p50", f"{interval}.p99"]
    return [parse_metric(name) for name in names]


def shown_besides(scenario: Scenario) -> Sequence[Metric]:
    """Returns further metrics that a comparison shows without gating them."""
    names = ["enqueue.p99", "server_cpu_us_per_task"]
    if scenario.has_workers:
        names = ["e2e.p90", "e2e.p99.9", "service.p50", *names]
    gated = {metric.name for metric in gated_by_default(scenario)}
    return [parse_metric(name) for name in names if name not in gated]

"""The metrics that are exported: their names, types, labels and meanings. The one list of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

PREFIX = "runqy_bench_"
_ASYNQ = "asynq_"


class MetricType(StrEnum):
    """What the values of a metric are."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    INFO = "info"
    """A gauge whose value is 1; its labels say something."""
    UNTYPED = "untyped"
    """A gauge whose name, which is not this project's choice, ends like a counter's."""


@dataclass(frozen=True)
class ExportedMetric:
    """A metric as monitoring sees it."""

    name: str
    type: MetricType
    meaning: str
    """One phrase; it is also the metric's help text."""
    labels: Sequence[str] = ()


def _metric(
    name: str, kind: MetricType, meaning: str, *labels: str, prefix: str = PREFIX
) -> tuple[str, ExportedMetric]:
    return name, ExportedMetric(f"{prefix}{name}", kind, meaning, labels)


_C, _G, _I = MetricType.COUNTER, MetricType.GAUGE, MetricType.INFO
_ABOUT = (
    _metric("run_info", _I, "The run", "scenario", "layout", "loop", "version"),
    _metric("worker_info", _I, "The standalone worker", "worker", "layout", "version"),
    _metric("phase", _G, "1 for what the run is doing, else 0", "phase"),
    _metric("elapsed_seconds", _G, "Time since the run's start"),
    _metric("planned_seconds", _G, "Planned time of enqueueing, where there is one"),
    _metric("verdict", _G, "1 for the verdict, 'pending' until the run is over, else 0", "verdict"),
    _metric(
        "objective_met",
        _G,
        "1 where an objective holds, 0 where it is missed: so far, then of the record",
        "objective",
    ),
    _metric("fault_active", _G, "1 while a fault is under way by the plan, else 0", "fault"),
)
_RATES = (
    _metric("expected_tasks_per_second", _G, "Rate of the schedule at this moment"),
    _metric("offered_tasks_per_second", _G, "Tasks sent that were due in the last full second"),
    _metric("acknowledged_tasks_per_second", _G, "Tasks acknowledged in the last full second"),
    _metric("finished_tasks_per_second", _G, "Tasks that ended in the last full second"),
)
_TASKS = (
    _metric("expected_tasks_total", _C, "Tasks that the schedule has due by now"),
    _metric("sent_tasks_total", _C, "Tasks sent"),
    _metric("acknowledged_tasks_total", _C, "Tasks that the server has acknowledged"),
    _metric("refused_tasks_total", _C, "Tasks that the server has refused"),
    _metric("completed_tasks_total", _C, "Tasks that workers completed"),
    _metric("failed_tasks_total", _C, "Tasks that failed for good"),
    _metric("outcome_unknown_tasks_total", _C, "Tasks that ended, well or not is not known"),
    _metric("retried_attempts_total", _C, "Failed attempts that a retry follows", "queue"),
    _metric("unacknowledged_tasks", _G, "Tasks sent that await a reply, or never got one"),
    _metric("in_flight_tasks", _G, "Tasks that workers have taken and not ended"),
    _metric("waiting_retry_tasks", _G, "Tasks that wait for their next attempt, by workers"),
    _metric("queue_tasks", _G, "Ids on the server", "queue", "state"),
    _metric("ledger_tasks", _G, "Tasks by outcome in the record, at the end", "queue", "outcome"),
)
_PROCESSES = (
    _metric(
        "latency_seconds",
        MetricType.HISTOGRAM,
        "Latencies of tasks, warm-up included",
        "queue",
        "stage",
    ),
    _metric("cpu_seconds_total", _C, "CPU time", "role", "process"),
    _metric("reconnects_total", _C, "Connections that were lost and opened again", "role"),
)
_OF_ASYNQ = (
    _metric("queue_size", _G, "Tasks in a queue", "queue", prefix=_ASYNQ),
    _metric(
        "tasks_enqueued_total", MetricType.UNTYPED, "Tasks now", "queue", "state", prefix=_ASYNQ
    ),
    _metric("tasks_processed_total", _C, "Attempts, failed or not", "queue", prefix=_ASYNQ),
    _metric("tasks_failed_total", _C, "Failed attempts", "queue", prefix=_ASYNQ),
)
METRICS: Mapping[str, ExportedMetric] = MappingProxyType(
    dict((*_ABOUT, *_RATES, *_TASKS, *_PROCESSES, *_OF_ASYNQ))
)
"""By the name without its prefix, which is what snapshots use."""
ASYNQ_STATES = ("active", "pending", "scheduled", "retry", "archived", "completed")
"""States of tasks that asynq's exporter knows."""

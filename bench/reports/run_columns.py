"""The columns of a run's report: intervals, percentiles, and counts of the ledger."""

from collections.abc import Sequence

from bench.records.run_record import LatencySummary, RunRecord
from bench.reports import confidence_text
from bench.workload import metrics

_SHOWN = (
    "e2e",
    "e2e_earliest",
    "e2e_from_send",
    "queue_wait",
    "service",
    "enqueue",
    "durable",
    "schedule_lag",
)
INTERVALS = {name: metrics.INTERVALS[name].meaning for name in _SHOWN}
"""The intervals of a task in the order of the reports, and the two moments each lies between."""
PERCENTILES = (
    ("p50", "p50_s"),
    ("p90", "p90_s"),
    ("p99", "p99_s"),
    ("p99.9", "p999_s"),
    ("max", "max_s"),
)
"""Heading of each latency column, and the field of a summary that fills it."""
QUEUE_INTERVALS = ("e2e", "queue_wait", "enqueue")
"""Intervals that are shown for each sub-queue."""

_ALWAYS_COUNTED = ("due", "enqueued", "completed", "lost", "duplicated", "unknown")
_COUNTED_IF_ANY = (
    "failed",
    "outcome_unknown",
    "retried",
    "pending",
    "active",
    "not_sent",
    "refused",
    "not_replicated",
)


def percentiles(
    summary: LatencySummary, columns: Sequence[tuple[str, str]] = PERCENTILES
) -> list[str]:
    """Returns one duration per column, with its margin where that is known; ``columns`` are pairs
    of a heading and a field."""
    return [confidence_text.duration(summary, field) for _, field in columns]


def ledger_columns(record: RunRecord) -> list[str]:
    """Returns the counts to show: the essential ones, and others that are not zero."""
    return [
        *_ALWAYS_COUNTED,
        *(name for name in _COUNTED_IF_ANY if getattr(record.counts, name)),
    ]

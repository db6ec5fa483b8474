"""Sentences and figures that all reports of a run share."""

from collections.abc import Sequence

from bench import units
from bench.records.run_record import LatencySummary, RunRecord
from bench.workload.metrics import format_value, parse_objective

INTERVALS = {
    "e2e": "due → finished",
    "e2e_earliest": "due → finished, lower bound",
    "e2e_from_send": "sent → finished (uncorrected)",
    "queue_wait": "sent → started",
    "service": "started → finished",
    "enqueue": "sent → acknowledged",
    "schedule_lag": "due → sent",
}
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
CLOSED_LOOP = "closed loop: there is no schedule, so a task is due when it is sent"

_ALWAYS_COUNTED = ("due", "enqueued", "completed", "lost", "duplicated", "unknown")
_COUNTED_IF_ANY = ("failed", "retried", "pending", "active", "not_sent", "refused")


def verdict(record: RunRecord) -> str:
    """Returns the verdict in capitals: ``VALID``, ``GENERATOR LIMITED``."""
    return record.verdict.upper().replace("_", " ")


def offered(record: RunRecord) -> str:
    """Returns the offered load: ``offered 850/s``, or how a closed loop sends."""
    rate = record.rates.asked_per_s
    return "sent as fast as possible" if rate is None else f"offered {units.format_rate(rate)}"


def percentiles(
    summary: LatencySummary, columns: Sequence[tuple[str, str]] = PERCENTILES
) -> list[str]:
    """Returns one duration per column; ``columns`` are pairs of a heading and a field."""
    return [units.format_duration(getattr(summary, field)) for _, field in columns]


def objective_value(expression: str, value: float | None) -> str:
    """Returns the value that was measured for an objective, with its unit."""
    if value is None:
        return "nothing, and without data an objective fails"
    return format_value(parse_objective(expression).metric, value)


def observed(record: RunRecord) -> str:
    """Returns how completions were observed; empty where workers measured themselves."""
    observation = record.observation
    if observation is None:
        return ""
    method = observation.method
    if observation.resolution_p50_s is None or observation.resolution_p99_s is None:
        return f"completions were watched for from outside ({method}), but none was seen"
    exceptions = [
        f"; {units.format_count(count)} of them {what}"
        for count, what in (
            (observation.unended, "never seen to end"),
            (observation.unseen, "ended before the first look"),
        )
        if count
    ]
    return (
        f"completions observed from outside ({method}), each to within "
        f"{units.format_duration(observation.resolution_p50_s)} at p50 and "
        f"{units.format_duration(observation.resolution_p99_s)} at p99, so the true end-to-end "
        f"latency lies between e2e_earliest and e2e; "
        f"{units.format_count(observation.traced)} tasks traced "
        f"({observation.traced_share:.0%}){''.join(exceptions)}"
    )


def warmup(record: RunRecord) -> str:
    """Returns what was excluded as warm-up; empty where nothing was."""
    excluded = record.warmup
    if not excluded.left_out_s:
        return ""
    slowest = (
        f", the slowest {units.format_duration(excluded.e2e_max_s)}"
        if excluded.e2e_max_s is not None
        else ""
    )
    how = "detected" if excluded.method != "fixed" else "as configured"
    return (
        f"{units.format_duration(excluded.left_out_s)} of warm-up ({how};"
        f" {units.format_count(excluded.tasks)} tasks excluded{slowest})"
    )


def ledger_columns(record: RunRecord) -> list[str]:
    """Returns the counts to show: the essential ones, and others that are not zero."""
    return [
        *_ALWAYS_COUNTED,
        *(name for name in _COUNTED_IF_ANY if getattr(record.counts, name)),
    ]


def costs(record: RunRecord) -> list[str]:
    """Returns what one task cost Redis: CPU, commands, bytes and memory, where measured."""
    resources = record.resources
    on_the_wire = units.format_bytes(resources.server_bytes_per_task)
    in_memory = units.format_bytes(resources.server_memory_bytes_per_task)
    figures = (
        (resources.server_cpu_us_per_task, "{:.1f} µs CPU"),
        (resources.server_commands_per_task, "{:.1f} commands"),
        (resources.server_bytes_per_task, f"{on_the_wire} on the wire"),
        (resources.server_memory_bytes_per_task, f"{in_memory} of memory"),
    )
    return [text.format(value) for value, text in figures if value is not None]

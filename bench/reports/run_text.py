"""What all reports of a run say in the same words."""

from bench import units
from bench.records.run_record import RunRecord
from bench.workload.metrics import format_value, parse_objective

STAGES = {
    "e2e": "due → finished",
    "e2e_earliest": "due → finished, at the least",
    "e2e_from_send": "sent → finished (not corrected)",
    "queue_wait": "sent → started",
    "service": "started → finished",
    "enqueue": "sent → acknowledged",
    "schedule_lag": "due → sent",
}
PERCENTILES = (
    ("p50", "p50_s"),
    ("p90", "p90_s"),
    ("p99", "p99_s"),
    ("p99.9", "p999_s"),
    ("max", "max_s"),
)
QUEUE_STAGES = ("e2e", "queue_wait", "enqueue")
"""Stages that are shown for each sub-queue."""

_ALWAYS_COUNTED = ("due", "enqueued", "completed", "lost", "duplicated", "unknown")
_COUNTED_IF_ANY = ("failed", "retried", "pending", "active", "not_sent", "refused")


def verdict(record: RunRecord) -> str:
    """``VALID``, ``GENERATOR LIMITED``."""
    return record.verdict.upper().replace("_", " ")


def asked(record: RunRecord) -> str:
    """The offered rate."""
    rate = record.rates.asked_per_s
    return "as fast as possible" if rate is None else units.format_rate(rate)


def objective_value(expression: str, value: float | None) -> str:
    """What was measured for an objective, with its unit."""
    if value is None:
        return "nothing, and without data an objective fails"
    return format_value(parse_objective(expression).metric, value)


def observed(record: RunRecord) -> str:
    """How completions were seen from outside; empty where workers measured themselves."""
    seen = record.observation
    if seen is None:
        return ""
    if seen.resolution_p50_s is None or seen.resolution_p99_s is None:
        return f"completions were looked for from outside by {seen.method}, and none was seen"
    unended = f"; {units.format_count(seen.unended)} did not" if seen.unended else ""
    unseen = f"; {units.format_count(seen.unseen)} ended unseen" if seen.unseen else ""
    return (
        f"completions seen from outside by {seen.method}, each to within "
        f"{units.format_duration(seen.resolution_p50_s)} (p50) and "
        f"{units.format_duration(seen.resolution_p99_s)} (p99): e2e lies between e2e_earliest and "
        f"e2e; {units.format_count(seen.traced)} tasks followed "
        f"({seen.traced_share:.0%}){unended}{unseen}"
    )


def left_out(record: RunRecord) -> str:
    """What was left out as warm-up; empty where nothing was."""
    warmup = record.warmup
    if not warmup.left_out_s:
        return ""
    longest = (
        f", their longest {units.format_duration(warmup.e2e_max_s)}"
        if warmup.e2e_max_s is not None
        else ""
    )
    how = "found" if warmup.method != "fixed" else "as asked"
    return (
        f"{units.format_duration(warmup.left_out_s)} of warm-up ({how};"
        f" {units.format_count(warmup.tasks)} tasks left out{longest})"
    )


def ledger_columns(record: RunRecord) -> list[str]:
    """Counts to show: those that are zero for all tasks are left out, but for the damning ones."""
    return [
        *_ALWAYS_COUNTED,
        *(name for name in _COUNTED_IF_ANY if getattr(record.counts, name)),
    ]


def costs(record: RunRecord) -> list[str]:
    """What a task cost Redis, as far as it could be seen."""
    resources = record.resources
    said = [
        f"{resources.server_cpu_us_per_task:.1f} µs CPU"
        if resources.server_cpu_us_per_task is not None
        else None,
        f"{resources.server_commands_per_task:.1f} commands"
        if resources.server_commands_per_task is not None
        else None,
        f"{units.format_bytes(resources.server_bytes_per_task)} on the wire"
        if resources.server_bytes_per_task is not None
        else None,
        f"{units.format_bytes(resources.server_memory_bytes_per_task)} of memory"
        if resources.server_memory_bytes_per_task is not None
        else None,
    ]
    return [cost for cost in said if cost]


def cores(value: float | None) -> str:
    """``0.42``."""
    return "–" if value is None else f"{value:.2f}"

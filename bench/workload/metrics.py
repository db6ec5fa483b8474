"""The one grammar of metrics and objectives: ``e2e.p99``, ``e2e.p99 < 50ms``, ``lost == 0``.

Objectives, gates, trends, reports and plans all read metrics through this module, and take a
metric's unit and direction from its table.

    objective  = metric operator value
    metric     = interval [ queue ] "." statistic | rate | count [ queue ] | cost
               | "recovery" faults ".time" | ( fault-count ) faults
    queue      = "{" name "}"
    faults     = "{" kind of fault | "all" "}"
    statistic  = "min" | "mean" | "max" | percentile, from "p0.001" to "p100"
    operator   = "<" | "<=" | ">" | ">=" | "=="

A value is written with its unit: a duration (``50ms``), a rate (``40000/s``). A count is a whole
number, and a cost may be a bare one where its name says the unit.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from bench import units
from bench.errors import UsageError, nearest, quoted
from bench.names import ALL_QUEUES
from bench.workload.comparisons import Unit, is_true, read_value, split_comparison
from bench.workload.faults import FaultKind

Kind = Literal["interval", "rate", "count", "cost", "fault", "live"]
"""``live`` is known only while a run lasts: see ``bench.workload.guards``."""
Direction = Literal["lower", "higher", "neither"]
"""Which change of a metric is an improvement."""


@dataclass(frozen=True)
class Subject:
    """What can be measured, before a queue and a statistic are chosen."""

    name: str
    kind: Kind
    unit: Unit
    better: Direction
    meaning: str
    """One phrase for tables and documentation."""
    field: str
    """The name of the record's field that holds it."""


def _table(
    kind: Kind, unit: Unit, better: Direction, meanings: Mapping[str, str]
) -> dict[str, Subject]:
    return {name: Subject(name, kind, unit, better, text, name) for name, text in meanings.items()}


def _rate(name: str, meaning: str, field: str) -> Subject:
    text = f"{meaning}, per second of the window"
    return Subject(name, "rate", Unit.PER_SECOND, "higher", text, field)


INTERVALS: Mapping[str, Subject] = MappingProxyType(
    _table(
        "interval",
        Unit.SECONDS,
        "lower",
        {
            "schedule_lag": "due → sent",
            "enqueue": "sent → acknowledged",
            "durable": "acknowledged → replicated as asked",
            "queue_wait": "sent → started",
            "service": "started → finished",
            "e2e": "due → finished",
            "e2e_from_send": "sent → finished (uncorrected)",
            "e2e_earliest": "due → finished, lower bound",
        },
    )
)
"""The intervals between the moments of a task, in the order of the moments."""

RATES: Mapping[str, Subject] = MappingProxyType(
    {
        each.name: each
        for each in (
            _rate("enqueue.rate", "tasks that Redis acknowledged", "enqueued_per_s"),
            _rate("completed.rate", "tasks that workers completed", "completed_per_s"),
            _rate("finished.rate", "tasks that workers completed or archived", "finished_per_s"),
        )
    }
)

COUNTS: Mapping[str, Subject] = MappingProxyType(
    {
        **_table(
            "count",
            Unit.TASKS,
            "neither",
            {
                "due": "due by the schedule",
                "enqueued": "acknowledged by Redis",
                "completed": "completed by a worker",
                "pending": "still waiting in a queue at the end",
                "active": "still held by a worker at the end",
            },
        ),
        **_table(
            "count",
            Unit.TASKS,
            "lower",
            {
                "failed": "failed for good",
                "outcome_unknown": "ended, well or not is not known",
                "retried": "attempts that failed and were retried",
                "lost": "enqueued, and found nowhere",
                "duplicated": "completed or archived more than once",
                "unknown": "sent, but no reply came",
                "not_sent": "due, and never on the queue",
                "refused": "refused by Redis",
                "not_replicated": "acknowledged, but not replicated as asked",
            },
        ),
    }
)

COSTS: Mapping[str, Subject] = MappingProxyType(
    {
        **_table(
            "cost",
            Unit.MICROSECONDS,
            "lower",
            {"server_cpu_us_per_task": "CPU time of Redis per task"},
        ),
        **_table(
            "cost",
            Unit.BYTES,
            "lower",
            {
                "server_bytes_per_task": "network traffic of Redis per task",
                "server_memory_bytes_per_task": "memory of Redis per task",
            },
        ),
    }
)

ALL_FAULTS = "all"
"""What is written for the faults of every kind."""
_RECOVERY = "recovery"

OF_FAULTS: Mapping[str, Subject] = MappingProxyType(
    {
        _RECOVERY: Subject(
            _RECOVERY,
            "fault",
            Unit.SECONDS,
            "lower",
            "begin of a fault → everything back where it had been; the longest one",
            "recovered_s",
        ),
        **_table(
            "fault",
            Unit.TASKS,
            "lower",
            {
                "lost": "enqueued, found nowhere, and explained by such a fault",
                "duplicated": "completed or archived more than once through such a fault",
                "run_again": "taken by a worker again, as such a fault cut their attempt off",
                "unknown": "sent, without a reply, and seen nowhere, through such a fault",
                "refused": "refused by Redis through such a fault",
            },
        ),
    }
)
"""What faults do to the tasks of a run: of those of one kind, or of all. In braces the name of a
kind of fault means its faults, and any other name a sub-queue."""

_METRIC = re.compile(r"(?P<name>\w+)(?:\{(?P<queue>[^{}]+)\})?(?:\.(?P<statistic>[\w.]+))?")
_PERCENTILE = re.compile(r"p(\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class Metric:
    """One metric: a subject, the queue it is restricted to, and a statistic of it."""

    subject: Subject
    queue: str = ALL_QUEUES
    """A sub-queue, or ``all``."""
    statistic: str = ""
    """``min``, ``mean``, ``max`` or a percentile such as ``p99.9``; empty unless an interval."""
    faults: str = ""
    """The kind of the faults that are meant, or ``all``; empty unless it is about faults."""

    @property
    def name(self) -> str:
        """The metric as it is written: ``parse_metric`` reads it back."""
        if self.faults:
            end = ".time" if self.subject.name == _RECOVERY else ""
            return f"{self.subject.name}{{{self.faults}}}{end}"
        queue = "" if self.queue == ALL_QUEUES else f"{{{self.queue}}}"
        return f"{self.subject.name}{queue}" + (f".{self.statistic}" if self.statistic else "")

    @property
    def kind(self) -> Kind:
        """Whether the metric is an interval, a rate, a count, a cost or about faults."""
        return self.subject.kind

    @property
    def unit(self) -> Unit:
        """The unit of the metric's values."""
        return self.subject.unit

    @property
    def higher_is_better(self) -> bool:
        """Whether a higher value is an improvement."""
        return self.subject.better == "higher"

    @property
    def percent(self) -> float | None:
        """The percentage of a percentile; None for any other statistic."""
        match = _PERCENTILE.fullmatch(self.statistic)
        return float(match[1]) if match else None


@dataclass(frozen=True)
class Objective:
    """A bound on a metric."""

    expression: str
    """The objective as the user wrote it."""
    metric: Metric
    operator: str
    limit: float
    """The bound, in the metric's unit."""

    def holds(self, value: float | None) -> bool:
        """Returns whether a measured value meets the objective; False without data."""
        return value is not None and is_true(value, self.operator, self.limit)


def parse_metric(text: str) -> Metric:
    """Reads a metric. Raises UsageError that says what cannot be read and what exists."""
    written = text.strip()
    match = _METRIC.fullmatch(written)
    if match is None:
        raise UsageError(
            f"{quoted(written)} is not a metric: write for example e2e.p99 or enqueue.rate"
        )
    name, queue, statistic = match["name"], match["queue"], match["statistic"]
    if name in OF_FAULTS and (name not in COUNTS or queue in [*FaultKind]):
        return Metric(OF_FAULTS[name], faults=_faults(name, queue, statistic))
    rate = RATES.get(f"{name}.{statistic}")
    if rate is not None and queue is None:
        return Metric(rate)
    if name in INTERVALS:
        return Metric(INTERVALS[name], queue or ALL_QUEUES, _statistic(name, statistic))
    if name in COUNTS and statistic is None:
        return Metric(COUNTS[name], queue or ALL_QUEUES)
    if written in COSTS:
        return Metric(COSTS[written])
    raise UsageError(f"{quoted(written)} is not measured{_suggestion(name)}")


def _faults(name: str, faults: str | None, statistic: str | None) -> str:
    """The kind of the faults that are meant, or ``all``. Raises UsageError."""
    end = ".time" if name == _RECOVERY else ""
    if faults is None or (statistic or "") != end.removeprefix("."):
        kind = faults or FaultKind.RESTART
        raise UsageError(f"{name} is about faults: write for example {name}{{{kind}}}{end}")
    known = [*map(str, FaultKind), ALL_FAULTS]
    if faults not in known:
        hint = nearest(faults, known) or f": there are {', '.join(known)}"
        raise UsageError(f"{quoted(faults)} is no kind of fault{hint}")
    return faults


def _statistic(interval: str, statistic: str | None) -> str:
    percentile = _PERCENTILE.fullmatch(statistic or "")
    is_percentile = percentile is not None and 0 < float(percentile[1]) <= 100
    if statistic in ("min", "mean", "max") or is_percentile:
        return str(statistic)
    raise UsageError(
        f"{interval} needs a statistic: min, mean, max, or a percentile as p99, "
        f"for example {interval}.p99"
    )


def _suggestion(name: str) -> str:
    known = [
        *INTERVALS,
        *RATES,
        *COUNTS,
        *COSTS,
        *(each for each in OF_FAULTS if each not in COUNTS),
    ]
    hint = "" if name in known else nearest(name, known, cutoff=0.75)
    return hint or f"; there are {', '.join(known)}"


def parse_objective(expression: str) -> Objective:
    """Reads an objective. Raises UsageError, beginning with the expression, that names the part
    that cannot be read."""
    parts = split_comparison(expression)
    if parts is None:
        raise UsageError(
            f"{quoted(expression)} is not an objective: write for example e2e.p99 < 50ms"
        )
    try:
        metric = parse_metric(parts.left)
        limit = read_value(metric.unit, parts.right)
    except UsageError as error:
        raise UsageError(f"{quoted(expression)}: {error}") from None
    return Objective(expression.strip(), metric, parts.operator, limit)


def format_value(metric: Metric, value: float) -> str:
    """Returns a value of the metric with its unit, as people read it."""
    match metric.unit:
        case Unit.SECONDS:
            return units.format_duration(value)
        case Unit.PER_SECOND:
            return units.format_rate(value)
        case Unit.TASKS:
            return units.format_count(value)
        case Unit.MICROSECONDS:
            return f"{value:.2f} µs"
        case Unit.BYTES:
            return units.format_bytes(value)
        case Unit.SHARE:
            return f"{value:.1%}"

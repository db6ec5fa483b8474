"""The grammar of guards: conditions on which a run ends at once, as ``redis.memory > 80%``.

    guard    = live operator value [ "for" duration ]
    live     = "redis.memory" | "redis.cpu" | "backlog" [ queue ] | "errors"
             | "e2e" "." statistic | rate
             | "failed" [ queue ] | "retried" [ queue ] | "duplicated" [ queue ] | "refused"

The rest is as in objectives (``bench.workload.metrics``), but a guard says what must *not* be: the
run ends as soon as its comparison is true, or has been true for the duration. ``none`` in place of
a guard switches off the one that runs on servers of others have by default.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import msgspec

from bench import units
from bench.errors import UsageError, nearest, quoted
from bench.names import ALL_QUEUES
from bench.workload import comparisons, metrics
from bench.workload.comparisons import Unit
from bench.workload.metrics import Metric, Subject

NO_DEFAULT = "none"
"""What is written to have no guard but those that are written."""


def _live(name: str, unit: Unit, meaning: str) -> Subject:
    return Subject(name, "live", unit, "lower", meaning, "")


LIVE: Mapping[str, Subject] = MappingProxyType(
    {
        each.name: each
        for each in (
            _live("redis.memory", Unit.SHARE, "memory of Redis, of its limit, or in bytes"),
            _live("redis.cpu", Unit.SHARE, "CPU time of Redis in the last second, of one core"),
            _live("backlog", Unit.TASKS, "tasks that wait in the queues, or in one"),
            _live("errors", Unit.SHARE, "tasks refused or failed for good, of those answered"),
        )
    }
)
"""What only guards can name. The limit of the memory is ``maxmemory``, or where none is set, the
memory of the server's machine."""
GROWING_COUNTS = ("failed", "retried", "duplicated", "refused")
"""The counts of the ledger that are known while a run lasts."""
MEMORY_GUARD = "redis.memory > 80%"
"""What a run on a server that is not its own has, unless it says something else of the memory."""


@dataclass(frozen=True)
class Guard:
    """A comparison that ends a run once it is true, or has been true for a while."""

    expression: str
    """The guard as the user wrote it."""
    metric: Metric
    operator: str
    limit: float
    """In the metric's unit."""
    lasts_s: float = 0.0
    """How long the comparison must have been true; zero for once."""

    def is_true(self, value: float | None) -> bool:
        """Whether the comparison is true for a value; False for None, which is no value."""
        return value is not None and comparisons.is_true(value, self.operator, self.limit)


class Aborted(msgspec.Struct, frozen=True, kw_only=True):
    """What ended a run before its time."""

    guard: str
    """The guard as written."""
    value: float
    """The value that ended the run, in base units; a percentage is stored as a number from 0 on."""
    at_s: float
    """When, in seconds after the start of the run."""
    reason: str
    """All of it as one sentence, with what a percentage is of."""


def parse_guard(expression: str) -> Guard:
    """Reads a guard. Raises UsageError, beginning with the expression, that names the part that
    cannot be read."""
    written = " ".join(expression.split())
    condition, said, duration = written.partition(" for ")
    parts = comparisons.split_comparison(condition)
    if parts is None:
        raise UsageError(
            f"{quoted(expression)} is not a guard: write for example redis.memory > 80%, "
            "backlog > 100000, e2e.p99 > 1s for 10s, or none"
        )
    try:
        lasts_s = units.parse_duration(duration) if said else 0.0
        metric = _metric(parts.left, parts.right)
        limit = comparisons.read_value(metric.unit, parts.right)
        guard = Guard(written, metric, parts.operator, limit, lasts_s)
        _require_possible(guard)
    except UsageError as error:
        raise UsageError(f"{quoted(expression)}: {error}") from None
    return guard


def guards_of(expressions: Sequence[str]) -> list[Guard]:
    """Returns the guards that are written, without ``none``. Raises UsageError."""
    return [parse_guard(each) for each in expressions if each != NO_DEFAULT]


def _metric(name: str, value: str) -> Metric:
    """The metric of a guard, which for the memory has the unit of the value."""
    subject, _, queue = name.removesuffix("}").partition("{")
    if subject not in LIVE:
        return _known_live(name)
    if queue and subject != "backlog":
        raise UsageError(f"{subject} is not known by queue: leave out {{{queue}}}")
    found = LIVE[subject]
    if subject == "redis.memory" and not value.endswith("%"):
        if re.fullmatch(units.NUMBER_PATTERN, value):
            raise UsageError(f"{quoted(value)} has no unit: write {value}% or {value}MiB")
        found = Subject(found.name, found.kind, Unit.BYTES, found.better, found.meaning, "")
    return Metric(found, queue or ALL_QUEUES)


def _known_live(name: str) -> Metric:
    """A metric of objectives that is known while a run lasts. Raises UsageError for another."""
    try:
        metric = metrics.parse_metric(name)
    except UsageError as error:
        raise UsageError(_suggested(name) or str(error)) from None
    subject = metric.subject.name
    if subject == "e2e" and metric.queue != ALL_QUEUES:
        raise UsageError("by queue, e2e is known at the end only: write e2e without a queue")
    if subject != "e2e" and metric.kind != "rate" and subject not in GROWING_COUNTS:
        raise UsageError(
            f"{subject} is known at the end only: write one of "
            f"{', '.join([*LIVE, 'e2e', *metrics.RATES, *GROWING_COUNTS])}, or make it an "
            "objective (--slo)"
        )
    if subject == "refused" and metric.queue != ALL_QUEUES:
        raise UsageError("by queue, refused is known at the end only: write it without a queue")
    return metric


def _suggested(name: str) -> str:
    hint = nearest(name, LIVE, cutoff=0.6)
    return f"{quoted(name)} is not measured{hint}" if hint else ""


def _require_possible(guard: Guard) -> None:
    """Raises UsageError for a comparison that is never true."""
    is_below = guard.operator in ("<", "<=", "==") and guard.limit < 0
    is_below |= guard.operator == "<" and guard.limit == 0
    is_above = guard.metric.name == "errors" and (
        guard.limit > 1 or (guard.limit == 1 and guard.operator == ">")
    )
    if is_below or (is_above and guard.operator in (">", ">=", "==")):
        raise UsageError("that can never be: choose a limit that can be reached")

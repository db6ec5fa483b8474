"""Objectives as users write them: ``e2e.p99 < 50ms``, ``enqueue.rate >= 40000/s``, ``lost == 0``.

objective  = metric operator value
metric     = stage [ "{" queue "}" ] "." statistic  |  "enqueue.rate"  |  "completed.rate"
           | count [ "{" queue "}" ]
statistic  = "p50" … "p99.99" | "min" | "mean" | "max"
"""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

from bench import units
from bench.errors import UsageError

STAGES = (
    "schedule_lag",
    "enqueue",
    "queue_wait",
    "service",
    "e2e",
    "e2e_from_send",
    "e2e_earliest",
)
COUNTS = (
    *("due", "enqueued", "completed", "failed", "retried", "pending", "active"),
    *("lost", "duplicated", "unknown", "not_sent", "refused"),
)
RATES = ("enqueue.rate", "completed.rate")

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
}
_EXPRESSION = re.compile(r"(?P<metric>[^<>=]+?)\s*(?P<operator><=|>=|==|<|>)\s*(?P<value>.+)")
_METRIC = re.compile(r"(?P<name>\w+)(?:\{(?P<queue>[^{}]+)\})?(?:\.(?P<statistic>[\w.]+))?")
_PERCENTILE = re.compile(r"p(\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class Objective:
    """One objective, taken apart. Times in seconds, rates per second."""

    expression: str
    name: str
    queue: str
    """A sub-queue, or ``all``."""
    statistic: str
    """``rate``, ``count``, ``min``, ``mean``, ``max``, or ``p`` and a percentage."""
    operator: str
    limit: float

    @property
    def percent(self) -> float | None:
        """The percentage of a percentile; None for other statistics."""
        match = _PERCENTILE.fullmatch(self.statistic)
        return float(match[1]) if match else None

    def holds(self, value: float | None) -> bool:
        """Whether the measured value meets the objective; never without data."""
        return value is not None and _OPERATORS[self.operator](value, self.limit)


def parse(expression: str) -> Objective:
    """Take an objective apart. Raises UsageError that says which part cannot be read."""
    match = _EXPRESSION.fullmatch(expression.strip())
    if match is None:
        raise UsageError(f"{expression!r} is not an objective: write for example e2e.p99 < 50ms")
    metric = _METRIC.fullmatch(match["metric"])
    if metric is None:
        raise UsageError(f"{expression!r}: {match['metric']!r} is not a metric")
    name, queue, statistic = metric["name"], metric["queue"] or "all", metric["statistic"] or ""
    value = match["value"].strip()
    if f"{name}.{statistic}" in RATES and queue == "all":
        limit = units.parse_rate(value)
        statistic = "rate"
    elif name in STAGES:
        if not (_is_percentile(statistic) or statistic in ("min", "mean", "max")):
            raise UsageError(
                f"{expression!r}: {name} needs a statistic: min, mean, max, or a percentile as p99"
            )
        limit = units.parse_duration(value)
    elif name in COUNTS and not statistic:
        limit, statistic = _whole(value, expression), "count"
    else:
        known = ", ".join((*STAGES, *RATES, *COUNTS))
        raise UsageError(f"{expression!r}: {match['metric']!r} is not measured; there are {known}")
    return Objective(expression.strip(), name, queue, statistic, match["operator"], limit)


def _is_percentile(statistic: str) -> bool:
    match = _PERCENTILE.fullmatch(statistic)
    return match is not None and 0 < float(match[1]) <= 100


def _whole(text: str, expression: str) -> float:
    try:
        return float(int(text))
    except ValueError:
        raise UsageError(f"{expression!r}: {text!r} is not a whole number") from None

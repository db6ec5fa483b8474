"""The grammar of how well a figure is to be known, as ``e2e.p99 ±5%``.

    target    = metric ( "±" | "+-" | "+/-" ) precision
    metric    = "e2e" "." percentile | "enqueue.rate" | "completed.rate" | "finished.rate"
    precision = percentage of the value | duration | rate

A run with targets ends once every figure is known that well: half of its 95% confidence interval
is at most the precision.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bench import units
from bench.errors import UsageError, quoted
from bench.names import ALL_QUEUES
from bench.workload import comparisons, metrics
from bench.workload.metrics import Metric

FIRST_LOOK_S = 60
"""Length of the window, without the longest possible warm-up, when a run looks first."""
GROWTH = 1.5
"""By how many times the window is longer at each look than at the one before."""
SUCCESSIVE = 3
"""Number of looks in succession that must be precise enough."""
LEAST, MOST = 0.01, 0.5
"""Relative precisions that can be asked for."""
_EXPRESSION = re.compile(r"(?P<metric>[^±+]+?)\s*(?:±|\+/?-)\s*(?P<precision>.+)")


@dataclass(frozen=True)
class Target:
    """A figure, and how well it is to be known."""

    expression: str
    """As the user wrote it, with ``±``."""
    metric: Metric
    precision: float
    """Half of the confidence interval at most: a share of the value, or in the metric's unit."""
    is_relative: bool

    def is_reached(self, value: float | None, half_width: float | None) -> bool:
        """Whether a value with this half width, None for unknown, is precise enough."""
        if value is None or half_width is None:
            return False
        return half_width <= (self.precision * value if self.is_relative else self.precision)


def parse_target(expression: str) -> Target:
    """Reads a target. Raises UsageError, beginning with the expression, that names the part that
    cannot be read."""
    match = _EXPRESSION.fullmatch(" ".join(expression.split()))
    if match is None:
        raise UsageError(
            f"{quoted(expression)} does not say how well a figure is to be known: write for "
            "example 'e2e.p99 ±5%' or 'e2e.p99 +-0.5ms'"
        )
    try:
        metric = _known(metrics.parse_metric(match["metric"]))
        precision, is_relative = _precision(metric, match["precision"])
    except UsageError as error:
        raise UsageError(f"{quoted(expression)}: {error}") from None
    written = f"{metric.name} ±{match['precision'].strip()}"
    return Target(written, metric, precision, is_relative)


def targets_of(expressions: Sequence[str]) -> list[Target]:
    """Returns the targets that are written. Raises UsageError."""
    return [parse_target(each) for each in expressions]


def look_length_s(number: int) -> int:
    """Returns the length of the window at a look; the first has the number 0."""
    return int(FIRST_LOOK_S * GROWTH**number)


def _known(metric: Metric) -> Metric:
    """The metric, whose interval is known while a run lasts. Raises UsageError for another."""
    name = metric.subject.name
    if metric.queue != ALL_QUEUES and name == "e2e":
        raise UsageError("by queue, e2e is known at the end only: write e2e without a queue")
    if name != "e2e" and metric.kind != "rate":
        raise UsageError(
            f"how well {name} is known is not computed before the end: write e2e with a "
            f"percentile, or one of {', '.join(metrics.RATES)}"
        )
    if name == "e2e" and (metric.percent is None or metric.percent >= 100):
        raise UsageError(
            f"{metric.statistic} has no confidence interval: write a percentile, as e2e.p99"
        )
    return metric


def _precision(metric: Metric, text: str) -> tuple[float, bool]:
    """The precision, and whether it is a share of the value. Raises UsageError."""
    written = text.strip()
    if not written.endswith("%"):
        if re.fullmatch(units.NUMBER_PATTERN, written):
            raise UsageError(f"{quoted(written)} has no unit: write for example {written}%")
        absolute = comparisons.read_value(metric.unit, written)
        if absolute <= 0:
            raise UsageError("no run knows a figure exactly: write a precision above zero")
        return absolute, False
    share = comparisons.read_value(comparisons.Unit.SHARE, written)
    if not LEAST <= share <= MOST:
        raise UsageError(
            f"{quoted(written)} is not between {LEAST:.0%} and {MOST:.0%}: choose a precision that "
            "a run can reach and that says something"
        )
    return share, True

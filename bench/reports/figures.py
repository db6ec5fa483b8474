"""Metrics, shares and counts formatted for people."""

from bench import units
from bench.workload.metrics import Metric, format_value

NOTHING = "–"
"""Stands where a figure was not measured."""


def figure(metric: Metric, value: float | None) -> str:
    """Returns a metric's value with its unit; ``–`` for None."""
    return NOTHING if value is None else format_value(metric, value)


def share(value: float) -> str:
    """Returns a share as a percentage with up to three digits: ``5%``, ``2.1%``."""
    return f"{value * 100:.3g}%"


def signed_share(value: float) -> str:
    """Returns a share in percent with its sign but without ``%``: ``+12.3``, ``−0.4``, ``0.0``."""
    text = f"{value * 100:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", "−")


def counted(count: int, noun: str) -> str:
    """Returns a count with its noun, in the plural where needed: ``1 run``, ``1,234 runs``."""
    return f"{units.format_count(count)} {noun}{'' if count == 1 else 's'}"


def cores(value: float | None) -> str:
    """Returns a number of CPU cores as ``0.42``, or ``–`` for None."""
    return NOTHING if value is None else f"{value:.2f}"

"""Metrics and shares as people read them."""

from bench.workload.metrics import Metric, format_value

NOTHING = "–"


def figure(metric: Metric, value: float | None) -> str:
    """Returns a metric's value with its unit; a dash where there is none."""
    return NOTHING if value is None else format_value(metric, value)


def share(value: float) -> str:
    """``5%``, ``2.1%``."""
    return f"{value * 100:.3g}%"


def signed_share(value: float) -> str:
    """``+12.3``, ``−0.4``, ``0.0``: in percent, without the sign of that."""
    text = f"{value * 100:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", "−")

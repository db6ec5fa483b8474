"""Metrics and shares as people read them."""

from bench import units
from bench.analysis.metrics import Metric

NOTHING = "–"


def figure(metric: Metric, value: float | None) -> str:
    """A metric's value with its unit."""
    if value is None:
        return NOTHING
    if metric.is_time:
        return units.format_duration(value)
    if metric.higher_is_better:
        return units.format_rate(value)
    if metric.name.endswith("_us_per_task"):
        return f"{value:.2f} µs"
    return units.format_bytes(value)


def share(value: float) -> str:
    """``5%``, ``2.1%``."""
    return f"{value * 100:.3g}%"


def signed_share(value: float) -> str:
    """``+12.3``, ``−0.4``, ``0.0``: in percent, without the sign of that."""
    text = f"{value * 100:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", "−")

"""Scenario fields in tests: durations as numbers of seconds, which users write with a unit."""

from collections.abc import Mapping

_DURATIONS = ("duration", "warmup", "drain_timeout", "retry_delay", "service_time", "overrun")


def in_seconds(fields: Mapping[str, object]) -> dict[str, object]:
    """The fields as users write them: ``{"duration": 2}`` becomes ``{"duration": "2s"}``."""
    return {
        name: f"{value}s" if name in _DURATIONS and isinstance(value, int | float) else value
        for name, value in fields.items()
    }

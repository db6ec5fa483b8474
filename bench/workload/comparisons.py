"""Reads comparisons such as ``e2e.p99 < 50ms``, in the units of what is compared."""

import operator
import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from bench import units
from bench.errors import UsageError, quoted


class Unit(StrEnum):
    """The unit in which a metric is stored and computed."""

    SECONDS = "s"
    PER_SECOND = "tasks/s"
    TASKS = "tasks"
    MICROSECONDS = "µs"
    BYTES = "bytes"
    SHARE = "%"
    """Stored as a number: 0.8 for 80%."""


_OPERATORS: Mapping[str, Callable[[float, float], bool]] = MappingProxyType(
    {
        "<": operator.lt,
        "<=": operator.le,
        ">": operator.gt,
        ">=": operator.ge,
        "==": operator.eq,
    }
)
_EXPRESSION = re.compile(r"(?P<metric>[^<>=]+?)\s*(?P<operator><=|>=|==|<|>)\s*(?P<value>.+)")


class WrittenComparison(NamedTuple):
    """A comparison as written: what is compared, how, and with what."""

    left: str
    operator: str
    right: str


def split_comparison(expression: str) -> WrittenComparison | None:
    """Returns the parts of a comparison, without blanks around them; None for any other text."""
    match = _EXPRESSION.fullmatch(expression.strip())
    if match is None:
        return None
    return WrittenComparison(match["metric"], match["operator"], match["value"].strip())


def is_true(value: float, operator: str, limit: float) -> bool:
    """Returns whether a value and a limit compare as one of the five operators says."""
    return _OPERATORS[operator](value, limit)


def read_value(unit: Unit, text: str) -> float:
    """Returns a value as written, in the unit. Raises UsageError for one that cannot be read."""
    return _READERS[unit](text)


def _whole(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,15}", text):
        raise UsageError(f"{quoted(text)} is not a whole number of tasks")
    return float(text)


def _microseconds(text: str) -> float:
    """The metric's name says µs, so a bare number is one; a duration is converted."""
    is_bare = re.fullmatch(units.NUMBER_PATTERN, text) is not None
    return units.parse_duration(f"{text}us" if is_bare else text) * 1e6


def _percentage(text: str) -> float:
    number = text.removesuffix("%").strip()
    if not text.endswith("%") or re.fullmatch(units.NUMBER_PATTERN, number) is None:
        raise UsageError(f"{quoted(text)} is not a percentage: write for example 80%")
    return float(number) / 100


_READERS: Mapping[Unit, Callable[[str], float]] = MappingProxyType(
    {
        Unit.SECONDS: units.parse_duration,
        Unit.PER_SECOND: units.parse_rate,
        Unit.TASKS: _whole,
        Unit.MICROSECONDS: _microseconds,
        Unit.BYTES: lambda text: float(units.parse_bytes(text)),
        Unit.SHARE: _percentage,
    }
)

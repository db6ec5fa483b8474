"""Fields of a scenario that hold a quantity: durations, rates, shares and distributions."""

import contextlib
from typing import get_args

from bench import units
from bench.errors import UsageError
from bench.workload import distribution, payload
from bench.workload.distribution import Distribution
from bench.workload.value_type import (
    Schema,
    ValueType,
    any_of,
    pattern_schema,
    require_number,
    require_text,
    text_or_number,
)


def plain(number: float) -> str:
    """A number without exponent and without zeros at its end: ``30``, ``0.1``."""
    return f"{number:.9f}".rstrip("0").rstrip(".")


def _seconds_text(seconds: float) -> str:
    return f"{plain(seconds)}s"


def read_duration(written: object) -> float:
    """Returns seconds. Raises UsageError for what is no duration, or not longer than zero."""
    seconds = units.parse_duration(text_or_number(written))
    if seconds <= 0:
        raise UsageError("it must be longer than zero")
    return seconds


def _duration_or_zero(written: object) -> float:
    seconds = units.parse_duration(text_or_number(written))
    if seconds < 0:
        raise UsageError("it cannot be negative")
    return seconds


DURATION_SCHEMA: Schema = any_of(
    {"type": "number", "exclusiveMinimum": 0}, pattern_schema(units.DURATION_PATTERN)
)
_DURATION_OR_ZERO_SCHEMA: Schema = any_of(
    {"type": "number", "minimum": 0}, pattern_schema(units.DURATION_PATTERN)
)

DURATION = ValueType(read_duration, DURATION_SCHEMA, _seconds_text)
DURATION_OR_ZERO = ValueType(_duration_or_zero, _DURATION_OR_ZERO_SCHEMA, _seconds_text)


def _duration_or_auto(written: object) -> float | None:
    return None if written == "auto" else _duration_or_zero(written)


DURATION_OR_AUTO = ValueType(
    _duration_or_auto,
    any_of({"const": "auto"}, _DURATION_OR_ZERO_SCHEMA),
    _seconds_text,
    none="auto",
)


def _rate(written: object) -> float | str:
    if written == "max":
        return "max"
    rate = units.parse_rate(text_or_number(written))
    if rate <= 0:
        raise UsageError("the rate must be above zero; for no rate limit write max")
    return rate


RATE = ValueType(
    _rate,
    any_of(
        {"const": "max"},
        {"type": "number", "exclusiveMinimum": 0},
        pattern_schema(units.RATE_PATTERN),
    ),
)


def _share_from_text(text: str) -> float:
    """``5%``, ``0.05``, or ``0``."""
    return 0.0 if text.strip() in ("0", "0%") else units.parse_share(text)


def _share(written: object) -> float:
    value = _share_from_text(written) if isinstance(written, str) else require_number(written)
    if not 0 <= value <= 1:
        raise UsageError(f"{value:g} is not a share: it must be from 0 to 1")
    return value


def _number_option(text: str) -> object:
    with contextlib.suppress(ValueError):
        return float(text)
    return text


SHARE = ValueType(
    _share,
    any_of({"type": "number", "minimum": 0, "maximum": 1}, pattern_schema(units.SHARE_PATTERN)),
    from_option=_number_option,
)


def _share_or_auto(written: object) -> float | None:
    if written == "auto":
        return None
    share = _share(written)
    if not share:
        raise UsageError("at least some tasks must be followed: write auto, or 1 for all")
    return share


SHARE_OR_AUTO = ValueType(
    _share_or_auto,
    any_of(
        {"const": "auto"},
        {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
        pattern_schema(units.SHARE_PATTERN),
    ),
    none="auto",
)


def _size(text: str) -> float:
    return float(units.parse_size(text))


def _payload_size(written: object) -> Distribution:
    text = str(written) if isinstance(written, int) else require_text(written)
    sizes = distribution.parse(text, _size, "constant")
    if sizes.kind in ("none", "exp"):
        raise UsageError("write a size, uniform:LOW-HIGH or lognormal:MEAN,SIGMA")
    smallest = sizes.low if sizes.kind == "uniform" else sizes.mean
    if smallest < payload.MIN_SIZE:
        raise UsageError(
            f"{smallest:g} bytes is too small: the stamps alone take {payload.MIN_SIZE}"
        )
    if max(sizes.mean, sizes.high) > payload.MAX_SIZE:
        raise UsageError(f"no payload may be over {units.format_bytes(payload.MAX_SIZE)}")
    return sizes


def _payload_size_text(sizes: Distribution) -> object:
    return int(sizes.mean) if sizes.kind == "constant" else distribution.text_of(sizes, plain)


PAYLOAD_SIZE = ValueType(
    _payload_size,
    any_of(
        {"type": "integer", "minimum": payload.MIN_SIZE, "maximum": payload.MAX_SIZE},
        pattern_schema(
            *distribution.patterns(units.SIZE_PATTERN, ("constant", "uniform", "lognormal"))
        ),
    ),
    _payload_size_text,
)


def _service_time(written: object) -> Distribution:
    if isinstance(written, str):
        return distribution.parse(written, units.parse_duration, "constant")
    return Distribution("constant", mean=read_duration(written))


def _service_time_text(drawn: Distribution) -> str:
    return distribution.text_of(drawn, _seconds_text)


SERVICE_TIME = ValueType(
    _service_time,
    any_of(
        {"type": "number", "exclusiveMinimum": 0},
        pattern_schema(
            *distribution.patterns(units.DURATION_PATTERN, get_args(distribution.DistributionKind))
        ),
    ),
    _service_time_text,
)

"""Fields of a scenario that hold a quantity: durations, rates, shares and distributions."""

import re
from typing import cast, get_args

from bench import units
from bench.errors import UsageError, quoted
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


MOST_DURATION_S = 14 * 86_400.0
"""The longest time that a run waits for anything: 14 days. Systems wait in milliseconds of 32 bits,
which end after 24 days."""
MOST_DURATION = "14 days"
MOST_SERVICE_S = units.HOUR_S
"""The longest service time: the longest latency that histograms resolve."""
MOST_PER_S = 10_000_000
"""The highest rate: due times are whole microseconds, of which each would then have ten tasks."""
LEAST_PER_S = 1 / units.HOUR_S
"""The lowest rate: a run needs several tasks within the longest time that it takes."""


def seconds_text(seconds: float) -> str:
    """Seconds as users write them: ``2.5s``."""
    return f"{plain(seconds)}s"


def read_duration(written: object) -> float:
    """Returns seconds. Raises UsageError for what is no duration, zero, or too long for a run."""
    seconds = read_duration_or_zero(written)
    if seconds <= 0:
        raise UsageError("it must be longer than zero")
    return seconds


def read_duration_or_zero(written: object) -> float:
    """Returns seconds. Raises UsageError for what is no duration, or is too long for a run."""
    if not isinstance(written, str) and require_number(written) < 0:
        raise UsageError("it cannot be negative")
    seconds = units.parse_duration(cast(str | float, written))
    if seconds > MOST_DURATION_S:
        raise UsageError(f"{quoted(written)} is too long: at most {MOST_DURATION}")
    return seconds


DURATION_SCHEMA: Schema = pattern_schema(units.DURATION_PATTERN)
_DURATION_OR_ZERO_SCHEMA: Schema = any_of({"const": 0}, DURATION_SCHEMA)

DURATION = ValueType(read_duration, DURATION_SCHEMA, seconds_text, placeholder="DURATION")
DURATION_OR_ZERO = ValueType(
    read_duration_or_zero, _DURATION_OR_ZERO_SCHEMA, seconds_text, placeholder="DURATION"
)


def _duration_or_auto(written: object) -> float | None:
    return None if written == "auto" else read_duration_or_zero(written)


DURATION_OR_AUTO = ValueType(
    _duration_or_auto,
    any_of({"const": "auto"}, _DURATION_OR_ZERO_SCHEMA),
    seconds_text,
    none="auto",
    placeholder="DURATION|auto",
)


def _rate(written: object) -> float | str:
    if written == "max":
        return "max"
    rate = units.parse_rate(text_or_number(written))
    if rate <= 0:
        raise UsageError("the rate must be above zero; for no rate limit write max")
    return require_possible_rate(rate)


def require_possible_rate(per_s: float) -> float:
    """Returns a rate as it is. Raises UsageError where it is too low or too high for a run."""
    if not LEAST_PER_S * (1 - 1e-9) <= per_s <= MOST_PER_S:
        raise UsageError(
            f"a rate of {per_s:g}/s is out of range: it must be from 1/h to {MOST_PER_S}/s"
        )
    return per_s


RATE = ValueType(
    _rate,
    any_of(
        {"const": "max"},
        {"type": "number", "minimum": LEAST_PER_S, "maximum": MOST_PER_S},
        pattern_schema(units.RATE_PATTERN),
    ),
    placeholder="RATE|max",
)


def _share_from_text(text: str) -> float:
    """``5%``, ``0.05``, or ``0``."""
    return 0.0 if re.fullmatch(r"0(\.0+)?\s*%?", text.strip()) else units.parse_share(text)


def _share(written: object) -> float:
    value = _share_from_text(written) if isinstance(written, str) else require_number(written)
    if not 0 <= value <= 1:
        raise UsageError(
            f"{value:g} is not a share: it must be from 0 to 1, or a percentage such as 5%"
        )
    return value


SHARE = ValueType(
    _share,
    any_of({"type": "number", "minimum": 0, "maximum": 1}, pattern_schema(units.SHARE_PATTERN)),
    placeholder="SHARE",
)


_SPEED_PATTERN = r"[0-9]+(?:\.[0-9]+)?\s*[x×]?"
_LEAST_SPEED, _MOST_SPEED = 0.001, 1000.0


def _speed(written: object) -> float:
    """``2x``, ``0.5x``, or a number."""
    try:
        text = written.strip().rstrip("x×").strip() if isinstance(written, str) else written
        speed = float(text) if isinstance(text, str) else require_number(text)
    except ValueError:
        raise UsageError(f"{quoted(written)} is not a speed: write for example 2x") from None
    if not _LEAST_SPEED <= speed <= _MOST_SPEED:
        limits = f"from {_LEAST_SPEED}x to {_MOST_SPEED:g}x"
        raise UsageError(f"{quoted(written)} is out of range: it must be {limits}")
    return speed


SPEED = ValueType(
    _speed,
    any_of(
        {"type": "number", "minimum": _LEAST_SPEED, "maximum": _MOST_SPEED},
        pattern_schema(_SPEED_PATTERN),
    ),
    placeholder="FACTOR",
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
    placeholder="SHARE|auto",
)


def _size(text: str) -> float:
    return float(units.parse_size(text))


def _payload_size(written: object) -> Distribution:
    if isinstance(written, int) and not isinstance(written, bool):
        units.parse_size(written)  # says that the unit is missing
    sizes = distribution.parse(require_text(written), _size, "constant")
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
    if sizes.kind == "constant":
        return _bytes_text(sizes.mean)
    return distribution.text_of(sizes, _bytes_text)


def _bytes_text(size: float) -> str:
    return f"{plain(size)}B"


PAYLOAD_SIZE = ValueType(
    _payload_size,
    pattern_schema(
        *distribution.patterns(units.SIZE_PATTERN, ("constant", "uniform", "lognormal"))
    ),
    _payload_size_text,
    placeholder="SIZE",
)


def _service_time(written: object) -> Distribution:
    if not isinstance(written, str):
        return Distribution("constant", mean=read_duration(written))
    times = distribution.parse(written, units.parse_duration, "constant")
    if max(times.mean, times.high) > MOST_SERVICE_S:
        raise UsageError(f"{quoted(written)} is too long: a task may take 1h at most")
    return times


def _service_time_text(drawn: Distribution) -> str:
    return distribution.text_of(drawn, seconds_text)


SERVICE_TIME = ValueType(
    _service_time,
    pattern_schema(
        *distribution.patterns(units.DURATION_PATTERN, get_args(distribution.DistributionKind))
    ),
    _service_time_text,
    placeholder="DURATION",
)

"""Reads and writes durations, rates, sizes and shares as text.

Values are in seconds, tasks per second and bytes everywhere in the project, and in microseconds
where a name ends in ``_us``. Text with a unit is read and written in this module alone.
"""

import math
import re
from collections.abc import Iterable

from bench.errors import UsageError

_DURATION_UNITS_S = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_RATE_UNITS_S = {"s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_SIZE_UNITS = {
    "": 1,
    "b": 1,
    "k": 1000,
    "kb": 1000,
    "kib": 1024,
    "m": 10**6,
    "mb": 10**6,
    "mib": 1024**2,
}
_MULTIPLIERS = {"": 1.0, "k": 1e3, "m": 1e6}

_NUMBER = r"\d+(?:\.\d+)?|\.\d+"
_DURATION_PART = re.compile(rf"({_NUMBER})\s*(us|µs|ms|s|m|h)")
_RATE = re.compile(rf"({_NUMBER})([km]?)\s*(?:/\s*(s|sec|m|min|h))?", re.IGNORECASE | re.ASCII)
_SIZE = re.compile(rf"({_NUMBER})\s*([a-z]*)", re.IGNORECASE | re.ASCII)


def either_case(words: Iterable[str]) -> str:
    """A pattern of these words in upper, lower or mixed case, without a flag for it."""
    letters = [[f"[{each}{each.upper()}]" for each in word] for word in words]
    return "|".join("".join(word) for word in letters)


NUMBER_PATTERN = r"(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)"
"""Regular expressions of what the functions below read, in the dialect that Python shares with
JSON Schema (ECMA 262). Blanks around the text are left to whoever uses them."""
DURATION_PATTERN = (
    rf"(?:(?:{NUMBER_PATTERN} *(?:{'|'.join(_DURATION_UNITS_S)}) *)+|{NUMBER_PATTERN})"
)
RATE_PATTERN = rf"{NUMBER_PATTERN}[kKmM]?\s*(?:/\s*(?:{either_case(_RATE_UNITS_S)}))?"
SIZE_PATTERN = rf"{NUMBER_PATTERN}\s*(?:{either_case(_SIZE_UNITS)})"
SHARE_PATTERN = rf"{NUMBER_PATTERN}\s*%?"


def parse_duration(text: str | float) -> float:
    """Seconds from ``"20s"``, ``"1m30s"``, ``"500ms"``, or a bare number of seconds.

    Raises UsageError for any other text.
    """
    if isinstance(text, int | float):
        return _number(text, "a duration")
    compact = text.replace(" ", "")
    parts = _DURATION_PART.findall(compact)
    if parts and "".join(number + unit for number, unit in parts) == compact:
        seconds = math.fsum(float(number) * _DURATION_UNITS_S[unit] for number, unit in parts)
        return _finite(seconds, text, "a duration")
    if re.fullmatch(_NUMBER, compact):
        return _finite(float(compact), text, "a duration")
    raise UsageError(f"{text!r} is not a duration: write for example 500ms, 20s or 1m30s")


def parse_rate(text: str | float) -> float:
    """Tasks per second from ``"5000/s"``, ``"5k/s"``, ``"300/min"``, or a bare number.

    Raises UsageError for any other text.
    """
    if isinstance(text, int | float):
        return _number(text, "a rate")
    match = _RATE.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{text!r} is not a rate: write for example 5000/s, 5k/s or 300/min")
    number, multiplier, per = match.groups()
    per_unit = float(number) * _MULTIPLIERS[multiplier.lower()]
    return _finite(per_unit / _RATE_UNITS_S[(per or "s").lower()], text, "a rate")


def parse_size(text: str | int) -> int:
    """Bytes from ``"256"``, ``"256B"``, ``"1KB"`` (1000), ``"1KiB"`` (1024), or a bare number.

    Raises UsageError for any other text.
    """
    if isinstance(text, int):
        return text
    match = _SIZE.fullmatch(text.strip())
    if match is None or match[2].lower() not in _SIZE_UNITS:
        raise UsageError(f"{text!r} is not a size: write for example 256, 256B or 1KiB")
    return round(_finite(float(match[1]) * _SIZE_UNITS[match[2].lower()], text, "a size"))


def parse_share(text: str) -> float:
    """A share from ``"5%"`` or ``"0.05"``. Raises UsageError when the text is neither, or zero."""
    compact = text.strip()
    number, percent = compact.removesuffix("%").strip(), compact.endswith("%")
    if not re.fullmatch(_NUMBER, number) or float(number) == 0:
        raise UsageError(f"{text!r} is not a share: write for example 5% or 0.05")
    return float(number) / (100 if percent else 1)


def _number(number: float, kind: str) -> float:
    try:
        return _finite(float(number), str(number), kind)
    except OverflowError:
        raise UsageError(f"{number} is not {kind}: it is too large") from None


def _finite(value: float, text: str, kind: str) -> float:
    if not math.isfinite(value):
        raise UsageError(f"{text!r} is not {kind}: it must be finite")
    return value


def format_duration(seconds: float | None) -> str:
    """Three significant digits in the unit that reads best: ``870 µs``, ``1.40 ms``, ``2.05 s``."""
    if seconds is None:
        return "–"
    size = abs(seconds)
    if size == 0:
        return "0 µs"
    # The limits sit where three digits would round up into the next unit.
    if size < 0.9995e-3:
        return f"{seconds * 1e6:.0f} µs"
    if size < 0.9995:
        return f"{_three_digits(seconds * 1e3)} ms"
    if size < 120:
        return f"{_three_digits(seconds)} s"
    return f"{seconds / 60:.1f} min"


def format_rate(per_second: float | None) -> str:
    """``5,000/s``; with one decimal below 100."""
    if per_second is None:
        return "–"
    if abs(per_second) < 99.95:
        return f"{per_second:.1f}/s"
    return f"{per_second:,.0f}/s"


def format_count(count: float | None) -> str:
    """``1,234,567``."""
    return "–" if count is None else f"{count:,.0f}"


def format_bytes(size: float | None) -> str:
    """``312 B``, ``1.54 kB``, ``48.2 MB``, in powers of 1000."""
    if size is None:
        return "–"
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if abs(size) >= 0.9995 * scale:
            return f"{_three_digits(size / scale)} {unit}"
    return f"{size:.0f} B"


def _three_digits(value: float) -> str:
    size = abs(value)
    if size >= 99.95:
        return f"{value:.0f}"
    if size >= 9.995:
        return f"{value:.1f}"
    return f"{value:.2f}"

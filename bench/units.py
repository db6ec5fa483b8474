"""Reads and writes durations, rates, sizes and shares as text.

Values are in seconds, tasks per second and bytes everywhere in the project, and in microseconds
where a name ends in ``_us``. Text with a unit is read and written in this module alone.
"""

import math
import re
from collections.abc import Iterable

from bench.errors import UsageError, quoted

_DURATION_UNITS_S = {
    "us": 1e-6,
    "µs": 1e-6,  # the micro sign
    "\N{GREEK SMALL LETTER MU}s": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "min": 60.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86_400.0,
}
_RATE_UNITS_S = {"s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_SIZE_UNITS = {
    "b": 1,
    "kb": 10**3,
    "kib": 2**10,
    "mb": 10**6,
    "mib": 2**20,
    "gb": 10**9,
    "gib": 2**30,
    "tb": 10**12,
    "tib": 2**40,
}
_MULTIPLIERS = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6}

_NUMBER = r"[0-9]+(?:\.[0-9]+)?|\.[0-9]+"
_DURATION_PART = re.compile(rf"({_NUMBER})({'|'.join(_DURATION_UNITS_S)})")
_RATE = re.compile(
    rf"({_NUMBER})\s*([{''.join(_MULTIPLIERS)}]?)\s*(?:/\s*(?i:(s|sec|m|min|h)))?", re.ASCII
)
_SIZE = re.compile(rf"({_NUMBER})\s*([a-z]+)", re.IGNORECASE | re.ASCII)


def either_case(words: Iterable[str]) -> str:
    """A pattern of these words in upper, lower or mixed case, without a flag for it."""
    letters = [[f"[{each}{each.upper()}]" for each in word] for word in words]
    return "|".join("".join(word) for word in letters)


NUMBER_PATTERN = r"(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)"
"""Regular expressions of what the functions below read, in the dialect that Python shares with
JSON Schema (ECMA 262). Blanks around the text are left to whoever uses them."""
DURATION_PATTERN = rf"(?:(?:{NUMBER_PATTERN} *(?:{'|'.join(_DURATION_UNITS_S)}) *)+|0+(?:\.0+)?)"
RATE_PATTERN = rf"{NUMBER_PATTERN}\s*[kKM]?\s*(?:/\s*(?:{either_case(_RATE_UNITS_S)}))?"
SIZE_PATTERN = rf"{NUMBER_PATTERN}\s*(?:{either_case(_SIZE_UNITS)})"
SHARE_PATTERN = rf"{NUMBER_PATTERN}\s*%?"

HOUR_S = 3600.0
LONGEST_S = 3650 * 86_400.0
"""The longest duration that is read: ten years of 365 days, in seconds."""
LARGEST_BYTES = 2**60
"""The largest size that is read."""


def parse_duration(text: str | float) -> float:
    """Seconds from ``"20s"``, ``"1m30s"``, ``"500ms"`` or ``"7d"``.

    A unit is asked for, as 50 could be meant in seconds or in milliseconds; only zero goes without.
    Raises UsageError for any other text, and for a number that is not zero.
    """
    if isinstance(text, int | float):
        if text == 0:
            return 0.0
        raise UsageError(f'{quoted(text)} has no unit: write for example "500ms", "20s" or "1m30s"')
    compact = text.replace(" ", "")
    parts = _DURATION_PART.findall(compact)
    if parts and "".join(number + unit for number, unit in parts) == compact:
        seconds = math.fsum(float(number) * _DURATION_UNITS_S[unit] for number, unit in parts)
        return _at_most(LONGEST_S, seconds, text, "a duration", "ten years")
    if re.fullmatch(_NUMBER, compact):
        if float(compact) == 0:
            return 0.0
        number = compact if len(compact) < 20 else "NUMBER"
        raise UsageError(f"{quoted(text)} has no unit: write {number}ms or {number}s")
    raise UsageError(f"{quoted(text)} is not a duration: write for example 500ms, 20s or 1m30s")


def parse_rate(text: str | float) -> float:
    """Tasks per second from ``"5000/s"``, ``"5k/s"``, ``"300/min"``, or a bare number.

    Rates are per second wherever this project reads or shows one. Raises UsageError for any other
    text.
    """
    if isinstance(text, int | float):
        return _number(text, "a rate")
    match = _RATE.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{quoted(text)} is not a rate: write for example 5000/s, 5k/s or 300/min")
    number, multiplier, per = match.groups()
    per_unit = float(number) * _MULTIPLIERS[multiplier]
    return _finite(per_unit / _RATE_UNITS_S[(per or "s").lower()], text, "a rate")


def parse_size(text: str | float) -> int:
    """Bytes from ``"256B"``, ``"1kB"`` (1000), ``"1KiB"`` (1024) or ``"2 GB"``.

    A unit is asked for. Raises UsageError for any other text, and for a number.
    """
    if isinstance(text, int | float):
        raise UsageError(f'{quoted(text)} has no unit: write for example "256B", "1kB" or "1KiB"')
    match = _SIZE.fullmatch(text.strip())
    if match is not None and match[2].lower() in _SIZE_UNITS:
        size = float(match[1]) * _SIZE_UNITS[match[2].lower()]
        return round(_at_most(LARGEST_BYTES, size, text, "a size", "1 EiB"))
    bare = re.fullmatch(rf"({_NUMBER})\s*([kmgt]?)", text.strip(), re.IGNORECASE)
    if bare is None:
        raise UsageError(f"{quoted(text)} is not a size: write for example 256B, 1kB or 1MiB")
    number, scale = bare[1] if len(bare[1]) < 20 else "NUMBER", bare[2].upper()
    units = (f"{scale}B", f"{scale}iB") if scale else ("B", "kB")
    raise UsageError(f"{quoted(text)} has no unit: write {number}{units[0]} or {number}{units[1]}")


def parse_bytes(text: str) -> int:
    """Bytes from a bare number, or from a size as ``parse_size`` reads it.

    For what is called a number of bytes already, such as ``--kept-bytes``. Raises UsageError.
    """
    return parse_size(f"{text}B" if re.fullmatch(_NUMBER, text.strip()) else text)


def parse_share(text: str) -> float:
    """A share above 0 and at most 1, from ``"5%"`` or ``"0.05"``.

    From 1 on a percent sign is asked for, as 5 could be meant as 5% or as five times. Raises
    UsageError for any other text.
    """
    compact = text.strip()
    number, percent = compact.removesuffix("%").strip(), compact.endswith("%")
    if not re.fullmatch(_NUMBER, number) or float(number) == 0:
        raise UsageError(f"{quoted(text)} is not a share: write for example 5% or 0.05")
    if not percent and float(number) >= 1:
        raise UsageError(f"{quoted(text)} has no unit: write {number[:20]}% for a percentage")
    if percent and float(number) > 100:
        raise UsageError(f"{quoted(text)} is not a share: it is over 100%")
    return float(number) / (100 if percent else 1)


def _number(number: float, kind: str) -> float:
    try:
        return _finite(float(number), str(number), kind)
    except (OverflowError, ValueError):  # more digits than Python writes
        raise UsageError(f"a number of that many digits is not {kind}: it is too large") from None


def _finite(value: float, text: str, kind: str) -> float:
    if not math.isfinite(value):
        raise UsageError(f"{quoted(text)} is not {kind}: it must be finite")
    return value


def _at_most(most: float, value: float, text: str, kind: str, shown: str) -> float:
    if _finite(value, text, kind) > most:
        raise UsageError(f"{quoted(text)} is not {kind}: it must be at most {shown}")
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


def format_margin(seconds: float, other_s: float) -> str:
    """The margin of ``other_s``: a number in the same unit, with two digits, as ``0.21`` beside
    ``3.14 ms``; with a unit of its own where it would have four digits or more."""
    unit = format_duration(other_s).rpartition(" ")[2]
    value = seconds / _UNIT_S[unit]
    if value >= _LONG:
        return format_duration(seconds)
    decimals = 0 if unit == "µs" else max(1 - math.floor(math.log10(value)), 0) if value else 0
    return f"{value:.{min(decimals, 3)}f}"


_LONG = 999.5
_UNIT_S = {"µs": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0}


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

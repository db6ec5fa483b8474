"""The levels of a sweep: which values of which fields are tried, and in which combinations.

    levels = field "=" values
    values = value {"," value} | value ";" value {";" value} | low ".." high "/" count

Values that hold commas themselves, such as ``lognormal:2ms,1``, are separated by semicolons. A
range is for rates and whole numbers: ``rate=1000/s..20000/s/10`` are ten of them.
"""

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from bench import units
from bench.errors import UsageError, nearest, quoted
from bench.workload.fields import FIELDS, Field
from bench.workload.quantities import plain

Spacing = Literal["linear", "geometric"]
"""Whether the values of a range are equally far apart, or have equal ratios."""

MOST_VALUES = 100
"""Values of one field."""
_RATE = "rate"
_RANGE = re.compile(r"(.+?)\.\.(.+)/\s*([0-9]{1,6})\s*")
_NOT_VARIED: Mapping[str, str] = {
    "name": "it changes nothing that is measured",
    "description": "it changes nothing that is measured",
    "seed": "--repeat draws each repetition by another one",
    "slo": "objectives are the same for all levels; give them with --slo",
    "abort": "guards are the same for all levels; give them with --abort",
    "until": "trials of one length are compared",
    "faults": "a sweep shows latency when nothing disturbs it; 'bench chaos' makes faults",
}
"""Fields that have no levels, and why."""
_EXAMPLE = "write for example --levels prefetch=1,8,64, or --levels rate=1000/s..5000/s/5"


@dataclass(frozen=True)
class SweptField:
    """A field of the scenario, and the values that are tried, as a command line has them."""

    name: str
    values: tuple[str, ...]

    @property
    def field(self) -> Field:
        """What is declared of the field."""
        return FIELDS[self.name]

    def written(self, value: str) -> object:
        """Returns one of the values as TOML would hold it."""
        return self.field.declared.type.from_option(value)


def parse_levels(text: str, spacing: Spacing = "linear") -> SweptField:
    """Reads ``FIELD=VALUES``. Raises UsageError for a field without levels, and for values that the
    field does not take or that say the same twice."""
    written, equals, values = text.partition("=")
    name = written.strip().removeprefix("--").replace("-", "_")
    if not equals or not values.strip():
        raise UsageError(f"{quoted(text)} gives no values: {_EXAMPLE}")
    if name not in FIELDS:
        raise UsageError(f"there is no field {quoted(written)}{nearest(name, FIELDS) or ''}")
    if name in _NOT_VARIED:
        raise UsageError(f"{name}: {_NOT_VARIED[name]}")
    return SweptField(name, _read(FIELDS[name], values, spacing))


def parse_rates(text: str, spacing: Spacing = "linear") -> SweptField | None:
    """Reads the text of ``--rate``; None where it is a single rate. Raises UsageError."""
    if not any(mark in text for mark in ("..", ",", ";")):
        return None
    return SweptField(_RATE, _read(FIELDS[_RATE], text, spacing))


def combinations(swept: Sequence[SweptField]) -> list[dict[str, str]]:
    """Returns every combination of the values, by name of the field: a full factorial design.

    The values of the last field change first.
    """
    names = [each.name for each in swept]
    products = itertools.product(*(each.values for each in swept))
    return [dict(zip(names, values, strict=True)) for values in products]


def require_distinct(swept: Iterable[SweptField]) -> None:
    """Raises UsageError where two levels are given for the same field."""
    seen: set[str] = set()
    for each in swept:
        if each.name in seen:
            raise UsageError(f"the levels of {each.name} are given twice; give them once")
        seen.add(each.name)


def _read(field: Field, text: str, spacing: Spacing) -> tuple[str, ...]:
    takes_range = field.name == _RATE or field.declared.type.flag is int
    if ".." in text and takes_range:
        values = _range(field, text, spacing)
    elif ".." in text and field.name != "stages":
        raise UsageError(
            f"{field.name}: a range is for rates and whole numbers; list the values instead"
        )
    else:
        parts = text.split(";" if ";" in text else ",")
        values = tuple(part.strip() for part in parts if part.strip())
    _require_readable(field, values)
    return values


def _require_readable(field: Field, values: Sequence[str]) -> None:
    """Raises UsageError for a value that the field does not take, and for one that is repeated."""
    if len(values) > MOST_VALUES:
        raise UsageError(f"{field.name} has {len(values)} values; {MOST_VALUES} are the most")
    read: dict[str, str] = {}
    for value in values:
        try:
            meaning = field.read(field.declared.type.from_option(value))
        except UsageError as error:
            raise UsageError(f"{field.name}: {error}") from None
        if field.name == _RATE and meaning == "max":
            raise UsageError(
                "rate: max is a closed loop, which offers no rate: sweep other fields with "
                "--rate max, or give rates"
            )
        same = read.get(repr(meaning))
        if same is not None:
            raise UsageError(f"{field.name}: {same} and {value} are the same; give it once")
        read[repr(meaning)] = value


def _range(field: Field, text: str, spacing: Spacing) -> tuple[str, ...]:
    match = _RANGE.fullmatch(text.strip())
    if match is None:
        raise UsageError(
            f"{field.name}: {quoted(text)} does not say how many values: write for example "
            f"{'1000/s..20000/s/10' if field.name == _RATE else '1..16/5'}"
        )
    low, high = (_number(field, end) for end in match.group(1, 2))
    count = int(match[3])
    if not low < high:
        raise UsageError(f"{field.name}: a range goes from a lower value to a higher one")
    if not 2 <= count <= MOST_VALUES:
        raise UsageError(f"{field.name}: a range has from 2 to {MOST_VALUES} values, not {count}")
    numbers = spaced(low, high, count, spacing)
    if field.name == _RATE:
        return tuple(f"{plain(number)}/s" for number in numbers)
    values = tuple(dict.fromkeys(str(round(number)) for number in numbers))
    if len(values) < count:
        raise UsageError(
            f"{field.name}: {quoted(text)} has only {len(values)} whole numbers; ask for fewer"
        )
    return values


def _number(field: Field, text: str) -> float:
    try:
        if field.name == _RATE:
            return units.parse_rate(text)
        return float(field.read(field.declared.type.from_option(text.strip())))  # type: ignore[arg-type]
    except UsageError as error:
        raise UsageError(f"{field.name}: {error}") from None


def spaced(low: float, high: float, count: int, spacing: Spacing) -> list[float]:
    """Returns that many numbers from ``low`` to ``high``, in ascending order.

    Those between them have three significant digits, or as many as it takes to tell them apart.
    """
    shares = [index / (count - 1) for index in range(1, count - 1)]
    if spacing == "geometric":
        exact = [low * (high / low) ** share for share in shares]
    else:
        exact = [low + (high - low) * share for share in shares]
    for digits in range(3, 17):
        numbers = [low, *(float(f"{number:.{digits}g}") for number in exact), high]
        if all(lower < higher for lower, higher in pairwise(numbers)):
            break
    return numbers

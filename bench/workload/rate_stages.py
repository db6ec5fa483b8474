"""Steps and ramps of the offered rate, as users write them."""

from collections.abc import Mapping, Sequence

from bench import units
from bench.errors import UsageError, nearest
from bench.workload.quantities import DURATION_SCHEMA, read_duration
from bench.workload.schedule import RateStage
from bench.workload.value_type import Schema, ValueType, any_of, pattern_schema, text_or_number

_NAMES = ("duration", "rate", "from", "to")


def _stages(written: object) -> tuple[RateStage, ...]:
    """``5s@1000/s,10s@1000/s..5000/s``, or a list of tables with duration and rate or from/to."""
    if isinstance(written, str):
        return tuple(_stage_from_text(part.strip()) for part in written.split(","))
    if isinstance(written, Sequence):
        return tuple(_stage_from_table(table) for table in written)
    raise UsageError("write for example 5s@1000/s,10s@1000/s..5000/s")


def _stage_from_text(text: str) -> RateStage:
    duration, at, rates = text.partition("@")
    if not at:
        raise UsageError(f"{text!r} is not a stage: write DURATION@RATE or DURATION@RATE..RATE")
    start, dots, end = rates.partition("..")
    return _stage(duration, start, end if dots else start)


def _stage_from_table(table: object) -> RateStage:
    if not isinstance(table, Mapping):
        raise UsageError("each stage is a table with duration, and rate or from and to")
    for name in table:
        if name not in _NAMES:
            raise UsageError(f"unknown field {name!r} in a stage{nearest(name, _NAMES)}")
    if "duration" not in table or ("rate" in table) == ("from" in table or "to" in table):
        raise UsageError("each stage needs duration, and either rate or both from and to")
    if "rate" in table:
        return _stage(table["duration"], table["rate"], table["rate"])
    if "from" not in table or "to" not in table:
        raise UsageError("a ramp needs both from and to")
    return _stage(table["duration"], table["from"], table["to"])


def _stage(duration: object, start: object, end: object) -> RateStage:
    duration_s = read_duration(duration)
    start_per_s = units.parse_rate(text_or_number(start))
    end_per_s = units.parse_rate(text_or_number(end))
    if start_per_s < 0 or end_per_s < 0:
        raise UsageError("a stage's rate cannot be negative")
    return RateStage(duration_s, start_per_s, end_per_s)


def _tables(stages: Sequence[RateStage]) -> object:
    return [
        {"duration": each.duration_s, "from": each.start_per_s, "to": each.end_per_s}
        for each in stages
    ]


_RATE: Schema = any_of({"type": "number", "minimum": 0}, pattern_schema(units.RATE_PATTERN))
_TEXT = rf"{units.DURATION_PATTERN}\s*@\s*{units.RATE_PATTERN}(?:\s*\.\.\s*{units.RATE_PATTERN})?"


def _table(*rates: str) -> Schema:
    names = ("duration", *rates)
    return {
        "type": "object",
        "properties": {"duration": DURATION_SCHEMA, **dict.fromkeys(rates, _RATE)},
        "required": list(names),
        "additionalProperties": False,
    }


STAGES = ValueType(
    _stages,
    any_of(
        {"type": "array", "items": any_of(_table("rate"), _table("from", "to"))},
        pattern_schema(rf"{_TEXT}(?:\s*,\s*{_TEXT})*"),
    ),
    _tables,
)

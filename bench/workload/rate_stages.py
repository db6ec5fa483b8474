"""Steps and ramps of the offered rate, as users write them."""

import math
from collections.abc import Mapping, Sequence

from bench import units
from bench.errors import UsageError, nearest, quoted
from bench.workload.quantities import (
    DURATION_SCHEMA,
    MOST_DURATION,
    MOST_DURATION_S,
    read_duration,
    require_possible_rate,
    seconds_text,
)
from bench.workload.schedule import RateStage
from bench.workload.value_type import Schema, ValueType, any_of, pattern_schema, text_or_number

_NAMES = ("duration", "rate", "from", "to")


def _stages(written: object) -> tuple[RateStage, ...]:
    """``5s@1000/s,10s@1000/s..5000/s``, or a list of tables with duration and rate or from/to."""
    if isinstance(written, str):
        stages = tuple(_stage_from_text(part.strip()) for part in written.split(","))
    elif isinstance(written, Sequence):
        stages = tuple(_stage_from_table(table) for table in written)
    else:
        raise UsageError("write for example 5s@1000/s,10s@1000/s..5000/s")
    if math.fsum(stage.duration_s for stage in stages) > MOST_DURATION_S:
        raise UsageError(f"together they are too long: at most {MOST_DURATION}")
    return stages


def _stage_from_text(text: str) -> RateStage:
    duration, at, rates = text.partition("@")
    if not at:
        raise UsageError(
            f"{quoted(text)} is not a stage: write DURATION@RATE or DURATION@RATE..RATE"
        )
    start, dots, end = rates.partition("..")
    return _stage(duration, start, end if dots else start)


def _stage_from_table(table: object) -> RateStage:
    if not isinstance(table, Mapping):
        raise UsageError("each stage is a table with duration, and rate or from and to")
    for name in table:
        if name not in _NAMES:
            raise UsageError(f"unknown field {quoted(name)} in a stage{nearest(str(name), _NAMES)}")
    if "duration" not in table or ("rate" in table) == ("from" in table or "to" in table):
        raise UsageError("each stage needs duration, and either rate or both from and to")
    if "rate" in table:
        return _stage(table["duration"], table["rate"], table["rate"])
    if "from" not in table or "to" not in table:
        raise UsageError("a ramp needs both from and to")
    return _stage(table["duration"], table["from"], table["to"])


def _stage(duration: object, start: object, end: object) -> RateStage:
    duration_s = read_duration(duration)
    return RateStage(duration_s, _rate(start), _rate(end))


def _rate(written: object) -> float:
    per_s = units.parse_rate(text_or_number(written))
    if per_s < 0:
        raise UsageError("a stage's rate cannot be negative")
    return 0.0 if per_s == 0 else require_possible_rate(per_s)


def _tables(stages: Sequence[RateStage]) -> object:
    return [
        {"duration": seconds_text(each.duration_s), "from": each.start_per_s, "to": each.end_per_s}
        for each in stages
    ]


_RATE_SCHEMA: Schema = any_of({"type": "number", "minimum": 0}, pattern_schema(units.RATE_PATTERN))
_TEXT = rf"{units.DURATION_PATTERN}\s*@\s*{units.RATE_PATTERN}(?:\s*\.\.\s*{units.RATE_PATTERN})?"


def _table(*rates: str) -> Schema:
    names = ("duration", *rates)
    return {
        "type": "object",
        "properties": {"duration": DURATION_SCHEMA, **dict.fromkeys(rates, _RATE_SCHEMA)},
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
    placeholder="STAGES",
)

"""What users may write for a field of a scenario, and how it is read: the general kinds.

A reader takes what TOML, a flag or a class attribute gave (text, a number, a list, a table) and
returns the value in base units. It raises UsageError with what is wrong; the caller adds which
field of which file it was.
"""

import contextlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.errors import UsageError, nearest, quoted
from bench.names import require_name, require_printable

Schema = Mapping[str, object]
"""A JSON Schema, or a part of one."""


def _unchanged(value: Any) -> object:
    return value


@dataclass(frozen=True)
class ValueType:
    """What may be written for a field, and what becomes of it."""

    read: Callable[[Any], object]
    """Returns the value in base units. Raises UsageError."""
    schema: Schema
    """JSON Schema of what a TOML file may hold. It accepts whatever ``read`` accepts."""
    write: Callable[[Any], object] = _unchanged
    """Returns a value as TOML would hold it: the inverse of ``read``."""
    none: str | None = None
    """What is written for None, where anything is."""
    flag: Any = str
    """Type of the value of a command-line flag."""
    from_option: Callable[[str], object] = _unchanged
    """Returns what TOML would hold, from the text of an option."""
    placeholder: str = "TEXT"
    """What stands for a value in a command line's help, such as ``DURATION``."""
    choices: tuple[str, ...] = ()
    """The words that may be written, where these are all that a user can choose from."""


def require_text(written: object) -> str:
    """Returns a text as it is. Raises UsageError for anything else."""
    if isinstance(written, str):
        return written
    raise UsageError(f"expected a text, got {quoted(written)}")


def require_number(written: object) -> float:
    """Returns a number as a float. Raises UsageError for what is none, or too large for one."""
    if isinstance(written, int | float) and not isinstance(written, bool):
        with contextlib.suppress(OverflowError):
            return float(written)
    raise UsageError(f"expected a number, got {quoted(written)}")


def require_list(written: object) -> Sequence[object]:
    """Returns a list as it is. Raises UsageError for anything else, a text included."""
    if isinstance(written, Sequence) and not isinstance(written, str | bytes):
        return written
    raise UsageError(f"expected a list, got {quoted(written)}")


def text_or_number(written: object) -> str | float:
    """Returns a text as it is and a number as a float. Raises UsageError for anything else."""
    return written if isinstance(written, str) else require_number(written)


def pattern_schema(*patterns: str) -> Schema:
    """The schema of a text that matches one of these patterns, blanks around it aside."""
    return {"type": "string", "pattern": rf"^\s*(?:{'|'.join(patterns)})\s*$"}


def any_of(*schemas: Schema) -> Schema:
    """The schema of what fits at least one of these."""
    return {"anyOf": [*schemas]}


def _name(written: object) -> str:
    return require_name(require_text(written), "a name")


def _one_line(written: object) -> str:
    return require_printable(" ".join(require_text(written).split()), "a description")


def _file_name(written: object) -> str:
    text = require_text(written)
    if not text or "\0" in text:
        raise UsageError(f"{quoted(text)} is not the name of a file")
    return text


NAME = ValueType(_name, {"type": "string", "minLength": 1}, placeholder="NAME")
ONE_LINE = ValueType(_one_line, {"type": "string"})
FILE_NAME = ValueType(_file_name, {"type": "string", "minLength": 1}, placeholder="FILE")


def _boolean(written: object) -> bool:
    if isinstance(written, bool):
        return written
    raise UsageError(f"expected true or false, got {quoted(written)}")


def _boolean_option(text: str) -> object:
    return {"true": True, "false": False}.get(text.lower(), text)


BOOLEAN = ValueType(_boolean, {"type": "boolean"}, flag=bool, from_option=_boolean_option)


def within(least: int, most: int, number: int) -> int:
    """Returns a number as it is. Raises UsageError where it is not from ``least`` to ``most``."""
    if not least <= number <= most:
        raise UsageError(f"{quoted(number)} is out of range: it must be from {least} to {most}")
    return number


def whole(least: int, most: int) -> ValueType:
    """A whole number between these limits, both included."""

    def read(written: object) -> int:
        if isinstance(written, bool) or not isinstance(written, int):
            raise UsageError(f"expected a whole number, got {quoted(written)}")
        return within(least, most, written)

    schema = {"type": "integer", "minimum": least, "maximum": most}
    return ValueType(read, schema, flag=int, from_option=_whole_option, placeholder="COUNT")


_WHOLE = re.compile(r"[+-]?(?:[0-9]{1,3}(?:[,_][0-9]{3})+|[0-9]+)")
_MOST_DIGITS = 100


def whole_number(text: str) -> int | None:
    """Returns a whole number as written on a command line, such as ``10,000``; None for no such."""
    if len(text) > _MOST_DIGITS or _WHOLE.fullmatch(text) is None:
        return None
    return int(text.replace(",", "").replace("_", ""))


def _whole_option(text: str) -> object:
    number = whole_number(text)
    return text if number is None else number


def one_of(choices: Sequence[str]) -> ValueType:
    """One of these words."""

    def read(written: object) -> str:
        if isinstance(written, str) and written in choices:
            return written
        hint = nearest(str(written), choices)
        raise UsageError(f"{quoted(written)} is not one of {', '.join(choices)}{hint}")

    return ValueType(
        read,
        {"type": "string", "enum": list(choices)},
        placeholder="|".join(choices),
        choices=tuple(choices),
    )

"""What the checks of ``bench clients`` have in common: a task's fields, compared one by one.

Clients enqueue tasks with numbers from 0 on. A layout's check returns a task's number, or raises
UnexpectedTask for the first field that its client should have written otherwise.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Protocol

from bench.wire import stamps

Fields = Mapping[bytes, bytes]
"""A task's hash."""

_SHOWN = 80
"""Characters of a value that an error shows."""
_INPUT = re.compile(r"hello (0|[1-9]\d{0,17})", re.ASCII)


class UnexpectedTask(Exception):  # noqa: N818 - what was found
    """A task is not as its client should have written it: the field, what was expected and what
    was found."""


class TaskCheck(Protocol):
    """Checks one task of a layout."""

    def __call__(self, queue: str, fields: Fields, *, is_stamped: bool) -> int:
        """Returns the number of the task with these fields.

        ``is_stamped``: whether the payload also carries a run's stamps. Raises UnexpectedTask,
        naming the field: ``field 'retry': expected '0', found '1'``.
        """
        ...


def quoted(value: bytes | str | None) -> str:
    """Returns a value as an error shows it, cut if it is long."""
    if value is None:
        return "none"
    text = value if isinstance(value, str) else value.decode(errors="replace")
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")


def require(expected: Mapping[str, bytes], fields: Fields) -> None:
    """Raises UnexpectedTask for the first of the expected fields that differs."""
    for name, value in expected.items():
        found = fields.get(name.encode())
        if found != value:
            raise UnexpectedTask(f"field {name!r}: expected {quoted(value)}, found {quoted(found)}")


def require_no_others(known: Sequence[str], fields: Fields) -> None:
    """Raises UnexpectedTask for the first field that is not one of the known names."""
    for name, value in fields.items():
        text = name.decode(errors="replace")
        if text not in known:
            raise UnexpectedTask(f"field {text!r}: expected none, found {quoted(value)}")


def require_number(payload: bytes | None, *, is_stamped: bool) -> int:
    """Returns N of the payload ``{"input": "hello N"}``, however its JSON is spaced.

    Raises UnexpectedTask if the payload says anything else.
    """
    number = _number_in(payload, is_stamped)
    if number is None:
        raise UnexpectedTask(
            f'field \'payload\': expected {{"input": "hello N"}}, found {quoted(payload)}'
        )
    return number


def _number_in(payload: bytes | None, is_stamped: bool) -> int | None:
    try:
        content = json.loads(payload or b"")
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict):
        return None
    if is_stamped:
        for name in stamps.RESERVED_NAMES:
            content.pop(name, None)
    match = _INPUT.fullmatch(str(content.get("input")))
    return int(match[1]) if match and len(content) == 1 else None

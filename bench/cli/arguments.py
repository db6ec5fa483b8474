"""What holds for the arguments of every command, and the way from values back to arguments."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from itertools import zip_longest
from pathlib import Path
from typing import Any, TypeVar, cast

import cyclopts

from bench.errors import UsageError, quoted
from bench.names import require_utf8, require_value
from bench.workload.value_type import whole_number

_MAY_BE_EMPTY = ("--a", "--b", "--description")
"""Flags for which an empty value says something: an arm as it is, no description."""


def require_complete(arguments: Sequence[str]) -> None:
    """Raises UsageError for an argument that is empty or is not UTF-8: ``--slo ""`` would be a run
    without objectives, and a record could not hold what is not UTF-8."""
    require_utf8(arguments)
    for before, argument in zip(["", *arguments], arguments, strict=False):
        flag, equals, value = argument.partition("=")
        if argument.startswith("--") and equals and not value:
            name = flag
        elif not argument:
            name = before if before.startswith("-") and before != "--" else "an argument"
        else:
            continue
        if name not in _MAY_BE_EMPTY:
            require_value("", name)


_WITHOUT_VALUE = {"--pin": "--pin=auto"}
"""Flags that need no value, and what they then stand for: the parser wants a value for each."""


def with_values(arguments: Sequence[str]) -> list[str]:
    """Returns the arguments with a value for each flag that may stand without one, and does: at the
    end, or before another flag."""
    return [
        _WITHOUT_VALUE.get(each, each) if after.startswith("-") else each
        for each, after in zip_longest(arguments, arguments[1:], fillvalue="--")
    ]


def _whole(_type: object, tokens: Sequence[cyclopts.Token]) -> int:
    number = whole_number(tokens[0].value)
    if number is None:
        raise ValueError(f"{quoted(tokens[0].value)} is not a whole number: write for example 4")
    return number


WHOLE = cyclopts.Parameter(converter=_whole, metavar="COUNT")
"""For a flag with a whole number: ``10,000`` and ``10_000`` are one, ``1.5`` and ``0x10`` are not,
which the library would round and convert."""


def require_within(flag: str, number: int, least: int, most: int) -> int:
    """Returns a flag's number as it is. Raises UsageError where it is out of range."""
    if not least <= number <= most:
        raise UsageError(f"{flag} must be from {least} to {most}, not {quoted(number)}")
    return number


ValueT = TypeVar("ValueT")


def read_flag(flag: str, read: Callable[[str], ValueT], text: str) -> ValueT:
    """Returns what ``read`` makes of a flag's text. Raises UsageError, naming the flag."""
    try:
        return read(text)
    except UsageError as error:
        raise UsageError(f"{flag}: {error}") from None


def texts_of(value: object) -> list[str]:
    """Returns a value as TOML holds it, as a command line would: the texts of its flag, of which a
    list has several."""
    if isinstance(value, bool):
        return [str(value).lower()]
    if isinstance(value, Mapping):
        return [",".join(f"{name}={weight}" for name, weight in value.items())]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [text for each in value for text in texts_of(each)]
    return [f"{value:g}" if isinstance(value, float) else str(value)]


def flags_of(values: Mapping[str, object]) -> Iterator[str]:
    """Yields ``--payload-size=256`` for each value, and only the flag for True.

    A list repeats its flag for each element.
    """
    for name, value in values.items():
        flag = f"--{name.replace('_', '-')}"
        if value is True:
            yield flag
        else:
            for each in value if isinstance(value, list) else [value]:
                yield f"{flag}={each}"


def require_nothing_else(
    resume: Path, scenario: str | None, *groups: object, kept: Iterable[str] = ()
) -> None:
    """Raises UsageError for whatever is given beside ``--resume``: the job goes on as it began.

    ``groups`` are dataclasses of flags, each of which must be as it is by default, except for
    those that are ``kept``.
    """
    given = [] if scenario is None else [scenario]
    for group in groups:
        for each in fields(cast(Any, group)):
            is_default = getattr(group, each.name) == each.default
            if not is_default and each.name not in ("resume", *kept):
                given.append(f"--{each.name.replace('_', '-')}")
    if given:
        raise UsageError(
            f"--resume continues {resume} as it was started; remove {', '.join(given)}, or "
            "start a new one"
        )

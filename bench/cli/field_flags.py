"""Flags made from the declarations of a scenario's fields.

They carry text and numbers as written: ``bench.workload`` reads them, so that a flag and a TOML
field accept the same values and report the same errors.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import field, make_dataclass
from functools import cache
from typing import Annotated, Any, Literal, Self, TypeVar, cast

import cyclopts
from cyclopts import Parameter

from bench.cli.arguments import WHOLE, texts_of
from bench.cli.groups import COMMON, OF_FIELDS
from bench.workload import library
from bench.workload.declaration import FrontEnd
from bench.workload.fields import FIELDS, Field, shown_by

_ABOUT_ITSELF = ("name", "description")
"""Fields of a scenario that say nothing of another with the same flags."""


class FieldFlags:
    """Fields of a scenario as they were given on the command line, None where they were not."""

    @classmethod
    def of(cls, changes: Mapping[str, object]) -> Self:
        """Returns the flags that give these values."""
        return cls(**changes)

    def changes(self) -> dict[str, object]:
        """Returns the fields that were given, as written, by name."""
        given = {name: getattr(self, name) for name in FIELDS if hasattr(self, name)}
        return {name: value for name, value in given.items() if value is not None}


FlagsT = TypeVar("FlagsT", bound=FieldFlags)


def flags_for(
    declared: Iterable[Field],
    scenario: str | None,
    hidden: Collection[str] = (),
    *,
    shows_defaults: bool = True,
) -> Callable[[type[FlagsT]], type[FlagsT]]:
    """Make a class a frozen dataclass with one flag for each of these fields.

    ``scenario`` is the built-in one whose values helps show as defaults, where a command has one;
    ``shows_defaults`` is False for a command that finds out what is not given. Flags that are
    ``hidden`` are in no help: they exist to be refused with a reason.
    """

    def extend(flags: type[FlagsT]) -> type[FlagsT]:
        made = make_dataclass(
            flags.__name__,
            [
                (
                    each.name,
                    _annotation(each, scenario, each.name in hidden, shows_defaults),
                    field(default=None),
                )
                for each in declared
            ],
            bases=(flags,),
            namespace={"__doc__": flags.__doc__, "__module__": flags.__module__},
            frozen=True,
            kw_only=True,
        )
        return cast(type[FlagsT], made)

    return extend


def _annotation(each: Field, scenario: str | None, is_hidden: bool, shows_default: bool) -> object:
    declared, kind = each.declared, each.declared.type.flag
    parameter = Parameter(
        group=OF_FIELDS[declared.group] if declared.short is None else COMMON,
        alias=declared.short,
        help=_help(each),
        negative=(),
        show=not is_hidden,
        show_default=lambda _: default_in_help(each, scenario) if shows_default else None,
        metavar=declared.type.placeholder,
    )
    if declared.type.choices:  # known to completions; bench.workload refuses others
        words: Any = Literal[declared.type.choices]
        return Annotated[
            words | None, Parameter(converter=_as_written, show_choices=False), parameter
        ]
    return Annotated[kind | None, WHOLE if kind is int else parameter, parameter]


def _help(each: Field) -> str:
    several = " May be given several times." if each.declared.type.flag == list[str] else ""
    example = "" if each.declared.example is None else f" Example: {each.declared.example}"
    return f"{each.declared.help}{several}{example}"


def _as_written(_type: object, tokens: Sequence[cyclopts.Token]) -> str:
    return tokens[0].value


def default_in_help(each: Field, scenario: str | None) -> str | None:
    """Returns what holds where a flag is not given, as its help says it; None for nothing."""
    written = {} if scenario is None else _written_in(scenario)
    if each.name in written:
        return f"{_shown(written[each.name])}, from scenario {scenario}"
    default = each.default_written
    return None if default is None or default is False else _shown(default) or None


def _shown(value: object) -> str:
    return "; ".join(texts_of(value)).replace(",", ", ")  # so that it wraps between queues


@cache
def _written_in(scenario: str) -> dict[str, Any]:
    written = library.load(scenario)[1]
    return {name: value for name, value in written.items() if name not in _ABOUT_ITSELF}


@Parameter(name="*")
@flags_for(shown_by(FrontEnd.WORKER), None)
class WorkerFlags(FieldFlags):
    """How tasks are served, by a worker that stands alone."""


@Parameter(name="*")
@flags_for(FIELDS.values(), library.DEFAULT)
class ScenarioFlags(FieldFlags):
    """Overrides of single fields of a scenario."""


@Parameter(name="*")
@flags_for(FIELDS.values(), library.DEFAULT, hidden=("until",))
class ComparedFlags(FieldFlags):
    """Overrides of single fields of a scenario whose runs all have one length."""

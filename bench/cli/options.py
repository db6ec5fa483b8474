"""Flags that several commands share.

The flags of a scenario are made from the declarations of its fields. They carry text and numbers as
written: ``bench.workload`` reads them, so that a flag and a TOML field accept the same values and
report the same errors.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, make_dataclass
from typing import Annotated, Self, TypeVar, cast

import cyclopts
from cyclopts import Parameter

from bench.cli.arguments import WHOLE
from bench.cli.messages import notify
from bench.errors import UsageError, nearest, quoted
from bench.layouts import registry
from bench.layouts.entry import LayoutEntry
from bench.redisio.url import from_environment, parse
from bench.secrets import URL_VARIABLE, has_password
from bench.workload import library
from bench.workload.declaration import FieldGroup, FrontEnd
from bench.workload.fields import FIELDS, Field, shown_by, without_effect
from bench.workload.override import override
from bench.workload.resolve import resolve
from bench.workload.scenario import Scenario

_GROUPS = {each: cyclopts.Group(each.value, sort_key=key) for key, each in enumerate(FieldGroup, 1)}
_SERVER = cyclopts.Group("Server", sort_key=len(_GROUPS) + 1)


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


def flags_for(declared: Iterable[Field]) -> Callable[[type[FlagsT]], type[FlagsT]]:
    """Make a class a frozen dataclass with one flag for each of these fields."""

    def extend(flags: type[FlagsT]) -> type[FlagsT]:
        made = make_dataclass(
            flags.__name__,
            [(each.name, _annotation(each), field(default=None)) for each in declared],
            bases=(flags,),
            namespace={"__doc__": flags.__doc__, "__module__": flags.__module__},
            frozen=True,
            kw_only=True,
        )
        return cast(type[FlagsT], made)

    return extend


def _annotation(each: Field) -> object:
    kind = each.declared.type.flag
    several = " May be given several times." if kind == list[str] else ""
    group = _GROUPS[each.declared.group]
    parameter = Parameter(group=group, help=f"{each.help}{several}", negative=())
    return Annotated[kind | None, WHOLE if kind is int else parameter, parameter]


@Parameter(name="*")
@flags_for(shown_by(FrontEnd.WORKER))
class WorkerFlags(FieldFlags):
    """How tasks are served, by a worker that stands alone."""


@Parameter(name="*")
@flags_for(FIELDS.values())
class ScenarioFlags(FieldFlags):
    """Overrides of single fields of a scenario."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ServerFlags:
    """Which server to use."""

    redis_url: Annotated[
        str | None,
        Parameter(
            group=_SERVER,
            help="URL of a running server: redis://, rediss:// or unix://. Better in "
            f"{URL_VARIABLE}: other users can see a password on the command line.",
            negative=(),
        ),
    ] = None

    def url(self) -> str | None:
        """Returns the URL from the flag or from BENCH_REDIS_URL; never from REDIS_URL.

        Raises UsageError for a URL that cannot be read, and for an empty variable.
        """
        url = from_environment() if self.redis_url is None else self.redis_url
        if url is not None:
            parse(url)
        return url

    def warn_of_password(self) -> None:
        """Warn on standard error of a password in --redis-url, which other users can see."""
        if self.redis_url is not None and has_password(self.redis_url):
            notify(
                "other users can see a password on the command line; put the URL into "
                f"{URL_VARIABLE} instead"
            )

    def require_url(self) -> str:
        """Returns the URL. Raises UsageError when there is none."""
        url = self.url()
        if url is None:
            raise UsageError(f"no server given: use --redis-url, or set {URL_VARIABLE}")
        return url


def layout_named(name: str) -> LayoutEntry:
    """Returns the layout that ``--layout`` names. Raises UsageError for an unknown name."""
    entry = registry.find(name)
    if entry is None:
        hint, known = nearest(name, registry.names()), ", ".join(registry.names())
        raise UsageError(f"--layout: {quoted(name)} is not one of {known}{hint}")
    return entry


def _require_effect(changes: Mapping[str, object], scenario: Scenario) -> None:
    """Raises UsageError for flags that have no effect on this scenario's workers.

    A scenario's file may hold such fields: it may be run with either kind of worker.
    """
    idle = {each.name for each in without_effect(scenario)}
    if scenario.is_observed and scenario.worker_command is None:
        idle.add("workers")
    given = [FIELDS[name].option for name in changes if name in idle]
    if given:
        kind = "an external worker" if scenario.is_observed else "the built-in worker"
        have, them = ("has", "it") if len(given) == 1 else ("have", "them")
        raise UsageError(f"flags: {', '.join(given)} {have} no effect on {kind}; remove {them}")


def scenario_from(name_or_path: str, flags: FieldFlags) -> Scenario:
    """Returns the scenario with the flags on top. Raises ScenarioError, and UsageError."""
    source, written = library.load(name_or_path)
    changes = flags.changes()
    if not changes:
        return resolve(written, source)
    resolve(written, source)  # an error in the file is reported as the file's
    scenario = resolve(override(written, changes), "flags")
    _require_effect(changes, scenario)
    return scenario

"""Flags that several commands share: which server, and which scenario with which changes."""

from collections.abc import Mapping
from dataclasses import dataclass

from cyclopts import Parameter

from bench.cli import command_line
from bench.cli.field_flags import FieldFlags
from bench.cli.messages import notify
from bench.cli.tls_flags import TlsFlags
from bench.errors import ScenarioError, UsageError, nearest, quoted
from bench.layouts import registry
from bench.layouts.entry import LayoutEntry
from bench.redisio.url import from_environment
from bench.secrets import URL_VARIABLE, has_password
from bench.workload import library
from bench.workload.fields import FIELDS, without_effect
from bench.workload.override import override
from bench.workload.resolve import resolve
from bench.workload.scenario import Scenario

_FLAGS = "flags"
"""Where a scenario's fields come from, in messages about several of them."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ServerFlags(TlsFlags):
    """Which server to use, and how to connect to it."""

    def url(self) -> str | None:
        """Returns the URL from the flag or from BENCH_REDIS_URL, never from REDIS_URL, with what
        flags and variables say of TLS.

        Raises UsageError for a URL that cannot be read, for an empty variable, and for flags of TLS
        that do not fit the URL.
        """
        url = from_environment() if self.redis_url is None else self.redis_url
        return self.completed(url)

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


def _idle(scenario: Scenario) -> set[str]:
    """Fields that have no effect on this scenario's workers."""
    idle = {each.name for each in without_effect(scenario)}
    if scenario.is_observed and scenario.worker_command is None:
        idle.add("workers")
    return idle


def _require_effect(changes: Mapping[str, object], scenario: Scenario) -> None:
    """Raises UsageError for flags that have no effect on this scenario's workers.

    A scenario's file may hold such fields: it may be run with either kind of worker.
    """
    idle = _idle(scenario)
    given = [FIELDS[name].option for name in changes if name in idle]
    if given:
        kind = "an external worker" if scenario.is_observed else "the built-in worker"
        have, them = ("has", "it") if len(given) == 1 else ("have", "them")
        raise UsageError(f"flags: {', '.join(given)} {have} no effect on {kind}; remove {them}")


def require_readable(changes: Mapping[str, object]) -> None:
    """Raises ScenarioError for a value that no field takes, naming the flag that gave it."""
    for name, written in changes.items():
        try:
            FIELDS[name].read(written)
        except UsageError as error:
            setting = command_line.settings().get(name)
            origin = "" if setting is None else f" ({setting.origin})"
            raise ScenarioError(f"{FIELDS[name].option}{origin}: {error}") from None


def scenario_from(name_or_path: str, flags: FieldFlags) -> Scenario:
    """Returns the scenario with the flags on top. Raises ScenarioError, and UsageError."""
    scenario, changes = settled(name_or_path, flags.changes())
    command_line.leave_out(set(flags.changes()) - set(changes))
    return scenario


def scenario_of_seed(name_or_path: str, flags: FieldFlags, seed: int) -> Scenario:
    """Returns the scenario with the flags on top, and everything that is drawn by another seed."""
    return settled(name_or_path, {**flags.changes(), "seed": seed})[0]


def _with_flags(written: Mapping[str, object], changes: Mapping[str, object]) -> Scenario:
    """Returns the scenario with these changes. Raises ScenarioError that names the flag."""
    try:
        return resolve(override(written, changes), _FLAGS)
    except ScenarioError as error:
        name, colon, reason = str(error).removeprefix(f"{_FLAGS}: ").partition(": ")
        if not colon or name not in FIELDS:
            raise
        raise ScenarioError(f"{FIELDS[name].option}: {reason}") from None


def settled(
    name_or_path: str, changes: Mapping[str, object]
) -> tuple[Scenario, Mapping[str, object]]:
    """Returns the scenario with these changes, and those of them that have an effect on it.

    Raises ScenarioError, and UsageError for a flag without effect. A setting of a file or a
    variable, which may be meant for other runs, is left out instead.
    """
    source, written = library.load(name_or_path)
    scenario = resolve(written, source)  # an error in the file is reported as the file's
    if not changes:
        return scenario, changes
    require_readable(changes)
    scenario = _with_flags(written, changes)
    idle = _idle(scenario)
    if left_out := idle.intersection(changes, command_line.settings()):
        changes = {name: value for name, value in changes.items() if name not in left_out}
        scenario = _with_flags(written, changes)
    _require_effect(changes, scenario)
    return scenario, changes

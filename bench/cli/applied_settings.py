"""Settings of files and variables become flags that the command line does not give itself."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from cyclopts import Token
from cyclopts.argument import Argument, ArgumentCollection

from bench import settings
from bench.cli import command_line
from bench.cli.arguments import texts_of
from bench.cli.command_line import AppliedSetting
from bench.cli.messages import notify
from bench.errors import UsageError, nearest, quoted
from bench.names import variable
from bench.settings import SettingsFile
from bench.workload.fields import FIELDS
from bench.workload.override import override

FOR_ALL = frozenset({*FIELDS, "server_binary", "results", "quiet"})
"""Flags that mean the same in every command that has them, so that one setting holds for all."""
_TLS = frozenset(settings.TLS_FLAGS)
_READ_ELSEWHERE = frozenset({"redis_url", "results"}) | _TLS
"""Flags whose variable is read where it is needed, also under Locust."""
_NEVER_IN_FILES = _TLS | frozenset(
    {"redis_url", "server_binary", "server_config", "worker_command", "master_bind_host", "resume"}
)
"""Flags by which a file that came with a project could make a command start a program, reach
another host, or trust somebody else with the user's password."""
_OTHER_MEANINGS: Mapping[str, frozenset[str]] = {
    "capacity": frozenset({"rate", "duration", "stages", "tasks", "workers"}),
    "plan": frozenset({"rate", "slo", "service_time"}),
    "chaos": frozenset({"faults"}),
    "clients": frozenset({"tasks"}),
    "verify": frozenset({"queues"}),
}
"""Commands, and those of their flags that have the name of a field but say something else."""
_LIKELY = 0.75


def apply(_app: object, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Give a command's flags the values of settings, where its command line gives none.

    Raises UsageError for an unknown key of the file, and for one that no file may set.
    """
    if len(commands) != 1:
        return
    (command,) = commands
    flags = {
        each.name.removeprefix("--").replace("-", "_"): each
        for each in arguments
        if each.parse and each.name.startswith("--")
    }
    given = {name: each.tokens[-1].value for name, each in flags.items() if each.tokens}
    if "resume" in given:
        return  # a job goes on as it was started
    file = settings.find(settings.working_folder(), os.environ)
    in_file = {} if file is None else dict(_of_file(file, command, flags))
    in_variables = dict(_of_variables(command, flags))
    for name, setting in _in_force(in_file, in_variables, given).items():
        for index, text in enumerate(setting.texts):
            label = f"{flags[name].name} ({setting.origin})"
            flags[name].append(Token(keyword=label, value=text, index=index))
        command_line.remember_settings({**command_line.settings(), name: setting})
    if command_line.settings() and not _hides(given):
        notify(f"settings: {command_line.described_settings()}")


def _hides(given: Mapping[str, str]) -> bool:
    """Whether only results may be shown."""
    applied = {name: each.texts[-1] for name, each in command_line.settings().items()}
    return any({**applied, **given}.get(name, "false") != "false" for name in ("quiet", "json"))


def _in_force(
    in_file: Mapping[str, AppliedSetting],
    in_variables: Mapping[str, AppliedSetting],
    given: Mapping[str, str],
) -> dict[str, AppliedSetting]:
    """The settings that hold: variables before the file, and none that a flag takes away, as
    ``--stages`` does with a rate."""
    found = {**in_file, **in_variables}
    fields: Mapping[str, object] = {}
    for layer in (in_file, in_variables):
        values = {name: "; ".join(each.texts) for name, each in layer.items() if name in FIELDS}
        fields = override(fields, values)
    fields = override(fields, {name: text for name, text in given.items() if name in FIELDS})
    return {
        name: setting
        for name, setting in found.items()
        if name not in given and (name not in FIELDS or name in fields)
    }


# --- The file -------------------------------------------------------------------------------------


def _of_file(
    file: SettingsFile, command: str, flags: Mapping[str, Argument]
) -> Iterator[tuple[str, AppliedSetting]]:
    """Yields what a file sets of a command's flags: for all commands, then for this one."""
    from bench.cli.app import COMMANDS  # noqa: PLC0415 - it imports this module

    tables = {key: value for key, value in file.values.items() if key in COMMANDS}
    for key, value in file.values.items():
        name = key.replace("-", "_")
        if isinstance(value, dict) and key in COMMANDS:
            continue
        if name not in FOR_ALL and name not in _NEVER_IN_FILES:
            known = [*sorted(FOR_ALL - _NEVER_IN_FILES), *COMMANDS]
            hint = (
                nearest(name, known) or ": see 'bench run --help'; others go into a command's table"
            )
            raise UsageError(f"{file.place(key)}: unknown setting {key!r}{hint}")
        yield from _setting(file, None, key, value, flags if _holds(name, command) else {})
    own = tables.get(command, {})
    for key, value in own.items() if isinstance(own, dict) else ():
        name = key.replace("-", "_")
        if name not in flags:
            hint = nearest(name, flags) or f": see 'bench {command} --help'"
            raise UsageError(f"{file.place(key, command)}: unknown setting {key!r}{hint}")
        yield from _setting(file, command, key, value, flags)


def _setting(
    file: SettingsFile,
    command: str | None,
    key: str,
    value: object,
    flags: Mapping[str, Argument],
) -> Iterator[tuple[str, AppliedSetting]]:
    name, place = key.replace("-", "_"), file.place(key, command)
    is_path = name in flags and _is_path(flags[name]) and name != "results"
    if name in _NEVER_IN_FILES or is_path:
        if name in _TLS:
            raise UsageError(
                f"{place}: no file may set {key!r}, which says whom to trust: use the flag, or "
                f"{settings.variable_of(name)}"
            )
        raise UsageError(
            f"{place}: no file may set {key!r}, which starts a program, reaches another host or "
            f"overwrites a file: use the flag, or {settings.variable_of(name, command)}"
        )
    if not _is_plain(name, value):
        raise UsageError(f"{place}: {key}: {quoted(value)} is not written as its flag would be")
    if name in ("payload_file", "results") and isinstance(value, str):
        value = str(file.path.parent / value)
    if name in flags:
        yield name, AppliedSetting(flags[name].name, tuple(texts_of(value)), place)


def _is_plain(name: str, value: object) -> bool:
    if isinstance(value, dict):
        return name in ("queues", "mix")
    parts: Any = value if isinstance(value, list) else [value]
    return all(isinstance(each, str | int | float) for each in parts) and value not in ("", [])


def _holds(name: str, command: str) -> bool:
    """Whether a setting for all commands holds for this one."""
    return name not in _OTHER_MEANINGS.get(command, ())


def _is_path(argument: Argument) -> bool:
    return Path in (argument.hint, *get_args(argument.hint))


# --- The variables --------------------------------------------------------------------------------


def _of_variables(
    command: str, flags: Mapping[str, Argument]
) -> Iterator[tuple[str, AppliedSetting]]:
    """Yields what variables set of a command's flags: for all commands, then for this one."""
    for own in (None, command):
        for name, argument in flags.items():
            if name in _READ_ELSEWHERE or (
                own is None and not (name in FOR_ALL and _holds(name, command))
            ):
                continue
            origin = settings.variable_of(name, own)
            text = variable(origin, os.environ)
            if text is not None:
                several = text.split(";") if argument.hint == list[str] else [text]
                texts = tuple(each.strip() for each in several if each.strip())
                yield name, AppliedSetting(argument.name, texts, origin)
    _warn_of_slips(command, flags)


def _warn_of_slips(command: str, flags: Mapping[str, Argument]) -> None:
    """Say what a variable may have been meant to be: what is not set would go unnoticed."""
    known = {settings.variable_of(name, command) for name in flags}
    known |= {settings.variable_of(name) for name in FOR_ALL}
    for each in sorted(os.environ):
        if not each.startswith(settings.PREFIX) or each in known or each in settings.READ_ELSEWHERE:
            continue
        name = each.removeprefix(settings.PREFIX)
        if name.lower() in flags:
            own = settings.variable_of(name, command)
            flag = flags[name.lower()].name
            notify(f"{each} sets nothing: {flag} differs between commands; did you mean {own!r}?")
            continue
        hint = nearest(name, [one.removeprefix(settings.PREFIX) for one in known], _LIKELY)
        if hint:
            meant = hint.replace("mean '", f"mean '{settings.PREFIX}")
            notify(f"{each} sets nothing{meant}")

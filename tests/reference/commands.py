"""The reference of commands: what their helps say, as one page."""

import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

from cyclopts.argument import Argument

from bench.cli import help as helps
from bench.cli.app import COMMANDS, app
from bench.workload.fields import FIELDS
from tests.reference.tables import code, table

_OPTIONS = {field.option for field in FIELDS.values()}


def command_pages() -> str:
    """Return a section for each command, in the order of the list of commands."""
    parts = []
    for heading, names in helps.SECTIONS.items():
        parts.append(f"## {heading}")
        parts += [_section(name) for name in names if name in COMMANDS]
    return "\n\n".join(parts)


def _section(name: str) -> str:
    arguments = [each for each in _arguments(name) if each.show]
    own = [each for each in arguments if each.names[0] not in _OPTIONS]
    described = _parameters(name)
    rows = [
        (_flag(each), _default(each), each.parameter.help or described.get(each.names[0], ""))
        for each in own
    ]
    parts = [
        f"### bench {name}",
        f"```text\nbench {name} {helps.USAGE[name]}\n```",
        _description(name),
        table(("flag", "default", "meaning"), rows) if rows else "",
        _fields({each.names[0] for each in arguments} & _OPTIONS),
        "\n".join(f"- `{line}`: {meaning}" for line, meaning in helps.EXAMPLES[name]),
    ]
    return "\n\n".join(filter(None, parts))


def _arguments(name: str) -> Iterator[Argument]:
    yield from app[name].assemble_argument_collection()


def _function(name: str) -> Callable[..., Any]:
    module, _, function = COMMANDS[name][0].partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(f"bench.cli.{module}"), function)
    return found


def _description(name: str) -> str:
    return inspect.cleandoc(_function(name).__doc__ or "").partition("\n\nParameters\n")[0]


def _parameters(name: str) -> dict[str, str]:
    """What the docstring says of the arguments that are no flags, by the names that helps show."""
    _, _, below = inspect.cleandoc(_function(name).__doc__ or "").partition("\n\nParameters\n")
    found = re.findall(r"^(\w+)(?: :.*)?\n((?:    .*\n?)+)", below, re.MULTILINE)
    return {each.upper().replace("_", "-"): text for each, text in found}


def _flag(argument: Argument) -> str:
    names = [each for each in argument.names if not each.startswith(("--no-", "--empty-"))]
    names = names or list(argument.names)  # a flag that only leaves something out
    value = "" if names[0].isupper() else _value(argument)
    return ", ".join(map(code, names)) + (f" {value}" if value else "")


def _value(argument: Argument) -> str:
    if argument.parameter.metavar:
        return code(argument.parameter.metavar)
    choices = get_args(argument.hint)
    if Path in (argument.hint, *choices):
        return code("FILE")
    is_choice = choices and all(isinstance(each, str) for each in choices)
    return " or ".join(map(code, choices)) if is_choice else ""


def _default(argument: Argument) -> str:
    default = argument.field_info.default
    if argument.required or default is inspect.Parameter.empty:
        return "required"
    is_shown = isinstance(default, str | int | float) and default not in (False, "")
    return code(str(default)) if is_shown else ""


def _fields(options: set[str]) -> str:
    missing = sorted(_OPTIONS - options)
    if not options:
        return ""
    link = "[scenario field](scenario-fields.md)"
    if len(missing) > len(options):
        return f"It also takes these {link}s: {', '.join(map(code, sorted(options)))}."
    but = f", but {', '.join(map(code, missing))}" if missing else ""
    return f"It also takes each {link} as a flag{but}."

"""Command lines that cannot be parsed, as one line: what was written, and what to write instead."""

import re
from collections.abc import Sequence
from typing import get_args

import cyclopts
from cyclopts.exceptions import UnknownCommandError, UnknownOptionError, UnusedCliTokensError

from bench.cli.help import USAGE
from bench.errors import nearest, quoted
from bench.workload import library

_OF_BENCH = ("--help", "-h", "--version", "-V")
_EXAMPLE = re.compile(r"Example: (.+)$")


def refusal(error: cyclopts.CycloptsError, command: str | None, commands: Sequence[str]) -> str:
    """Returns the line that refuses a command line.

    ``command`` is the command that was called, or None, and ``commands`` are all that there are.
    """
    match error:
        case UnknownOptionError():
            return _unknown_flag(error, command)
        case UnknownCommandError():
            return _unknown_command((error.unused_tokens or [""])[0], commands)
        case UnusedCliTokensError():
            return (
                f"unexpected argument {quoted((error.unused_tokens or [''])[0])}{_usage(command)}"
            )
        case cyclopts.MissingArgumentError():
            return _missing(error, command)
        case cyclopts.CoercionError():
            return _wrong_value(error)
    return f"{_plain(error)} ({_help_of(command)} lists the flags)"


def _unknown_flag(error: UnknownOptionError, command: str | None) -> str:
    flag = error.token.keyword or error.token.value
    known = [name for each in error.argument_collection for name in each.names if each.show]
    return _unlisted_flag(flag, known, command)


def _unlisted_flag(written: str, known: Sequence[str], command: str | None) -> str:
    flag = written.partition("=")[0]  # the value may be a secret
    hint = nearest(flag, [name for name in known if name.startswith("-")], 0.6)
    where = f"{_help_of(command)} lists the flags"
    return f"unknown flag {flag}{f'{hint} ({where})' if hint else f': {where}'}"


def _unknown_command(word: str, commands: Sequence[str]) -> str:
    if word.startswith("-"):
        return _unlisted_flag(word, _OF_BENCH, None)
    if word in library.names() or word.endswith(".toml"):
        return f"unknown command {quoted(word)}: did you mean 'bench run {word}'?"
    if word.endswith(".json"):
        return f"unknown command {quoted(word)}: did you mean 'bench report {word}'?"
    hint = nearest(word, commands) or f": there are {', '.join(commands)}"
    return f"unknown command {quoted(word)}{hint} ('bench --help' explains them)"


def _missing(error: cyclopts.MissingArgumentError, command: str | None) -> str:
    argument = error.argument
    if argument is None:
        return _plain(error)
    if argument.index is not None and argument.field_info.is_positional_only:
        return f"{argument.name.lstrip('-').upper()} is missing{_usage(command)}"
    name = error.keyword or argument.name
    found = _EXAMPLE.search(argument.parameter.help or "")
    verb = "needs a value" if argument.required is False or error.keyword else "is required"
    return f"{name} {verb}: {f'write for example {name} {found[1]}' if found else 'add one'}"


def _wrong_value(error: cyclopts.CoercionError) -> str:
    token, argument = error.token, error.argument
    name = token.keyword if token is not None else None
    if name is None:
        name = "the command line" if argument is None else argument.name.lstrip("-").upper()
    if error.msg is not None:
        return f"{name}: {' '.join(str(error.msg).split())}"
    words = [each for each in get_args(error.target_type) if isinstance(each, str)]
    written = token.value if token is not None else ""
    if words:
        return (
            f"{name}: {quoted(written)} is not one of {', '.join(words)}{nearest(written, words)}"
        )
    if error.target_type is bool:
        return f"{name}: {quoted(written)} is neither true nor false: write {name} alone for true"
    return _plain(error)


def _usage(command: str | None) -> str:
    usage = USAGE.get(command or "")
    return "" if usage is None else f": the usage is 'bench {command} {usage}'"


def _help_of(command: str | None) -> str:
    return f"'bench {command} --help'" if command else "'bench --help'"


def _plain(error: cyclopts.CycloptsError) -> str:
    return " ".join(str(error).split())

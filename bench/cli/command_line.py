"""The command as typed, for the record."""

import shlex
from collections.abc import Sequence
from contextvars import ContextVar

from bench.load.connection import address

_tokens: ContextVar[tuple[str, ...]] = ContextVar("tokens", default=())


def remember(tokens: Sequence[str]) -> None:
    """Note what this invocation was asked."""
    _tokens.set(tuple(tokens))


def command_line() -> str:
    """What was asked, but for what could be secret in it."""
    return shlex.join(["bench", *map(_without_secrets, _tokens.get())])


def _without_secrets(argument: str) -> str:
    flag, equals, url = "", "", argument
    if argument.startswith("--"):
        flag, equals, url = argument.partition("=")
    return f"{flag}{equals}{address(url)}" if "://" in url else argument

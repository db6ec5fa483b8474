"""The command line of this process, for records."""

import os
from collections.abc import Sequence
from contextvars import ContextVar

from bench.secrets import URL_VARIABLE, command_secrets, hide_in_command, url_secrets

_tokens: ContextVar[tuple[str, ...]] = ContextVar("tokens", default=())


def remember(tokens: Sequence[str]) -> None:
    """Store the arguments of this invocation for ``command_line``."""
    _tokens.set(tuple(tokens))


def command_line() -> str:
    """Returns the command line as typed, without anything that could be secret."""
    return hide_in_command(["bench", *_tokens.get()])


def known_secrets() -> frozenset[str]:
    """Returns the secrets of this invocation: in its arguments, and in the variable of the URL."""
    return command_secrets(_tokens.get()) | url_secrets(os.environ.get(URL_VARIABLE, ""))

"""The command line of this process, for records."""

from collections.abc import Sequence
from contextvars import ContextVar

from bench.redisio.connection import without_secrets

_tokens: ContextVar[tuple[str, ...]] = ContextVar("tokens", default=())


def remember(tokens: Sequence[str]) -> None:
    """Store the arguments of this invocation for ``command_line``."""
    _tokens.set(tuple(tokens))


def command_line() -> str:
    """Returns the command line as typed, without anything that could be secret."""
    return without_secrets(["bench", *_tokens.get()])

"""The command as typed, for the record."""

from collections.abc import Sequence
from contextvars import ContextVar

from bench.redisio.connection import without_secrets

_tokens: ContextVar[tuple[str, ...]] = ContextVar("tokens", default=())


def remember(tokens: Sequence[str]) -> None:
    """Note what this invocation was asked."""
    _tokens.set(tuple(tokens))


def command_line() -> str:
    """What was asked, but for what could be secret in it."""
    return without_secrets(["bench", *_tokens.get()])

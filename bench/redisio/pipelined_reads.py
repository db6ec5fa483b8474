"""Sends reading commands in pieces, so that no reply is long in coming."""

from collections.abc import Sequence
from typing import Any

import redis

from bench.wire.layout_contract import Command

_MOST_AT_ONCE = 200


def read(client: redis.Redis, commands: Sequence[Command]) -> list[Any]:
    """Returns the replies; None for a key of another type. Raises redis-py's errors."""
    replies: list[Any] = []
    for start in range(0, len(commands), _MOST_AT_ONCE):
        pipeline: Any  # its type stubs lack execute_command
        with client.pipeline(transaction=False) as pipeline:
            for command in commands[start : start + _MOST_AT_ONCE]:
                pipeline.execute_command(*command)
            replies += pipeline.execute(raise_on_error=False)
    return [_or_none(reply) for reply in replies]


def _or_none(reply: Any) -> Any:
    if isinstance(reply, redis.exceptions.ResponseError) and str(reply).startswith("WRONGTYPE"):
        return None
    if isinstance(reply, Exception):
        raise reply
    return reply

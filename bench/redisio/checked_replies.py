"""A redis-py client that takes no reply for what it is not.

redis-py hands most replies on as they came, converts some by the command's name, and lets whatever
goes wrong in that pass: another server than Redis, or a proxy, would look like a fault of this
program.
"""

from collections.abc import Callable
from typing import Any

import redis
from redis.client import Pipeline
from redis.exceptions import InvalidResponse

_CONVERSION_FAULTS = (TypeError, ValueError, LookupError, AttributeError, OverflowError)


def _is_integer(reply: object) -> bool:
    return isinstance(reply, int)


def _is_string(reply: object) -> bool:
    return isinstance(reply, bytes)


def _is_string_or_nil(reply: object) -> bool:
    return reply is None or isinstance(reply, bytes)


def _are_strings(reply: object) -> bool:
    return isinstance(reply, list) and all(map(_is_string, reply))


def _are_strings_or_nil(reply: object) -> bool:
    return isinstance(reply, list) and all(map(_is_string_or_nil, reply))


def _is_scan(reply: object) -> bool:
    return isinstance(reply, list) and len(reply) == 2 and _are_strings(reply[1])


_REPLY_TYPES: dict[Callable[[object], bool], str] = {
    _is_integer: "CLIENT_UNBLOCK DBSIZE DECRBY DEL EXISTS EXPIRE HLEN HSET LLEN LPUSH LREM RPUSH "
    "SADD SCARD SISMEMBER SREM TTL UNLINK ZADD ZCARD ZCOUNT ZREM",
    _is_string: "CLIENT_LIST INFO PING SCRIPT_LOAD TYPE",
    _is_string_or_nil: "GET HGET SET",
    _are_strings: "CONFIG_GET HGETALL LRANGE SMEMBERS TIME ZRANGE ZRANGEBYSCORE",
    _are_strings_or_nil: "HMGET MGET",
    _is_scan: "SCAN",
}
"""What the replies to commands are, by the Redis documentation of RESP 2. Replies to others, such
as EVALSHA, are checked where they are used."""


def not_valid(command: str, what: object) -> str:
    """The message for a reply that cannot be one to ``command``; ``what`` is it, or its fault."""
    return f"its reply to {command} is not valid: {str(what)[:60]}"


class ReplyCount:
    """How many replies a client and its pipelines have read."""

    def __init__(self) -> None:
        self.replies = 0


class _CheckedReplies:
    """Raises InvalidResponse for a reply that redis-py cannot convert."""

    answered: ReplyCount

    def parse_response(self, connection: Any, command_name: Any, **options: Any) -> Any:
        self.answered.replies += 1
        try:
            return super().parse_response(connection, command_name, **options)  # type: ignore[misc]
        except _CONVERSION_FAULTS as error:
            raise InvalidResponse(not_valid(_text(command_name), error)) from None


class _CheckingPipeline(_CheckedReplies, Pipeline):
    """Many commands at once."""

    def __init__(self, answered: ReplyCount, *arguments: Any) -> None:
        self.answered = answered
        super().__init__(*arguments)

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        try:
            return super().execute(raise_on_error)
        except _CONVERSION_FAULTS as error:  # the reply to EXEC is converted apart
            raise InvalidResponse(not_valid("a transaction", error)) from None


class CheckingClient(_CheckedReplies, redis.Redis):
    """A client, and its pipelines. Raises InvalidResponse for replies that cannot be."""

    def __init__(self, connection_pool: redis.ConnectionPool) -> None:
        self.answered = ReplyCount()
        super().__init__(connection_pool=connection_pool)
        callbacks: Any = self.response_callbacks  # its own class of dictionary has no types
        for is_right, names in _REPLY_TYPES.items():
            for name in names.split():
                command = name.replace("_", " ")
                callbacks[command] = _checked(command, is_right, callbacks.get(command))
                # Commands of frames are bytes, which redis-py takes and does not convert.
                callbacks[command.encode()] = _checked(command, is_right, None)

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> Pipeline:
        """Returns a pipeline, as redis-py's client does."""
        return _CheckingPipeline(
            self.answered, self.connection_pool, self.response_callbacks, transaction, shard_hint
        )


def _checked(
    command: str, is_right: Callable[[object], bool], convert: Callable[..., Any] | None
) -> Callable[..., Any]:
    """A callback of redis-py for the replies to a command."""

    def callback(reply: Any, **options: Any) -> Any:
        if not is_right(reply):
            raise InvalidResponse(not_valid(command, reply))
        return reply if convert is None else convert(reply, **options)

    return callback


def _text(command_name: str | bytes) -> str:
    return command_name.decode() if isinstance(command_name, bytes) else command_name

"""Whether a server can give the acknowledgements that a run is to wait for."""

from typing import Any

import redis

from bench.errors import UsageError
from bench.workload.acknowledgement import Acknowledgement


def require_durability(client: redis.Redis, wanted: Acknowledgement | None) -> None:
    """Raises UsageError, with cause and cure, where the server lacks the command, the replicas or
    the append-only file; redis-py's errors of the connection, also where this user may not wait."""
    if wanted is None:
        return
    info: dict[str, Any] = client.info("everything")
    if str(info.get("role", "master")) != "master":
        raise UsageError("ack: the server is a replica, which acknowledges nothing: use its master")
    _require_command(client, wanted)
    if wanted.local and not info.get("aof_enabled"):
        raise UsageError(
            "ack: the server keeps no append-only file: set appendonly yes, or write waitaof:0,1"
        )
    online = sum(
        isinstance(each, dict) and each.get("state") == "online"
        for name, each in info.items()
        if name.startswith("slave")
    )
    if online < wanted.replicas:
        raise UsageError(
            f"ack: {online} of {wanted.replicas} replicas are connected to the server: start "
            "them, or wait for fewer"
        )


def _require_command(client: redis.Redis, wanted: Acknowledgement) -> None:
    """Send the command once, for what nobody has to acknowledge, so that it waits for nothing."""
    try:
        client.execute_command(wanted.by.upper(), *wanted.for_nobody)  # type: ignore[no-untyped-call]
    except redis.exceptions.ResponseError as error:
        if "unknown command" not in str(error).lower():
            raise
        raise UsageError(
            f"ack: the server has no {wanted.by.upper()}, which came with Redis 7.2: use wait"
        ) from None

"""Asks a server whether it would run commands, and runs none of them."""

from collections.abc import Sequence
from typing import Any

import redis

from bench.redisio.cluster.client import ClusterClient
from bench.wire.layout_contract import Command
from bench.wire.slots import slot_of_command


def first_refusal(
    client: redis.Redis, commands: Sequence[Command]
) -> redis.exceptions.ResponseError | None:
    """Returns the error with which the server refuses the first of these commands that it does
    refuse; None if it refuses none.

    They are queued in a transaction, which is then discarded: a server checks rights, memory and
    whether it may be written to when a command is queued. One that refuses transactions to this
    user answers nothing, and None is returned. On a cluster, each command goes to the master of its
    key. Raises redis-py's errors of the connection.
    """
    if not isinstance(client, ClusterClient):
        return _first_at(client, commands)
    by_node: dict[str, list[Command]] = {}
    for command in commands:
        node = str(client.owner(slot_of_command(command)))
        by_node.setdefault(node, []).append(command)
    refusals = (_first_at(client.masters[node], sent) for node, sent in by_node.items())
    return next((refusal for refusal in refusals if refusal is not None), None)


def _first_at(
    client: redis.Redis, commands: Sequence[Command]
) -> redis.exceptions.ResponseError | None:
    """The first refusal of one server."""
    pool: Any = client.connection_pool
    connection = pool.get_connection()
    try:
        connection.send_command("MULTI")
        try:
            connection.read_response()
        except redis.exceptions.ResponseError:
            return None
        refusal = None
        for command in commands:
            connection.send_command(*command)
            try:
                connection.read_response()
            except redis.exceptions.ResponseError as error:
                refusal = refusal or error
        return refusal
    finally:
        connection.disconnect()  # the server then discards what was queued
        pool.release(connection)

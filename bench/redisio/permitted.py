"""Asks a server whether it would run commands, and runs none of them."""

from collections.abc import Sequence
from typing import Any

import redis

from bench.wire.layout_contract import Command


def first_refusal(
    client: redis.Redis, commands: Sequence[Command]
) -> redis.exceptions.ResponseError | None:
    """Returns the error with which the server refuses the first of these commands that it does
    refuse; None if it refuses none.

    They are queued in a transaction, which is then discarded: a server checks rights, memory and
    whether it may be written to when a command is queued. One that refuses transactions to this
    user answers nothing, and None is returned. Raises redis-py's errors of the connection.
    """
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
        connection.send_command("DISCARD")
        connection.read_response()
        return refusal
    finally:
        connection.disconnect()  # nothing that was queued can be left
        pool.release(connection)

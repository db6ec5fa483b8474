"""Notices that Sentinels have made another server the master, as they publish it.

Nothing else tells a client so: in a failover that was asked for, the old master keeps its
connections and acknowledges what is written to it, for ten seconds and more. All of that is lost
once it becomes a replica of the new one.
"""

import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import redis

from bench.redisio.url import NodeAddress

_CHANNEL = "+switch-master"
_REOPEN_EVERY_S = 10.0
"""How often Sentinels are tried at most while none can be listened to: those that are gone without
a trace keep everybody waiting meanwhile."""
_NO_MESSAGE = (TypeError, ValueError, LookupError, AttributeError)
"""What reading something raises that is no message of a Sentinel."""
Connect = Callable[[NodeAddress], Any]
"""Opens a connection of redis-py to a Sentinel. Raises redis-py's errors."""


class MasterWatch:
    """Listens to the first Sentinel that answers, for changes of one master.

    A user who may not subscribe notices a change when the connection is closed.
    """

    def __init__(self, nodes: Sequence[NodeAddress], name: str, connect: Connect) -> None:
        self._nodes = nodes
        self._name = name
        self._connect = connect
        self._connection: Any = None
        self._next_open_s = 0.0
        self._changes = 0
        self._master: NodeAddress | None = None
        """The newest master by what was published; None where something may have been missed."""

    def has_left(self, node: NodeAddress, since: int) -> bool:
        """Whether another server than ``node`` may be the master since there were that many changes
        (``since``)."""
        return self.changes() != since and self._master != node

    def changes(self) -> int:
        """How many changes may have been so far. Waits for nothing but a new connection."""
        if self._connection is None and time.monotonic() >= self._next_open_s:
            self._open()
        try:
            while self._connection is not None and self._connection.can_read(timeout=0):
                message = self._connection.read_response()
                if message[0] == b"message":
                    self._note(message[2].decode())
        except (redis.exceptions.RedisError, OSError, *_NO_MESSAGE):
            self._connection.disconnect()
            self._connection = None
            self._changes += 1  # one that comes before the next connection would be missed
            self._master = None
        return self._changes

    def _note(self, change: str) -> None:
        """Take what is published: name, old host, old port, new host, new port."""
        name, _, _, host, port = change.split(" ")
        if name == self._name:
            self._changes += 1
            self._master = NodeAddress(host, int(port))

    def _open(self) -> None:
        for node in self._nodes:
            connection = None
            try:
                connection = self._connect(node)
                connection.send_command("SUBSCRIBE", _CHANNEL)
                connection.read_response()
            except (redis.exceptions.RedisError, OSError):
                if connection is not None:
                    connection.disconnect()
                continue
            self._connection = connection
            return
        self._next_open_s = time.monotonic() + _REOPEN_EVERY_S


_watches: dict[tuple[int, tuple[NodeAddress, ...], str], MasterWatch] = {}


def watch_of(nodes: tuple[NodeAddress, ...], name: str, connect: Connect) -> MasterWatch:
    """The one watch of this process for a master."""
    key = (os.getpid(), nodes, name)
    if key not in _watches:
        _watches[key] = MasterWatch(nodes, name, connect)
    return _watches[key]

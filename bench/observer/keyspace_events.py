"""Keyspace events: the server itself publishes that a task's keys have changed.

Each event comes with a moment after which it happened: a PING is sent at intervals on the same
connection, and whatever arrives after its reply happened after it was sent.
"""

import select
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import hiredis
import redis

from bench.clock import Clock
from bench.errors import MeasurementError
from bench.redisio.connection import ConnectionLost, RawConnection, open_client
from bench.redisio.task_keys import key_patterns
from bench.wire import ids, resp
from bench.wire.layout_contract import Layout

_FENCE_EVERY_US = 1_000
_CONFIRM_TIMEOUT_S = 10.0
NEEDED = "Kgh$"
"""Flags for key names, and for changes to any key, to hashes and to strings."""


@dataclass(frozen=True)
class KeyspaceEvent:
    """A change to a task's keys."""

    task_id: bytes
    after_us: int
    """The change happened after this moment on the run's clock."""


class EventSource(Protocol):
    """A source of changes to a run's tasks."""

    def fileno(self) -> int:
        """The file descriptor that is readable when events have arrived, for ``select``."""
        ...

    def read(self, clock: Clock) -> Iterator[KeyspaceEvent]:
        """The events that have arrived. Raises ConnectionLost."""
        ...

    def reconnect(self) -> None:
        """Go on with a new connection. Raises ServerUnreachable and ConnectionLost."""
        ...


def flags(client: redis.Redis) -> str:
    """The server's ``notify-keyspace-events``; empty where reading it is forbidden."""
    try:
        found = client.config_get("notify-keyspace-events")
    except redis.exceptions.ResponseError:
        return ""
    return str(next(iter(found.values()), ""))


def are_enough(flags: str) -> bool:
    """Whether a server with these flags publishes everything that happens to a task."""
    meant = set(flags) | (set("gh$") if "A" in flags else set())
    return meant >= set(NEEDED)


class KeyspaceEvents:
    """Changes to one run's tasks. Raises ServerUnreachable when it cannot connect."""

    def __init__(self, url: str, layout: Layout, queues: Sequence[str], run: int) -> None:
        self._url = url
        with open_client(url) as client:
            database = int(client.connection_pool.connection_kwargs.get("db", 0))
        self._channels = _channels(database, layout, queues, run)
        self._connection, self._reader = self._subscribe()
        self._fence_us = 0
        """Events that arrive now happened after this moment."""
        self._ping_us: int | None = None
        """When the PING was sent whose reply has not arrived."""

    def reconnect(self) -> None:
        """Go on with a new connection; changes in between are lost.

        Raises ServerUnreachable and ConnectionLost.
        """
        old = self._connection
        self._connection, self._reader = self._subscribe()
        self._fence_us, self._ping_us = 0, None
        old.close()

    def fileno(self) -> int:
        """The file descriptor that is readable when events have arrived, for ``select``."""
        return self._connection.fileno()

    def read(self, clock: Clock) -> Iterator[KeyspaceEvent]:
        """The events that have arrived. Raises ConnectionLost."""
        now_us = clock.now_us()
        if self._ping_us is None and now_us >= self._fence_us + _FENCE_EVERY_US:
            self._ping_us = now_us
            self._connection.send(resp.encode([("PING",)]))
        while select.select([self._connection], [], [], 0)[0]:
            self._reader.feed(self._connection.receive())
            while (message := self._reader.gets()) is not False:
                if isinstance(message, hiredis.ReplyError):
                    raise ConnectionLost(str(message))
                if message[0] == b"pong":
                    self._fence_us, self._ping_us = self._ping_us or self._fence_us, None
                elif message[0] == b"pmessage":
                    yield KeyspaceEvent(bytes(message[2][-ids.ID_LENGTH :]), self._fence_us)

    def _subscribe(self) -> tuple[RawConnection, hiredis.Reader]:
        """A connection of which the server has confirmed all subscriptions, and its reader."""
        connection, reader = RawConnection(self._url), hiredis.Reader()
        connection.send(resp.encode([("PSUBSCRIBE", *self._channels)]))
        confirmed = 0
        while confirmed < len(self._channels):
            if not select.select([connection], [], [], _CONFIRM_TIMEOUT_S)[0]:
                raise ConnectionLost("the server does not confirm the subscription")
            reader.feed(connection.receive())
            while (message := reader.gets()) is not False:
                if isinstance(message, hiredis.ReplyError):
                    raise MeasurementError(f"the server refuses keyspace events: {message}")
                confirmed += message[0] == b"psubscribe"
        return connection, reader


def _channels(database: int, layout: Layout, queues: Sequence[str], run: int) -> list[str]:
    """Patterns of the channels on which changes to the run's tasks are published."""
    return [f"__keyspace@{database}__:{key}" for key in key_patterns(layout, queues, run)]

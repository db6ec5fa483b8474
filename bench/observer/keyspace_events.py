"""Keyspace events: the server's own word that a task's keys have changed.

Each event is told with a moment after which it happened. For that a fence goes out on the same
connection now and then, a PING: what arrives after its answer happened after it was sent.
"""

import re
import select
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import hiredis
import redis

from bench.clock import Clock
from bench.errors import MeasurementError
from bench.redisio.connection import ConnectionLost, RawConnection, open_client
from bench.wire import ids, resp
from bench.wire.layout import Layout

_FENCE_EVERY_US = 1_000
_CONFIRM_S = 10.0
_MARK = "\x00"
_SPECIAL = re.compile(r"([\\*?\[\]^])")


def _literal(text: str) -> str:
    """A text as a pattern that matches it alone."""
    return _SPECIAL.sub(r"\\\1", text)


@dataclass(frozen=True)
class KeyspaceEvent:
    """Something happened to a task's keys."""

    task_id: bytes
    after_us: int
    """It happened after this moment on the run's clock."""


def flags(client: redis.Redis) -> str:
    """The server's ``notify-keyspace-events``; empty where it may not be asked."""
    try:
        found = client.config_get("notify-keyspace-events")
    except redis.exceptions.ResponseError:
        return ""
    return str(next(iter(found.values()), ""))


NEEDED = "Kgh$"
"""Key names, and changes to any key, to hashes and to strings."""


def are_enough(written: str) -> bool:
    """Whether a server with these flags tells of all that happens to a task."""
    meant = set(written) | (set("gh$") if "A" in written else set())
    return meant >= set(NEEDED)


class KeyspaceEvents:
    """Changes to one run's tasks. Raises ServerUnreachable when it cannot connect."""

    def __init__(self, url: str, layout: Layout, queues: Sequence[str], run: int) -> None:
        self._url = url
        with open_client(url) as client:
            database = client.connection_pool.connection_kwargs.get("db", 0)
        text = ids.run_text(run)
        any_id = f"{text[:8]}-{text[8:12]}-8???-8{text[12:]}-*"
        # Of a queue's name every letter is meant as it is.
        keys = sorted(
            {
                _literal(key.removesuffix(_MARK)) + any_id
                for queue in queues
                for key in layout.keys_of(queue, _MARK)
            }
        )
        self._patterns = len(keys)
        self._subscribe = resp.encode(
            [("PSUBSCRIBE", *(f"__keyspace@{database}__:{key}" for key in keys))]
        )
        self._open()

    def _open(self) -> None:
        wire, reader = RawConnection(self._url), hiredis.Reader()
        wire.send(self._subscribe)
        confirmed = 0
        while confirmed < self._patterns:
            if not select.select([wire], [], [], _CONFIRM_S)[0]:
                raise ConnectionLost("the server does not confirm the subscription")
            reader.feed(wire.receive())
            while (message := reader.gets()) is not False:
                if isinstance(message, hiredis.ReplyError):
                    raise MeasurementError(f"the server tells of no changes: {message}")
                confirmed += message[0] == b"psubscribe"
        self._connection, self._reader = wire, reader
        self._fence_us = 0
        """What comes now happened after this."""
        self._sent_us: int | None = None
        """When the fence went out whose answer has not come."""

    def reconnect(self) -> None:
        """On a new connection; what happened in between is not told.

        Raises ServerUnreachable and ConnectionLost.
        """
        old = self._connection
        self._open()
        old.close()

    def fileno(self) -> int:
        """For ``select``."""
        return self._connection.fileno()

    def read(self, clock: Clock) -> Iterator[KeyspaceEvent]:
        """What has arrived by now. Raises ConnectionLost."""
        now_us = clock.now_us()
        if self._sent_us is None and now_us >= self._fence_us + _FENCE_EVERY_US:
            self._sent_us = now_us
            self._connection.send(resp.encode([("PING",)]))
        while select.select([self._connection], [], [], 0)[0]:
            self._reader.feed(self._connection.receive())
            while (message := self._reader.gets()) is not False:
                if isinstance(message, hiredis.ReplyError):
                    raise ConnectionLost(str(message))
                if message[0] == b"pong":
                    self._fence_us, self._sent_us = self._sent_us or self._fence_us, None
                elif message[0] == b"pmessage":
                    yield KeyspaceEvent(bytes(message[2][-ids.ID_LENGTH :]), self._fence_us)

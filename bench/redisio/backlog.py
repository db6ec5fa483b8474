"""Reads how long a run's pending lists are, beside the connections that send."""

import contextlib
from collections.abc import Sequence

import redis

from bench.errors import ServerUnreachable
from bench.redisio.connection import open_client
from bench.redisio.queue_keys import length
from bench.wire.layout_contract import Layout, pending_key

_ANSWER_TIMEOUT_S = 1.0
"""How long to wait for an answer: the replies that are measured are not read meanwhile."""


class BacklogReader:
    """Asks for the lengths of pending lists, on a connection that is opened when it is needed."""

    def __init__(self, url: str, layout: Layout, queues: Sequence[str]) -> None:
        self._url = url
        self._keys = [pending_key(layout, queue) for queue in queues]
        self._client: redis.Redis | None = None

    def longest(self) -> int | None:
        """The length of the longest list; None if the server does not say at the moment.

        That the server is gone is for those to notice who send to it.
        """
        try:
            if self._client is None:
                self._client = open_client(self._url, _ANSWER_TIMEOUT_S)
            client = self._client
            return max(length(client, key) for key in self._keys)
        except (ServerUnreachable, redis.exceptions.RedisError, TypeError, ValueError):
            self.close()
            return None

    def close(self) -> None:
        """Close the connection; it is opened again when it is needed."""
        if self._client is not None:
            with contextlib.suppress(redis.exceptions.RedisError):
                self._client.close()
            self._client = None

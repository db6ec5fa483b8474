"""Reads replies for redis-py, each of them of bounded size and within the connection's timeout.

redis-py's own timeout is that of one read: a server that sends a reply byte by byte, each in time,
would be waited for without an end. Nor does redis-py bound what it keeps in memory.
"""

import time
from typing import Any

import redis
from redis.connection import DefaultParser
from redis.utils import SENTINEL

from bench.redisio.no_retries import NoRetries

MOST_BYTES = 1 << 26
"""The longest reply that is read: ids are read in chunks, and no task's fields are as long."""
_LOOK_EVERY_S = 0.25
"""How soon a read notices that the user wants an end."""


class BoundedParser(DefaultParser):  # type: ignore[misc,valid-type]  # hiredis' or Python's
    """redis-py's parser, for connections whose retry policy is a ``NoRetries``.

    Raises redis-py's TimeoutError for a reply that is not whole in time, and its InvalidResponse
    for one that is longer than ``MOST_BYTES``.
    """

    _reader: Any = None
    _began_s = 0.0
    _left_bytes = MOST_BYTES

    def on_connect(self, connection: Any, **options: Any) -> None:
        """Get ready for the replies of a connection."""
        super().on_connect(connection, **options)
        self._retry: NoRetries = connection.retry
        self._timeout_s: float | None = connection.socket_timeout

    def read_response(self, *arguments: Any, **options: Any) -> Any:
        """Returns the next reply, as redis-py's parser does."""
        self._began_s = time.monotonic()
        self._left_bytes = MOST_BYTES
        try:
            return super().read_response(*arguments, **options)
        except MemoryError:  # the reader makes room for as many elements as were announced
            raise redis.exceptions.InvalidResponse("a reply is longer than the memory") from None

    def read_from_socket(self, timeout: Any = SENTINEL, raise_on_timeout: bool = True) -> bool:
        """Wait for more of the reply; a caller that names a time-out of its own has that one."""
        if timeout is not SENTINEL:
            return bool(super().read_from_socket(timeout, raise_on_timeout))
        held_bytes = self._held_bytes()
        while not super().read_from_socket(timeout=self._wait_s(), raise_on_timeout=False):
            pass
        self._left_bytes -= self._held_bytes() - held_bytes
        if self._left_bytes < 0:
            raise redis.exceptions.InvalidResponse(f"a reply is longer than {MOST_BYTES} bytes")
        return True

    def _wait_s(self) -> float:
        now_s = time.monotonic()
        left_s = self._retry.deadline_s(self._began_s, self._timeout_s) - now_s
        if left_s <= 0:
            raise redis.exceptions.TimeoutError("a reply is not whole in time")
        return min(left_s, _LOOK_EVERY_S)

    def _held_bytes(self) -> int:
        """How many bytes the reader has that it has not made values of."""
        return 0 if self._reader is None else int(self._reader.len())

"""Reads replies for redis-py, each of them of bounded size and within the connection's timeout.

redis-py's own timeout is that of one read: a server that sends a reply byte by byte, each in time,
would be waited for without an end. Nor does redis-py bound what it keeps in memory.
"""

import math
import time
from typing import Any

import redis
from redis.connection import DefaultParser

MOST_BYTES = 1 << 26
"""The longest reply that is read: ids are read in chunks, and no task's fields are as long."""


class BoundedParser(DefaultParser):  # type: ignore[misc,valid-type]  # hiredis' or Python's
    """redis-py's parser. Raises its TimeoutError for a reply that is not whole in time, and its
    InvalidResponse for one that is longer than ``MOST_BYTES``."""

    _reader: Any = None
    _socket_timeout: float | None = None
    _deadline_s = math.inf
    _left_bytes = MOST_BYTES

    def read_response(self, *arguments: Any, **options: Any) -> Any:
        """Returns the next reply, as redis-py's parser does."""
        limit_s = self._socket_timeout
        self._deadline_s = math.inf if limit_s is None else time.monotonic() + limit_s
        self._left_bytes = MOST_BYTES
        try:
            return super().read_response(*arguments, **options)
        except MemoryError:  # the reader makes room for as many elements as it is told of
            raise redis.exceptions.InvalidResponse("a reply is longer than the memory") from None

    def read_from_socket(self, *arguments: Any, **options: Any) -> Any:
        """Wait for more of the reply, as redis-py's parser does."""
        if time.monotonic() > self._deadline_s:
            raise redis.exceptions.TimeoutError("a reply is not whole in time")
        held_bytes = self._held_bytes()
        is_read = super().read_from_socket(*arguments, **options)
        self._left_bytes -= self._held_bytes() - held_bytes
        if self._left_bytes < 0:
            raise redis.exceptions.InvalidResponse(f"a reply is longer than {MOST_BYTES} bytes")
        return is_read

    def _held_bytes(self) -> int:
        """How many bytes the reader has that it has not made values of."""
        return 0 if self._reader is None else int(self._reader.len())

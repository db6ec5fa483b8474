"""Reads replies for redis-py, each of them within the connection's timeout.

redis-py's own timeout is that of one read: a server that sends a reply byte by byte, each in time,
would be waited for without an end.
"""

import math
import time
from typing import Any

import redis
from redis.connection import DefaultParser


class BoundedParser(DefaultParser):  # type: ignore[misc,valid-type]  # hiredis' or Python's
    """redis-py's parser. Raises its TimeoutError for a reply that is not whole in time."""

    _socket_timeout: float | None = None
    _deadline_s = math.inf

    def read_response(self, *arguments: Any, **options: Any) -> Any:
        """Returns the next reply, as redis-py's parser does."""
        limit_s = self._socket_timeout
        self._deadline_s = math.inf if limit_s is None else time.monotonic() + limit_s
        return super().read_response(*arguments, **options)

    def read_from_socket(self, *arguments: Any, **options: Any) -> Any:
        """Wait for more of the reply, as redis-py's parser does."""
        if time.monotonic() > self._deadline_s:
            raise redis.exceptions.TimeoutError("the reply is not whole in time")
        return super().read_from_socket(*arguments, **options)

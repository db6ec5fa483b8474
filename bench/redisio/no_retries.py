"""How long a client waits for a server: redis-py's retry policy, of which there is one a client."""

import math
import time
from collections.abc import Callable
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

HURRIED_TIMEOUT_S = 2.0


class NoRetries(Retry):
    """Repeats no command: a repeated enqueue would be two tasks.

    Once ``wants_end`` holds, the client is in a hurry: it waits ``HURRIED_TIMEOUT_S`` for a
    reply, also for one that it was waiting for already, and a server that was silent for so long is
    not asked again.
    """

    def __init__(self, wants_end: Callable[[], bool] = lambda: False) -> None:
        super().__init__(NoBackoff(), 0)
        self._wants_end = wants_end
        self._hurried_since_s = math.inf
        self._is_over = False

    def __deepcopy__(self, _: object) -> "NoRetries":
        return self  # all connections of a client share it

    def call_with_retry(self, *arguments: Any, **options: Any) -> Any:
        """Make a call. Raises redis-py's TimeoutError at once where there is no point in one."""
        if self._is_over:
            raise redis.exceptions.TimeoutError("the server was silent before")
        try:
            return super().call_with_retry(*arguments, **options)
        except redis.exceptions.TimeoutError:
            self._is_over = self._is_in_a_hurry()
            raise

    def deadline_s(self, began_s: float, timeout_s: float | None) -> float:
        """Until when to wait for a reply, by ``time.monotonic``, if the wait began at ``began_s``
        and may last for ``timeout_s``; None for one without an end."""
        deadline_s = math.inf if timeout_s is None else began_s + timeout_s
        if self._is_in_a_hurry():
            deadline_s = min(deadline_s, max(began_s, self._hurried_since_s) + HURRIED_TIMEOUT_S)
        return deadline_s

    def _is_in_a_hurry(self) -> bool:
        if self._hurried_since_s == math.inf and self._wants_end():
            self._hurried_since_s = time.monotonic()
        return self._hurried_since_s < math.inf

"""Takes tasks off a queue and puts others there twice, so that the numbers are known."""

import threading
from collections.abc import Callable
from typing import Any

from bench.redisio.connection import open_client

_POLL_S = 0.002


class Saboteur(threading.Thread):
    """Strikes once, when the pending list of ``queue`` (runqy layout) has ``from_pending`` tasks.

    It works at the end where tasks are pushed, so that workers, which pop from the other one, never
    meet it: ``popped`` ids are taken off the list, ``deleted`` tasks lose their hash under their
    id, and ``doubled`` ids are pushed once more. ``popped`` + ``deleted`` tasks are lost.
    """

    def __init__(
        self,
        url: str,
        queue: str,
        *,
        from_pending: int,
        popped: int,
        deleted: int,
        doubled: int,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(daemon=True)
        self._client: Any = open_client(url)
        self._key = f"asynq:{queue}:pending"
        self._from_pending = from_pending
        self._popped, self._deleted, self._doubled = popped, deleted, doubled
        self._should_stop = should_stop
        self.stopping = threading.Event()
        self.has_struck = False

    def run(self) -> None:
        """Wait until there are tasks enough, and strike."""
        while self._client.llen(self._key) < self._from_pending:
            if self.stopping.wait(_POLL_S) or self._should_stop():
                return
        self._client.lpop(self._key, self._popped)
        newest = self._client.lrange(self._key, 0, self._deleted + self._doubled - 1)
        for task_id in newest[: self._deleted]:
            self._client.delete(b"asynq:t:" + task_id)
        self._client.lpush(self._key, *newest[self._deleted :])
        self.has_struck = True

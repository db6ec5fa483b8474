"""The next tasks of a producer, prepared before they are due.

The schedule is known ahead, so what a task needs can be made while there is nothing else to do:
when a task falls due, only its moment of sending is missing. Nothing here reads a clock.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic

from bench.producer.sinks import Prepared
from bench.wire.frames import Batch
from bench.workload.feed import Feed

_BATCH_S = 0.005
_SMALLEST, _LARGEST = 8, 256
_BATCHES = 2
"""Batches that are kept ready. The first of them is being sent."""


@dataclass(slots=True)
class PreparedBatch(Generic[Prepared]):
    """Tasks (n,) that can be sent, and how many of them were."""

    content: Prepared
    due_us: list[int]
    """Due times (n,) on the run's clock."""
    sent: int = 0


class Lookahead(Generic[Prepared]):
    """Hands out the tasks of a feed in order, prepared; each of them exactly once.

    ``start_us`` is the run's start on its clock, ``peak_per_s`` the highest rate of the feed, and
    ``prepare`` makes what is handed out of a batch with due times on that clock. A batch is what
    falls due within a few milliseconds: preparing it should take no longer than a pause.
    """

    def __init__(
        self, feed: Feed, start_us: int, peak_per_s: float, prepare: Callable[[Batch], Prepared]
    ) -> None:
        self._feed = feed
        self._most = min(max(int(peak_per_s * _BATCH_S), _SMALLEST), _LARGEST)
        self._start_us = start_us
        self._prepare = prepare
        self._ready: deque[PreparedBatch[Prepared]] = deque()

    @property
    def is_full(self) -> bool:
        """Whether enough is prepared for now, or no task is left to prepare."""
        return len(self._ready) >= _BATCHES or self._feed.next_due_us() is None

    def prepare_more(self) -> None:
        """Prepare the next batch. Raises LookupError when no task is left."""
        batch = self._feed.take(self._most)
        batch = replace(batch, due_us=batch.due_us + self._start_us)
        self._ready.append(PreparedBatch(self._prepare(batch), batch.due_us.tolist()))

    def next_due_us(self) -> int | None:
        """When the next task is due on the run's clock, or None when no task is left."""
        if self._ready:
            batch = self._ready[0]
            return batch.due_us[batch.sent]
        due_us = self._feed.next_due_us()
        return None if due_us is None else due_us + self._start_us

    def take(self, now_us: int, most: int) -> tuple[Prepared, int, int]:
        """Returns the next tasks that are due by then, at most ``most``: a batch, and the range of
        tasks in it, which is empty if none is due. There may be more, in the next batch.

        Raises LookupError when no task is left.
        """
        if not self._ready:
            self.prepare_more()
        batch = self._ready[0]
        start = batch.sent
        stop = batch.sent = min(bisect_right(batch.due_us, now_us, start), start + most)
        if stop == len(batch.due_us):
            self._ready.popleft()
        return batch.content, start, stop

    def due_by(self, now_us: int) -> int:
        """Returns the number of remaining tasks that are due by then."""
        due = self._feed.due_by(now_us - self._start_us)
        for batch in self._ready:
            due += bisect_right(batch.due_us, now_us, batch.sent) - batch.sent
        return due

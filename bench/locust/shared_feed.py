"""The tasks of one Locust process, which all its users share.

Whatever the number of users, and however Locust ends them, every task is handed out in the order
of due times, and a batch that a user could not send goes to another. Nothing here reads a clock.
"""

from collections import deque
from dataclasses import replace

import numpy as np

from bench.wire.frames import Batch
from bench.workload.feed import Feed
from bench.workload.overrun import Overrun

TICK_US = 1000
"""A task due less than this after another leaves with it. Every batch costs a wake-up of this
process and of the server, and most of a batch's work is the same for one task as for five."""
LAST_REPLIES_US = 5_000_000
"""How long after a stop batches that users hold may still be sent and answered."""


class SharedFeed:
    """A feed on the run's clock. ``end_us`` is when a closed loop ends; None for no such moment.

    ``overrun`` bounds an open loop: what is due and not handed out by then is given up.
    """

    def __init__(
        self,
        feed: Feed,
        start_us: int,
        end_us: int | None,
        overrun: Overrun,
        *,
        is_closed_loop: bool,
    ) -> None:
        self._feed = feed
        self._start_us = start_us
        self._end_us = end_us
        self._overrun = overrun
        self._is_closed_loop = is_closed_loop
        self._stop_us: int | None = None
        self._returned: deque[Batch] = deque()
        self._last_due_us = 0
        """When the last task that was handed out is due, in µs after the start."""
        self._held = 0
        """Batches that users hold."""

    def stop(self, stop_us: int) -> None:
        """Hand out only what was due by that moment; in a closed loop, nothing more."""
        self._stop_us = stop_us

    def take(self, most: int, now_us: int) -> Batch | None:
        """The next batch of up to ``most`` tasks, with absolute due times, or None for no more.

        In a closed loop tasks are due now. Its holder must ``release`` or ``give_back`` it.
        """
        batch = self._returned.popleft() if self._returned else self._next(most, now_us)
        self._held += batch is not None
        return batch

    def release(self) -> None:
        """A batch was sent, or may have been: it is never handed out again."""
        self._held -= 1

    def give_back(self, batch: Batch) -> None:
        """A batch was certainly not sent: it goes to the next user who asks."""
        self._held -= 1
        self._returned.append(batch)

    def pop_returned(self) -> Batch | None:
        """A batch that was given back and not taken again, or None; it need not be released."""
        return self._returned.popleft() if self._returned else None

    @property
    def returned_tasks(self) -> int:
        """Tasks that were given back and not taken again."""
        return sum(map(len, self._returned))

    @property
    def is_held(self) -> bool:
        """Whether any user holds a batch."""
        return self._held > 0

    def is_over(self, now_us: int) -> bool:
        """Whether everything to be sent was sent, or the time for it is over.

        A user whose connection takes nothing holds its batch until then.
        """
        next_due_us = self._feed.next_due_us()
        if self._stop_us is not None and now_us > self._stop_us + LAST_REPLIES_US:
            return True
        due_us = self._last_due_us if next_due_us is None else next_due_us
        if self._overrun.is_over(now_us - LAST_REPLIES_US - self._start_us, due_us):
            return True
        if self._held:
            return False
        if next_due_us is None or self._is_past_stop(next_due_us) or self.is_given_up(now_us):
            return True
        return self._end_us is not None and now_us >= self._end_us

    def is_given_up(self, now_us: int) -> bool:
        """Whether tasks are left, and none of them is handed out any more as they are too late."""
        due_us = self._feed.next_due_us()
        return due_us is not None and self._overrun.is_over(now_us - self._start_us, due_us)

    def behind_us(self, now_us: int) -> int:
        """How long the next task has been due by now; zero if it is not, or none is left, and in a
        closed loop."""
        due_us = None if self._is_closed_loop else self._feed.next_due_us()
        return 0 if due_us is None else max(now_us - self._start_us - due_us, 0)

    def count_unsent(self, now_us: int) -> int:
        """How many tasks were due by now, or by the stop, and were never taken. Uses the feed up.

        Zero in a closed loop, where nothing is due before it is sent.
        """
        if self._is_closed_loop:
            return 0
        until_us = now_us if self._stop_us is None else self._stop_us
        return self._feed.due_by(until_us - self._start_us)

    def _next(self, most: int, now_us: int) -> Batch | None:
        next_due_us = self._feed.next_due_us()
        if next_due_us is None or self._is_past_stop(next_due_us):
            return None
        if self._is_closed_loop:
            if self._end_us is not None and now_us >= self._end_us:
                return None
            batch = self._feed.take(most)
            return replace(batch, due_us=np.full(len(batch), now_us))
        if self.is_given_up(now_us):
            return None
        until_us = max(now_us - self._start_us, next_due_us + TICK_US - 1)
        if self._stop_us is not None:
            until_us = min(until_us, self._stop_us - self._start_us)
        batch = self._feed.take(min(self._feed.count_due(until_us), most))
        self._last_due_us = int(batch.due_us[-1])
        return replace(batch, due_us=batch.due_us + self._start_us)

    def _is_past_stop(self, next_due_us: int) -> bool:
        """Whether the next task, due then in µs after the start, is one too many."""
        if self._stop_us is None:
            return False
        return self._is_closed_loop or self._start_us + next_due_us > self._stop_us

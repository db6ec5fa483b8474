"""How many of a run's tasks have been taken and finished, from the lengths of its queues."""

from collections.abc import Callable, Mapping, Sequence

from bench.ipc.progress_board import ProgressBoard
from bench.observer.recorder import CompletionRecorder
from bench.wire.layout_contract import KeyRole, Layout

QUIET_FOR_US = 300_000
"""How long the queues must have been empty, and nothing enqueued, before all tasks are queried."""


class QueueCounter:
    """The counts of one run. ``read_lengths`` reads how many ids all keys of each role hold."""

    def __init__(
        self,
        read_lengths: Callable[[], Mapping[KeyRole, int]],
        progress_board: ProgressBoard,
        recorder: CompletionRecorder,
    ) -> None:
        self._read_lengths = read_lengths
        self._progress_board = progress_board
        self._recorder = recorder
        self._enqueued = 0
        self._quiet_since_us: int | None = None
        """Since when the queues have been empty and nothing has been enqueued."""
        self.on_lists = 0
        """Tasks on pending and active lists at the last count."""
        self.polls = 0
        """How often the lengths were read."""

    def count(self, now_us: int) -> None:
        """Record how many tasks have been taken and finished by now. Raises redis-py's errors.

        The number of enqueued tasks is read before the lengths, so that both counts are rather too
        small than too large until the next time.
        """
        enqueued = self._progress_board.enqueued
        held = self._read_lengths()
        self.polls += 1
        self.on_lists = held[KeyRole.PENDING] + held[KeyRole.ACTIVE]
        started = max(enqueued - held[KeyRole.PENDING], 0)
        self._recorder.counted(started, max(enqueued - self.on_lists, 0), now_us)
        if self.on_lists or enqueued > self._enqueued:
            self._quiet_since_us = None
        elif self._quiet_since_us is None:
            self._quiet_since_us = now_us
        self._enqueued = enqueued

    def is_quiet(self, now_us: int) -> bool:
        """Whether the queues have been empty, and nothing enqueued, for ``QUIET_FOR_US``."""
        since_us = self._quiet_since_us
        return since_us is not None and now_us - since_us >= QUIET_FOR_US


def commands_per_count(layout: Layout, queues: Sequence[str]) -> int:
    """Commands of one count that the server's statistics would take for a task's.

    These are the two commands of a transaction, and a ZCARD for each set; LLEN is never counted as
    a task's.
    """
    keys = [key for queue in queues for key in layout.queue_keys(queue)]
    return 2 + sum(key.is_sorted_set for key in keys)

"""When a server takes nothing of a producer, and which lateness that explains."""

import numpy as np

from bench.arrays import Integers
from bench.measure.recorder import Interval, IntervalRecorder
from bench.measure.reports import MeasuredLatencies
from bench.measure.window import TimeLine

_FOR_EVER_US = 1 << 62


class HeldTimes:
    """The times in which the server took nothing, and the lateness of tasks sent outside of them.

    Such a time lasts until everything has been sent that had become late by then. All moments are
    absolute, in µs on the run's clock.
    """

    def __init__(self, line: TimeLine) -> None:
        self._start_us = line.start_us
        self._times: list[list[int]] = []
        self._own = IntervalRecorder(line, has_narrow=False)

    @property
    def is_held(self) -> bool:
        """Whether such a time goes on."""
        return bool(self._times) and self._times[-1][1] == _FOR_EVER_US

    def begin(self, now_us: int) -> None:
        """The server takes nothing from now on."""
        if not self.is_held:
            self._times.append([now_us, _FOR_EVER_US])

    def end(self, now_us: int) -> None:
        """The server takes what it is sent, and nothing is late any more."""
        if self.is_held:
            self._times[-1][1] = now_us

    def count(self, queue: Integers, due_us: Integers, sent_us: Integers) -> None:
        """Count the lateness of tasks (n,) that were sent at other times."""
        is_own = np.ones(len(due_us), np.bool_)
        for begin_us, end_us in self._times:
            is_own &= (sent_us < begin_us) | (sent_us > end_us)
        if is_own.any():
            due_us = due_us[is_own]
            lag_us = sent_us[is_own] - due_us
            self._own.record_by_queue(Interval.SCHEDULE_LAG, queue[is_own], lag_us, due_us)

    def own_lag(self) -> MeasuredLatencies:
        """The lateness of the tasks that were counted."""
        return MeasuredLatencies(self._own.parts())

    def after_start(self, now_us: int) -> list[tuple[int, int]]:
        """The times so far, in µs after the start; one that goes on ends now."""
        return [
            (begin_us - self._start_us, min(end_us, now_us) - self._start_us)
            for begin_us, end_us in self._times
        ]

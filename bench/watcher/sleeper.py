"""Sleeps again and again, and notes when it woke: the hiccup trace."""

import select
import time
from dataclasses import dataclass

import numpy as np

from bench.measure.hiccups import HiccupRecorder

MOST_INTERVAL_MS = 4
"""The longest interval: the length of a stop is then known to within 4 ms."""
_MOST_CORES = 0.0075
"""CPU time that a trace may cost, in cores: it must not disturb what it watches."""
_TRIED = 32
_BATCH = 1_000
_STEP_US = 1_000


@dataclass(frozen=True)
class _Slept:
    """When a sleeper woke, in ns on the monotonic clock; first, when it began to sleep."""

    woken_ns: list[int]
    is_over: bool
    """Whether the descriptor was readable: a sleep that this has cut short is left out."""
    cpu_ns: int
    """CPU time of the process when the batch was over."""


@dataclass(frozen=True)
class Sleeper:
    """Sleeps for ``interval_ms`` at a time, until a file descriptor becomes readable."""

    descriptor: int
    interval_ms: int = 1

    def fitting(self) -> "Sleeper":
        """Returns the sleeper with the shortest interval whose cost stays below 0.75% of a core.

        One wake-up costs a few microseconds on most machines, and 30 in some virtual ones, where
        setting a timer is an exit to the hypervisor.
        """
        before_ns = time.process_time_ns()
        for _ in range(_TRIED):
            time.sleep(_STEP_US / 1e6)  # costs as much, and no message that waits cuts it short
        each_ms = (time.process_time_ns() - before_ns) / _TRIED / 1e6
        fitting = (ms for ms in range(1, MOST_INTERVAL_MS) if each_ms <= _MOST_CORES * ms)
        return Sleeper(self.descriptor, next(fitting, MOST_INTERVAL_MS))

    def trace(self, recorder: HiccupRecorder, start_us: int) -> None:
        """Count late wake-ups until the descriptor is readable. ``start_us`` is the run's start on
        the monotonic clock."""
        is_over = False
        while not is_over:
            batch = self._sleep(_BATCH)
            is_over = batch.is_over
            at_us = np.array(batch.woken_ns, np.int64) // 1_000 - start_us
            due_us = at_us[:-1] + self.interval_ms * _STEP_US
            recorder.add(due_us, at_us[1:] - due_us)
            self._add_own_stop(recorder, batch, start_us)

    def _add_own_stop(self, recorder: HiccupRecorder, batch: _Slept, start_us: int) -> None:
        """Count a stop that met the process while it counted a batch: time that has passed and in
        which it did not work."""
        worked_ns = time.process_time_ns() - batch.cpu_ns
        since_ns = batch.woken_ns[-1]
        stopped_us = (time.monotonic_ns() - since_ns - worked_ns) // 1_000
        if stopped_us >= self.interval_ms * _STEP_US and not batch.is_over:
            due_us = np.array([since_ns // 1_000 - start_us], np.int64)
            recorder.add(due_us, np.array([stopped_us], np.int64))

    def _sleep(self, times: int) -> _Slept:
        """Sleep so many times. The loop is as short as it can be, as it is what costs."""
        poller = select.poll()
        poller.register(self.descriptor, select.POLLIN)
        sleep, now_ns, interval_ms = poller.poll, time.monotonic_ns, self.interval_ms
        woken_ns = [now_ns()]
        for _ in range(times):
            if sleep(interval_ms):
                if (at_ns := now_ns()) >= woken_ns[-1] + interval_ms * 1_000_000:
                    woken_ns.append(at_ns)  # a late wake-up, beside what came meanwhile
                return _Slept(woken_ns, True, time.process_time_ns())
            woken_ns.append(now_ns())
        return _Slept(woken_ns, False, time.process_time_ns())

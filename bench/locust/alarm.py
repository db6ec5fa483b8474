"""Wakes greenlets at moments of the run's clock, much closer to them than ``gevent.sleep`` does.

gevent's event loop waits in whole milliseconds, rounded up, so a greenlet that sleeps wakes up to
a millisecond late. Where the kernel has timers that are file descriptors (Linux), the loop waits
for one of those instead, which fires within some tens of microseconds.
"""

import ctypes
import heapq
import itertools
import os
import sys
import time
from collections.abc import Callable
from typing import Any, Protocol

from gevent import get_hub
from gevent.hub import Waiter

from bench.clock import Clock

_READ = 1
_NONBLOCKING, _CLOSE_ON_EXEC = os.O_NONBLOCK, os.O_CLOEXEC


class _Timer(Protocol):
    """Calls a function in gevent's hub after a while."""

    def start(self, wait_us: int) -> None:
        """Call it in so many µs, at least 1, rather than at any moment chosen before."""
        ...

    def stop(self) -> None:
        """Do not call it until it is started again."""
        ...

    def close(self) -> None:
        """Never call it again."""
        ...


class Alarm:
    """Wakes any number of greenlets of one process, each at a moment of its own.

    ``is_exact`` False makes it use gevent's own timers even where there are better ones.
    """

    def __init__(self, clock: Clock, is_exact: bool = True) -> None:
        self._clock = clock
        self._waiting: list[tuple[int, int, Waiter[None]]] = []
        """A heap of the moments, in µs, and of what wakes the greenlets."""
        self._numbers = itertools.count()
        self._gone: set[int] = set()
        """Numbers of greenlets that were ended while they waited."""
        self._is_ringing = False
        self._timer = _timer(self._ring, is_exact)

    def wait_until(self, moment_us: int) -> None:
        """Wait until a moment on the clock; return at once if it has passed."""
        if self._clock.now_us() >= moment_us:
            return
        waiter: Waiter[None] = Waiter()
        number = next(self._numbers)
        entry = (moment_us, number, waiter)
        heapq.heappush(self._waiting, entry)
        if self._waiting[0] is entry and not self._is_ringing:
            self._set()
        try:
            waiter.get()
        except BaseException:
            self._gone.add(number)
            raise

    def close(self) -> None:
        """Wake no greenlet any more."""
        self._timer.close()

    def _ring(self) -> None:
        """Wake the greenlets whose moments have come, the earliest first. Runs in the hub."""
        self._is_ringing = True
        try:
            while self._waiting and self._waiting[0][0] <= self._clock.now_us():
                _, number, waiter = heapq.heappop(self._waiting)
                if number in self._gone:
                    self._gone.remove(number)
                else:
                    waiter.switch(None)
        finally:
            self._is_ringing = False
            self._set()

    def _set(self) -> None:
        if self._waiting:
            self._timer.start(max(self._waiting[0][0] - self._clock.now_us(), 1))
        else:
            self._timer.stop()


class _LoopTimer:
    """A timer of gevent's event loop."""

    def __init__(self, callback: Callable[[], None]) -> None:
        self._callback = callback
        self._watcher: Any = None

    def start(self, wait_us: int) -> None:
        self.stop()
        self._watcher = get_hub().loop.timer(wait_us / 1e6)
        self._watcher.start(self._callback, update=True)

    def stop(self) -> None:
        if self._watcher is not None:
            self._watcher.close()
            self._watcher = None

    def close(self) -> None:
        self.stop()


class _TimeSpec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _TimerSpec(ctypes.Structure):
    _fields_ = (("interval", _TimeSpec), ("value", _TimeSpec))


class _DescriptorTimer:
    """A timer of the kernel that the event loop watches as a file. Raises OSError without one."""

    def __init__(self, callback: Callable[[], None]) -> None:
        self._library = ctypes.CDLL(None, use_errno=True)
        flags = _NONBLOCKING | _CLOSE_ON_EXEC
        self._descriptor: int = self._library.timerfd_create(time.CLOCK_MONOTONIC, flags)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._spec = _TimerSpec()
        self._reference = ctypes.byref(self._spec)
        self._watcher = get_hub().loop.io(self._descriptor, _READ)
        self._watcher.start(callback)

    def start(self, wait_us: int) -> None:
        seconds, rest_us = divmod(wait_us, 1_000_000)
        self._spec.value.seconds, self._spec.value.nanoseconds = seconds, rest_us * 1000
        # Setting it also makes it unreadable, so nobody has to read it.
        self._library.timerfd_settime(self._descriptor, 0, self._reference, None)

    def stop(self) -> None:
        self.start(0)

    def close(self) -> None:
        if self._descriptor >= 0:
            self._watcher.stop()
            self._watcher.close()
            os.close(self._descriptor)
            self._descriptor = -1


def _timer(callback: Callable[[], None], is_exact: bool) -> _Timer:
    if is_exact and sys.platform == "linux":
        try:
            return _DescriptorTimer(callback)
        except (OSError, AttributeError):  # not permitted, or a C library without it
            pass
    return _LoopTimer(callback)

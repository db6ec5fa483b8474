"""How late a process's event loop runs its greenlets, which is the error of what they time."""

import gevent

from bench.clock import Clock
from bench.locust.alarm import Alarm
from bench.measure.histogram import Histogram

_EVERY_US = 20_000


class LoopLag:
    """Waits for a short time again and again, and records by how much each wait was too long."""

    def __init__(self) -> None:
        self._late = Histogram()
        self._greenlet: gevent.Greenlet[..., None] | None = None

    def begin(self, alarm: Alarm, clock: Clock) -> None:
        """Measure from now on, until ``end``."""
        if self._greenlet is None:
            self._greenlet = gevent.spawn(self._watch, alarm, clock)

    def p99_us(self) -> float:
        """The lateness, in µs, that one wake-up in a hundred exceeds; zero before the first."""
        return float(self._late.percentile_us(99) or 0)

    def end(self) -> None:
        """Stop measuring."""
        if self._greenlet is not None:
            self._greenlet.kill(block=False)

    def _watch(self, alarm: Alarm, clock: Clock) -> None:
        while True:
            moment_us = clock.now_us() + _EVERY_US
            alarm.wait_until(moment_us)
            self._late.record(clock.now_us() - moment_us)

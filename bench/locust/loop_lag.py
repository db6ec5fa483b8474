"""How late a process's event loop runs its greenlets, which is the error of what they time."""

import time

import gevent

from bench.measure.histogram import Histogram

_EVERY_S = 0.02


class LoopLag:
    """Sleeps for a short time again and again, and records by how much each sleep was too long."""

    def __init__(self) -> None:
        self._late = Histogram()
        self._greenlet: gevent.Greenlet[..., None] | None = None

    def begin(self) -> None:
        """Measure from now on, until ``end``."""
        if self._greenlet is None:
            self._greenlet = gevent.spawn(self._watch)

    def p99_us(self) -> float:
        """The lateness, in µs, that one wake-up in a hundred exceeds; zero before the first."""
        return float(self._late.percentile_us(99) or 0)

    def end(self) -> None:
        """Stop measuring."""
        if self._greenlet is not None:
            self._greenlet.kill(block=False)

    def _watch(self) -> None:
        while True:
            began_s = time.monotonic()
            gevent.sleep(_EVERY_S)
            self._late.record(max(round((time.monotonic() - began_s - _EVERY_S) * 1e6), 0))

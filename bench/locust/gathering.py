"""The time in which Locust's master waits for its workers, before any test can begin."""

import sys
import time
from collections.abc import Callable, Sized
from typing import Any

import gevent
import greenlet

from bench.errors import MESSAGE_PREFIX, ExitCode, MeasurementError
from bench.measure.progress import Gathered
from bench.units import format_duration

_LOOK_EVERY_S = 0.2
_SHOW_AFTER_S = 1.0
"""Workers on this host connect sooner, so that nothing needs to be said."""


class Gathering:
    """Says how many workers have connected, and ends Locust's wait where it would not end itself.

    Locust's own wait ends with a traceback when it is interrupted, and with an exit code of 1, a
    gate's word for a regression, when it has taken too long. To be made in Locust's main greenlet.
    """

    def __init__(
        self,
        runner: Any,
        expected: int,
        most_s: float,
        on_progress: Callable[[float, Gathered], None],
    ) -> None:
        self._runner = runner
        self._expected = expected
        self._most_s = most_s
        """How long to wait; zero for as long as it takes."""
        self._on_progress = on_progress
        self._main = greenlet.getcurrent()
        self._began_s = time.monotonic()
        self.is_under_way = True
        gevent.spawn(self._watch)

    @property
    def _gathered(self) -> Gathered:
        ready: Sized = self._runner.clients.ready
        return Gathered(len(ready), self._expected)

    def interrupt(self) -> None:
        """End Locust as an interrupted command ends."""
        self._end("interrupted", ExitCode.INTERRUPTED)

    def _watch(self) -> None:
        shown: Gathered | None = None
        while self.is_under_way:
            gathered, waited_s = self._gathered, time.monotonic() - self._began_s
            if gathered.connected >= gathered.expected:
                self.is_under_way = False
            elif self._most_s and waited_s >= self._most_s:
                self._end(
                    f"{gathered.text} within {format_duration(self._most_s)}: start the others, "
                    "check that they reach the master's address and port, or raise "
                    "--expect-workers-max-wait",
                    MeasurementError.exit_code,
                )
            elif gathered != shown and waited_s >= _SHOW_AFTER_S:
                shown = gathered
                self._on_progress(waited_s, gathered)
            gevent.sleep(_LOOK_EVERY_S)

    def _end(self, message: str, code: ExitCode) -> None:
        if self.is_under_way:
            self.is_under_way = False
            sys.stderr.write(f"{MESSAGE_PREFIX}{message}\n")
            gevent.spawn(self._quit, code)

    def _quit(self, code: ExitCode) -> None:
        self._runner.quit()  # tells the workers that have connected
        gevent.get_hub().loop.run_callback(self._main.throw, SystemExit(int(code)))

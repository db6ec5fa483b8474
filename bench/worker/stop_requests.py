"""Requests to stop a worker, as something that its event loop can wait for."""

import contextlib
import os
import signal
from collections.abc import Iterator
from enum import Enum, auto

from bench.processes.signals import EndRequests, ending_signals


class StopRequest(Enum):
    """What a worker has been asked to do so far."""

    NONE = auto()
    ORDERLY = auto()
    """Take no more tasks, and end those it holds."""
    AT_ONCE = auto()
    """End now, and put back what can be put back."""


class StopRequests:
    """Counts requests to stop; from a signal handler, from any thread, and at any time."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        self._count = 0
        self.is_serving = False
        """Whether there may be tasks and reports to wait for."""

    def fileno(self) -> int:
        """The file descriptor, which is readable when there is a request that was not taken."""
        return self._read

    def add(self) -> None:
        """Ask for a stop; asked again, for one at once."""
        self._count += 1
        with contextlib.suppress(BlockingIOError):
            os.write(self._write, b"x")

    def take(self) -> StopRequest:
        """What was asked for until now; the file descriptor is not readable any more."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._read, 4096)
        return self.asked

    @property
    def asked(self) -> StopRequest:
        """What was asked for until now."""
        if not self._count:
            return StopRequest.NONE
        return StopRequest.ORDERLY if self._count == 1 else StopRequest.AT_ONCE

    @property
    def is_at_once(self) -> bool:
        """Whether a stop at once was asked for."""
        return self.asked is StopRequest.AT_ONCE

    def ends_waiting(self) -> bool:
        """Whether a silent server is not worth waiting for."""
        return self.is_at_once if self.is_serving else self.were_made()

    def were_made(self) -> bool:
        """Whether a stop of any kind was asked for."""
        return self.asked is not StopRequest.NONE

    def close(self) -> None:
        """Close the file descriptors."""
        os.close(self._read)
        os.close(self._write)


@contextlib.contextmanager
def stopped_by_signals() -> Iterator[StopRequests]:
    """Yields what Ctrl-C and the other signals that ask for the end ask for. A third one ends the
    process as if none were handled."""
    requests, counted = StopRequests(), EndRequests()
    numbers = ending_signals()

    def note(_number: int, _frame: object) -> None:
        if not counted.note():
            return
        if requests.asked is StopRequest.ORDERLY:
            for number in numbers:
                signal.signal(number, signal.SIG_DFL)
        requests.add()

    before = {number: signal.signal(number, note) for number in numbers}
    try:
        yield requests
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        requests.close()

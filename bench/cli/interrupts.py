"""Ctrl-C, and the signals that ask a process to end, as a condition that can be checked."""

import contextlib
import signal
from collections.abc import Callable, Iterator

STOPPING = (signal.SIGTERM, signal.SIGHUP)
"""Signals that end a command like Ctrl-C: the second is that of a terminal that was closed."""


@contextlib.contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Yields a function that tells whether Ctrl-C, SIGTERM or SIGHUP was received.

    An ignored SIGHUP stays ignored. A second signal raises KeyboardInterrupt, without waiting for
    an orderly end.
    """
    interrupted = False

    def note(_number: int, _frame: object) -> None:
        nonlocal interrupted
        if interrupted:
            raise KeyboardInterrupt
        interrupted = True

    noted = [signal.SIGINT, *STOPPING]
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # as nohup sets it
        noted.remove(signal.SIGHUP)
    before = {number: signal.signal(number, note) for number in noted}
    try:
        yield lambda: interrupted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""Ctrl-C, SIGTERM, a closed terminal and the like as a condition that can be checked."""

import contextlib
import signal
from collections.abc import Callable, Iterator

from bench.errors import CAUSED_BY_INTERRUPT, with_notes
from bench.processes.signals import EndRequests, ending_signals


@contextlib.contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Yields a function that tells whether a signal was received that asks for the end.

    Another one a moment later raises KeyboardInterrupt, without waiting for an orderly end. So does
    an error that the first one may have caused, which is noted.
    """
    requests = EndRequests()

    def note(_number: int, _frame: object) -> None:
        if requests.note() and requests.count > 1:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, note) for number in ending_signals()}
    try:
        yield lambda: requests.count > 0
    except CAUSED_BY_INTERRUPT as error:
        if not requests.count:
            raise
        interrupt = KeyboardInterrupt()
        interrupt.add_note(with_notes(str(error), error))
        raise interrupt from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

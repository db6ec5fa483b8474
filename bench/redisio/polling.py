"""Waiting for sockets, without paying for sleep where the answer is about to come.

A process that sleeps until a reply arrives is woken tens of microseconds after it did, more on a
virtual machine, and pays for the way down and up again. A healthy server answers a small request
in less. So a wait that expects a prompt answer first looks a few times, and sleeps only then; that
is also what the run times of compiled workers do.
"""

import ctypes
import select
import sys
import time
from collections.abc import Sequence

SPIN_NS = 60_000
"""How long to look before sleeping: about the cost of a sleep."""

ReadyDescriptors = tuple[list[int], list[int]]


def wait_for(
    reading: Sequence[int], writing: Sequence[int], timeout_s: float, expects_answer: bool
) -> ReadyDescriptors:
    """The file descriptors that can be read and written, at the latest after ``timeout_s``."""
    if expects_answer and timeout_s > 0:
        until_ns = time.monotonic_ns() + min(SPIN_NS, int(timeout_s * 1e9))
        while time.monotonic_ns() < until_ns:
            readable, writable, _ = select.select(reading, writing, [], 0)
            if readable or writable:
                return readable, writable
    readable, writable, _ = select.select(reading, writing, [], timeout_s)
    return readable, writable


_PR_SET_TIMERSLACK = 29


def wake_on_time() -> None:
    """Ask the kernel not to round this process's sleeps up.

    Linux delays every timed wait by up to 50 µs, to save power by waking for several at once.
    Elsewhere, or where it is forbidden, nothing happens: sleeps are then a little longer, and
    schedule_lag says so.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)

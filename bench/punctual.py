"""What keeps a process that measures time from being late: exact wake-ups, short collections."""

import ctypes
import gc
import sys

_PR_SET_TIMERSLACK = 29


def wake_on_time() -> None:
    """Ask the kernel not to delay this process's timed waits.

    Linux delays every timed wait by up to 50 µs, so as to wake the CPU for several at once. On
    other systems, or where it is not permitted, this has no effect: waits are then a little longer,
    which schedule_lag shows.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)


def collect_little() -> None:
    """Exempt all that exists now from garbage collection, once what takes time has been set up.

    A collection stops the process while it looks at every object, and those of the imported
    libraries alone take tens of milliseconds. Garbage that is made from now on is still collected.
    """
    gc.freeze()

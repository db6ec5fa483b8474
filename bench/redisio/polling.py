"""Waits for sockets without sleeping while a prompt reply is expected.

A process that sleeps until a reply arrives is woken tens of microseconds later, more on a virtual
machine, and pays for the two switches. A healthy server answers a small request in less time. A
wait that expects a prompt reply therefore polls for a moment before it sleeps, as the run times of
compiled languages do.
"""

import select
import time
from collections.abc import Sequence

SPIN_NS = 60_000
"""Time to poll before sleeping: about the cost of a sleep."""

ReadyDescriptors = tuple[list[int], list[int]]


def wait_for(
    reading: Sequence[int], writing: Sequence[int], timeout_s: float, expects_answer: bool
) -> ReadyDescriptors:
    """Wait until file descriptors can be read or written, for at most ``timeout_s`` seconds.

    Returns (readable, writable). With ``expects_answer`` the wait begins with polling.
    """
    if expects_answer and timeout_s > 0:
        until_ns = 0
        while True:
            readable, writable, _ = select.select(reading, writing, [], 0)
            if readable or writable:
                return readable, writable
            now_ns = time.monotonic_ns()
            if not until_ns:
                until_ns = now_ns + min(SPIN_NS, int(timeout_s * 1e9))
            elif now_ns >= until_ns:
                break
    readable, writable, _ = select.select(reading, writing, [], timeout_s)
    return readable, writable

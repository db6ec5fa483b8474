"""What is to be done at which moment, and how to wait for it exactly."""

import heapq
import select
import selectors
import time
from collections.abc import Callable, Iterator

EARLY_S = 0.00015
"""A wait ends so much before the moment: a process that sleeps wakes up late, by 50 to 100 µs on
virtual machines. The rest of the time it looks without sleeping."""

Due = Callable[[float], None]
"""What is done at a moment; gets the current time, in seconds."""


class Timers:
    """Calls by the moments at which they are due, the earliest first."""

    def __init__(self) -> None:
        self._calls: list[tuple[float, int, Due]] = []
        self._count = 0

    def add(self, due_s: float, call: Due) -> None:
        """Make a call at that moment."""
        self._count += 1
        heapq.heappush(self._calls, (due_s, self._count, call))

    @property
    def next_s(self) -> float | None:
        """The earliest moment; None where nothing is to be done."""
        return self._calls[0][0] if self._calls else None

    def due(self, now_s: float) -> Iterator[Due]:
        """Takes out and yields the calls that are due."""
        while self._calls and self._calls[0][0] <= now_s:
            yield heapq.heappop(self._calls)[2]


def wait(
    selector: selectors.DefaultSelector, until_s: float | None, awake_until_s: float
) -> list[tuple[selectors.SelectorKey, int]]:
    """What has happened to the sockets of a selector; waits for it until shortly before a moment.

    Until ``awake_until_s`` it does not sleep, but returns at once, perhaps with nothing.
    """
    now_s = time.monotonic()
    if now_s >= awake_until_s:
        left_s = None if until_s is None else until_s - EARLY_S - now_s
        if left_s is None or left_s > 0:
            # A selector's own timeout is in milliseconds; its descriptor can be selected, too.
            select.select([selector.fileno()], [], [], left_s)
    return selector.select(0)

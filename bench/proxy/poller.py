"""Waiting for sockets and for moments, exactly and at little cost."""

import heapq
import select
import selectors
import sys
import time
from collections.abc import Callable, Iterator

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
EARLY_S = 0.00005
"""A wait ends so much before its moment: a process that sleeps wakes up late, by about so long. The
rest of the time it looks without sleeping, which is short: the cores belong to what is measured."""

OnEvents = Callable[[int, float], None]
"""Gets READ, WRITE or both, and the current time in seconds on the monotonic clock."""
Due = Callable[[float], None]
"""What is done at a moment; gets the current time."""


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


class Poller:
    """Waits for events of descriptors. The standard library's selectors take as long for it as
    passing on a command does; where there is no epoll, they are used all the same."""

    def __init__(self) -> None:
        self._callbacks: dict[int, OnEvents] = {}
        self._events = _Epoll() if sys.platform == "linux" else _Selector()

    def watch(self, descriptor: int, events: int, callback: OnEvents) -> None:
        """Wait for these events, and no others, of a descriptor from now on; zero for none."""
        is_new = descriptor not in self._callbacks
        if events:
            self._callbacks[descriptor] = callback
            self._events.set(descriptor, events, is_new)
        elif not is_new:
            del self._callbacks[descriptor]
            self._events.remove(descriptor)

    def wait(self, until_s: float | None) -> list[tuple[OnEvents, int]]:
        """What has happened, and who is to be called; waits for it until shortly before a moment,
        and without one for as long as it takes."""
        if until_s is None:
            found = self._events.poll(None)
        else:
            left_s = until_s - EARLY_S - time.monotonic()
            if left_s > 0:
                # Their own timeouts are in milliseconds; their descriptors can be selected, too.
                select.select([self._events.fileno()], [], [], left_s)
            found = self._events.poll(0)
        return [(self._callbacks[descriptor], events) for descriptor, events in found]

    def close(self) -> None:
        """Wait for nothing any more."""
        self._events.close()


class _Selector:
    """Events of descriptors by the selectors of the standard library."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self.fileno, self.close = self._selector.fileno, self._selector.close
        self.remove = self._selector.unregister

    def set(self, descriptor: int, events: int, is_new: bool) -> None:
        if is_new:
            self._selector.register(descriptor, events)
        else:
            self._selector.modify(descriptor, events)

    def poll(self, timeout_s: float | None) -> list[tuple[int, int]]:
        return [(key.fd, events) for key, events in self._selector.select(timeout_s)]


if sys.platform == "linux":
    _BROKEN = select.EPOLLERR | select.EPOLLHUP

    class _Epoll:
        """Events of descriptors by Linux's epoll."""

        def __init__(self) -> None:
            self._epoll = select.epoll()
            self.fileno, self.close = self._epoll.fileno, self._epoll.close
            self.remove = self._epoll.unregister

        def set(self, descriptor: int, events: int, is_new: bool) -> None:
            mask = select.EPOLLIN * bool(events & READ) | select.EPOLLOUT * bool(events & WRITE)
            if is_new:
                self._epoll.register(descriptor, mask)
            else:
                self._epoll.modify(descriptor, mask)

        def poll(self, timeout_s: float | None) -> list[tuple[int, int]]:
            return [
                (
                    descriptor,
                    # Of a connection that has broken off, both are told: reading says how.
                    READ | WRITE
                    if mask & _BROKEN
                    else READ * bool(mask & select.EPOLLIN) | WRITE * bool(mask & select.EPOLLOUT),
                )
                for descriptor, mask in self._epoll.poll(timeout_s)
            ]

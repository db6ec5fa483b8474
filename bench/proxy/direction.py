"""One direction of a proxied connection: bytes from one socket to another, late and in order."""

import contextlib
import socket
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from bench.proxy.shaping import Shaper

_BUFFER = memoryview(bytearray(1 << 18))
"""Where bytes are read to that go on at once; those that do not are copied."""
_MOST_TOTAL_BYTES = 256 << 20
_LEAST_HELD_BYTES = 64 << 10
_MOST_PIECES = 64
"""Pieces that one system call sends."""


@dataclass
class HeldBytes:
    """How many bytes all directions hold together."""

    total: int = 0


class Direction:
    """Bytes in flight from ``source`` to ``target``, both of which never block.

    Raises OSError from ``take`` and ``release`` where one of the two ends has broken off.
    """

    def __init__(
        self, source: socket.socket, target: socket.socket, shaper: Shaper, held: HeldBytes
    ) -> None:
        self.source = source
        self.target = target
        self.shaper = shaper
        self.scheduled_s: float | None = None
        """The moment at which it is to be asked to release something; None if it is not."""
        self.waits_to_send = False
        """Whether the target takes nothing at the moment."""
        self.has_read_end = False
        """Whether its source has ended the stream; the end itself may still be in flight."""
        self.is_over = False
        """Whether the end has come through."""
        self._held = held
        self._held_bytes = 0
        self._queue: deque[tuple[float, memoryview]] = deque()
        """When bytes leave, and the bytes; empty ones are the end of the stream."""

    @property
    def has_room(self) -> bool:
        """Whether more may be read from the source."""
        return not self.has_read_end and self._room() > 0

    @property
    def next_s(self) -> float | None:
        """When the next of the bytes leave; None without any."""
        return self._queue[0][0] if self._queue else None

    def _room(self) -> int:
        most = self.shaper.most_held_bytes
        if self._held.total >= _MOST_TOTAL_BYTES:
            most = min(most, _LEAST_HELD_BYTES)
        return most - self._held_bytes

    def take(self, now_s: float) -> None:
        """Read what has arrived from the source, and pass on what leaves at once."""
        try:
            count = self.source.recv_into(_BUFFER, min(len(_BUFFER), self._room()))
        except BlockingIOError:
            return
        if not count:
            self.has_read_end = True
            self._hold(list(self.shaper.leaving(now_s, 0)), _BUFFER[:0])
            self.release(now_s)
            return
        data = _BUFFER[:count]
        leaving = self._leaving(now_s, count)
        # A fast network is through with a command by now: it costs no queue and no timer.
        if not self._queue and leaving[-1][0] <= time.monotonic():
            data = data[self._sent([data]) :]
            leaving = [(now_s, len(data))]
        if data:
            self._hold(leaving, memoryview(bytes(data)))

    def _leaving(self, now_s: float, count: int) -> list[tuple[float, int]]:
        """When bytes leave that have entered now, and how many of them."""
        if self.shaper.passes_at_once:
            return [(now_s, count)]
        return list(self.shaper.leaving(now_s, count))

    def _hold(self, leaving: list[tuple[float, int]], data: memoryview) -> None:
        start = 0
        for leaves_s, size in leaving:
            self._queue.append((leaves_s, data[start : start + size]))
            start += size
        self._count(len(data))

    def release(self, now_s: float) -> None:
        """Pass on what leaves by now, as far as the target takes it."""
        self.waits_to_send = False
        while self._queue and self._queue[0][0] <= now_s:
            if not self._queue[0][1]:
                self._end()
                return
            pieces = list(self._leaving_by(now_s))
            sent = self._sent(pieces)
            self._drop(sent)
            if sent < sum(map(len, pieces)):
                self.waits_to_send = True
                return

    def _leaving_by(self, now_s: float) -> Iterator[memoryview]:
        for index, (leaves_s, data) in enumerate(self._queue):
            if leaves_s > now_s or not data or index == _MOST_PIECES:
                return
            yield data

    def _sent(self, pieces: list[memoryview]) -> int:
        try:
            if len(pieces) == 1:
                return self.target.send(pieces[0])
            return self.target.sendmsg(pieces)
        except BlockingIOError:
            return 0

    def _drop(self, count: int) -> None:
        self._count(-count)
        while count:
            leaves_s, data = self._queue[0]
            if count < len(data):
                self._queue[0] = (leaves_s, data[count:])
                return
            self._queue.popleft()
            count -= len(data)

    def _count(self, count: int) -> None:
        self._held_bytes += count
        self._held.total += count

    def _end(self) -> None:
        """End the stream to the target; the other direction may still go on."""
        self._queue.clear()
        self.is_over = True
        with contextlib.suppress(OSError):  # the other end may be gone already
            self.target.shutdown(socket.SHUT_WR)

    def discard(self) -> None:
        """Forget all bytes: the connection is closed."""
        self._queue.clear()
        self._count(-self._held_bytes)
        self.is_over = self.has_read_end = True

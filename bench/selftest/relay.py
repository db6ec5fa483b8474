"""A relay of known delay between a producer and its server.

It forwards what clients say to the server a planned time after it has arrived, in order, and notes
for each batch of tasks how long the producer must have waited for the last reply: from when the
relay had read the batch until it passed on that reply.
"""

import contextlib
import heapq
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

_READ_BYTES = 1 << 16
_IDLE_S = 0.05
_COMMAND, _LINE = b"\r\n*", b"\r\n"


@dataclass
class _HeldBatch:
    queue: str
    read_s: float
    replies: int
    """Replies, of one line each, that are still to come."""


@dataclass
class _Link:
    """A connection of a client, and that to the server."""

    client: socket.socket
    server: socket.socket
    free_s: float = 0.0
    """When what was read before has been forwarded."""
    batches: deque[_HeldBatch] = field(default_factory=deque)


class Relay:
    """Forwards connections; ``delays_s`` is the delay of batches of tasks, by their queue."""

    def __init__(self, port: int, delays_s: Mapping[str, float]) -> None:
        self._upstream = ("127.0.0.1", port)
        self._delays_s = {f"asynq:{queue}:pending".encode(): queue for queue in delays_s}
        self._by_queue = delays_s
        self.held_s: dict[str, list[float]] = {queue: [] for queue in delays_s}
        """How long each batch was held, with the time that the server took, by queue."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._links: dict[socket.socket, _Link] = {}
        self._late: list[tuple[float, int, _Link, bytes]] = []
        self._order = 0
        self.stopping = threading.Event()

    def serve(self) -> None:
        """Forward until ``stopping`` is set."""
        while not self.stopping.is_set():
            for key, _ in self._selector.select(self._timeout_s()):
                if key.fileobj is self._listener:
                    self._accept()
                elif isinstance(key.fileobj, socket.socket):
                    self._read(key.fileobj)
            while self._late and self._late[0][0] <= time.monotonic():
                _, _, link, data = heapq.heappop(self._late)
                with contextlib.suppress(OSError):
                    link.server.sendall(data)
        for each in [self._listener, *self._links]:
            each.close()
        self._selector.close()

    def _timeout_s(self) -> float:
        if not self._late:
            return _IDLE_S
        return min(max(self._late[0][0] - time.monotonic(), 0.0), _IDLE_S)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        link = _Link(client, socket.create_connection(self._upstream))
        for each in (link.client, link.server):
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(each, selectors.EVENT_READ)
            self._links[each] = link

    def _read(self, source: socket.socket) -> None:
        link = self._links.get(source)
        if link is None:
            return
        try:
            data = source.recv(_READ_BYTES)
        except OSError:
            data = b""
        if not data:
            self._close(link)
        elif source is link.client:
            self._hold(link, data)
        else:
            self._pass_on(link, data)

    def _hold(self, link: _Link, data: bytes) -> None:
        now_s = time.monotonic()
        queue = next((name for key, name in self._delays_s.items() if key in data), None)
        is_batch = queue is not None and b"LPUSH" in data
        delay_s = self._by_queue[queue] if is_batch and queue is not None else 0.0
        if is_batch and queue is not None:
            link.batches.append(_HeldBatch(queue, now_s, data.count(_COMMAND) + 1))
        link.free_s = max(link.free_s, now_s + delay_s)
        self._order += 1
        heapq.heappush(self._late, (link.free_s, self._order, link, data))

    def _pass_on(self, link: _Link, data: bytes) -> None:
        now_s = time.monotonic()  # before it is passed on, so that the producer waits longer
        if link.batches:
            batch = link.batches[0]
            batch.replies -= data.count(_LINE)
            if batch.replies <= 0:
                link.batches.popleft()
                self.held_s[batch.queue].append(now_s - batch.read_s)
        with contextlib.suppress(OSError):
            link.client.sendall(data)

    def _close(self, link: _Link) -> None:
        for each in (link.client, link.server):
            self._links.pop(each, None)
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(each)
            each.close()


@contextlib.contextmanager
def relaying(port: int, delays_s: Mapping[str, float]) -> Iterator[Relay]:
    """Yields a relay in front of the server at that port, which serves until the block ends."""
    relay = Relay(port, delays_s)
    thread = threading.Thread(target=relay.serve, daemon=True)
    thread.start()
    try:
        yield relay
    finally:
        relay.stopping.set()
        thread.join()

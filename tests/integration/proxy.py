"""A stand-in for a bad network: forwards to a real server, late or not at all, as told."""

import contextlib
import heapq
import selectors
import socket
import threading
import time
from collections.abc import Iterator

_READ_SIZE = 1 << 16


class Proxy:
    """Forwards every connection. ``reply_delay_s`` holds back what the server says.

    After ``cut_after_bytes`` from the clients, in all, the rest of what they say is swallowed, and
    once ``swallow_bytes`` were, their connection is closed; from then on all is forwarded again.
    """

    def __init__(
        self,
        port: int,
        reply_delay_s: float = 0.0,
        cut_after_bytes: int | None = None,
        swallow_bytes: int = 0,
    ) -> None:
        self._upstream = ("127.0.0.1", port)
        self._delay_s = reply_delay_s
        self._cut_after = cut_after_bytes
        self._swallow = swallow_bytes
        self.swallowed = 0
        self._seen = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._peers: dict[socket.socket, socket.socket] = {}
        self._clients: set[socket.socket] = set()
        self._late: list[tuple[float, int, socket.socket, bytes]] = []
        self._order = 0
        self._stopped = threading.Event()

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"redis://127.0.0.1:{self.port}/0"

    def serve(self) -> None:
        """Forward until stopped."""
        while not self._stopped.is_set():
            for key, _ in self._selector.select(self._timeout_s()):
                if key.fileobj is self._listener:
                    self._accept()
                elif isinstance(key.fileobj, socket.socket):
                    self._forward(key.fileobj)
            while self._late and self._late[0][0] <= time.monotonic():
                _, _, peer, data = heapq.heappop(self._late)
                with contextlib.suppress(OSError):
                    peer.sendall(data)
        for each in [self._listener, *self._peers]:
            each.close()
        self._selector.close()

    def stop(self) -> None:
        """End ``serve``."""
        self._stopped.set()

    def _timeout_s(self) -> float:
        if not self._late:
            return 0.02
        return min(max(self._late[0][0] - time.monotonic(), 0.0), 0.02)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        upstream = socket.create_connection(self._upstream)
        for each in (client, upstream):
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(each, selectors.EVENT_READ)
        self._peers[client], self._peers[upstream] = upstream, client
        self._clients.add(client)

    def _forward(self, source: socket.socket) -> None:
        peer = self._peers.get(source)
        if peer is None:
            return
        try:
            data = source.recv(_READ_SIZE)
        except OSError:
            data = b""
        if not data:
            self._close(source)
        elif source in self._clients:
            self._from_client(source, peer, data)
        elif self._delay_s:
            self._order += 1
            heapq.heappush(self._late, (time.monotonic() + self._delay_s, self._order, peer, data))
        else:
            peer.sendall(data)

    def _from_client(self, client: socket.socket, upstream: socket.socket, data: bytes) -> None:
        is_frames = b"LPUSH" in data or b"HSET" in data
        if self._cut_after is None or not is_frames or self.swallowed >= self._swallow:
            upstream.sendall(data)
            return
        self._seen += len(data)
        if self._seen <= self._cut_after:
            upstream.sendall(data)
            return
        # Whole reads are swallowed: where they end does not matter, as the connection goes too.
        self.swallowed += len(data)
        if self.swallowed >= self._swallow:
            self._close(client)

    def _close(self, one: socket.socket) -> None:
        other = self._peers.pop(one, None)
        for each in (one, other):
            if each is not None:
                self._peers.pop(each, None)
                self._clients.discard(each)
                with contextlib.suppress(KeyError, ValueError):
                    self._selector.unregister(each)
                each.close()


@contextlib.contextmanager
def proxy(port: int, **faults: float) -> Iterator[Proxy]:
    """A proxy in front of the server at that port, in a thread."""
    standing_in = Proxy(port, **faults)  # type: ignore[arg-type]
    thread = threading.Thread(target=standing_in.serve)
    thread.start()
    try:
        yield standing_in
    finally:
        standing_in.stop()
        thread.join()

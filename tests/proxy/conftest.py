"""A server that talks as a test says, and what is needed to wait for things."""

import contextlib
import select
import socket
from collections.abc import Iterator

import pytest

from bench.proxy.control import NetworkProxy, proxied

TIMEOUT_S = 20.0
QUIET_S = 0.2
"""How long is waited for what must not come."""


def can_be_read(connection: socket.socket, seconds: float = QUIET_S) -> bool:
    return bool(select.select([connection], [], [], seconds)[0])


def read_exactly(connection: socket.socket, count: int) -> bytes:
    received = bytearray()
    while len(received) < count:
        data = connection.recv(1 << 16)
        assert data, "the stream ended too early"
        received += data
    return bytes(received)


class Pairs:
    """Connections through a proxy, with both of their ends in the test."""

    def __init__(self, listener: socket.socket, proxy: NetworkProxy) -> None:
        self.proxy = proxy
        self._listener = listener
        self._stack = contextlib.ExitStack()

    def client(self) -> socket.socket:
        """A client's end, of which the server may know nothing yet."""
        connection = socket.create_connection(("127.0.0.1", self.proxy.port), TIMEOUT_S)
        return self._stack.enter_context(contextlib.closing(connection))

    def server(self) -> socket.socket:
        """The server's end of the next connection."""
        self._listener.settimeout(TIMEOUT_S)
        connection, _ = self._listener.accept()
        connection.settimeout(TIMEOUT_S)
        return self._stack.enter_context(contextlib.closing(connection))

    def open(self) -> tuple[socket.socket, socket.socket]:
        """Both ends of a new connection."""
        return self.client(), self.server()

    def close(self) -> None:
        self._stack.close()


@pytest.fixture
def pairs() -> Iterator[Pairs]:
    with socket.create_server(("127.0.0.1", 0), backlog=2000) as listener:
        port = listener.getsockname()[1]
        with (
            proxied(f"redis://127.0.0.1:{port}/0", seed=7) as proxy,
            contextlib.closing(Pairs(listener, proxy)) as made,
        ):
            yield made

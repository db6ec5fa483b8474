"""A connection on a socket pair: the test is the server at its other end."""

import contextlib
import socket

from bench.redisio.connection import ConnectionLost


class PairedStream:
    """A ``ByteStream`` whose other end is ``peer``, a socket of the test's own."""

    def __init__(self, client_id: int | None = None, buffer_bytes: int | None = None) -> None:
        self._own, self.peer = socket.socketpair()
        self._own.setblocking(False)
        if buffer_bytes is not None:
            self._own.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer_bytes)
        self.client_id = client_id
        self.closed = False
        self._unsent = b""

    @property
    def unsent_bytes(self) -> int:
        return len(self._unsent)

    def fileno(self) -> int:
        return self._own.fileno()

    def send(self, data: memoryview | bytes) -> None:
        self._unsent += bytes(data)
        self.flush()

    def flush(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._unsent:
                try:
                    self._unsent = self._unsent[self._own.send(self._unsent) :]
                except OSError as error:
                    if isinstance(error, BlockingIOError):
                        raise
                    raise ConnectionLost(str(error)) from None

    def receive(self) -> bytes:
        try:
            data = self._own.recv(1 << 18)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise ConnectionLost(str(error)) from None
        if not data:
            raise ConnectionLost("the peer closed the connection")
        return data

    def close(self) -> None:
        self.closed = True
        self._unsent = b""
        self._own.close()

    def reply(self, data: bytes) -> None:
        """Send bytes as the server."""
        self.peer.sendall(data)

    def requested(self) -> bytes:
        """What has arrived at the server; empty when nothing has."""
        self.peer.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            return self.peer.recv(1 << 22)
        return b""

    def end_replies(self) -> None:
        """Send nothing more as the server, and go on reading."""
        self.peer.shutdown(socket.SHUT_WR)

    def hang_up(self) -> None:
        """Close the server's end."""
        self.peer.close()

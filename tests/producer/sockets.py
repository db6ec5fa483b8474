"""Connections over sockets of which a test decides what they take and bring, and how they end."""

import contextlib
import socket
import struct
from collections import deque
from collections.abc import Sequence
from typing import Any
from unittest import mock

import hiredis

from bench.redisio.connection import RawConnection


class Scripted:
    """A socket whose kernel and server do what a test says, a step at a time."""

    def __init__(self, at_once: int = 1 << 20) -> None:
        """``at_once``: how many bytes one call receives at most."""
        self._at_once = at_once
        self.commands: list[list[bytes]] = []
        """Those that have left whole."""
        self.replies: list[tuple[int, bool]] = []
        """For each answered command, the place where its reply ends, and whether it is an error."""
        self.delivered = 0
        """How many bytes of the replies have arrived at the producer."""
        self._room = 0
        self._is_cut = self._has_ended = False
        self._reader = hiredis.Reader()
        self._said = bytearray()
        self._read = 0
        self._readable, self._waker = socket.socketpair()

    @property
    def unread(self) -> int:
        """How many bytes have arrived that nobody has received."""
        return self.delivered - self._read

    def make_room(self, count: int) -> None:
        """Take so many bytes more."""
        self._room += count

    def answer(self, errors: Sequence[bool]) -> None:
        """Answer the next commands, as far as there are any."""
        for is_error in errors[: len(self.commands) - len(self.replies)]:
            self._said += b"-ERR no\r\n" if is_error else b":7\r\n"
            self.replies.append((len(self._said), is_error))

    def serve(self) -> None:
        """Take, answer and deliver everything."""
        self.make_room(1 << 20)
        self.answer([False] * len(self.commands))
        self.deliver(len(self._said))

    def say(self, data: bytes) -> None:
        """Say what may answer nothing, and let it arrive."""
        self._said += data
        self.deliver(len(self._said))

    def deliver(self, count: int) -> None:
        """Let so many bytes of the replies arrive."""
        if not self._is_cut and not self._has_ended:
            self.delivered = min(self.delivered + count, len(self._said))
            self._wake()

    def cut(self) -> None:
        """Be reset: what has arrived can still be read, and nothing can be sent."""
        self._is_cut = True
        self._wake()

    def end(self) -> None:
        """Be closed by the server, which nobody who only sends notices."""
        self._has_ended = True
        self._wake()

    def send(self, data: memoryview | bytes) -> int:
        if self._is_cut:
            raise ConnectionResetError("cut")
        part = bytes(data[: self._room])
        if not part:
            raise BlockingIOError
        self._room -= len(part)
        self._reader.feed(part)
        while (command := self._reader.gets()) is not False:
            self.commands.append(command)
        return len(part)

    def recv(self, most: int) -> bytes:
        with contextlib.suppress(BlockingIOError):
            self._readable.recv(1 << 16, socket.MSG_DONTWAIT)
        count = min(self.unread, most, self._at_once)
        data = bytes(self._said[self._read : self._read + count])
        self._read += len(data)
        self._wake()
        if not data and self._is_cut:
            raise ConnectionResetError("cut")
        if not data and not self._has_ended:
            raise BlockingIOError
        return data

    def _wake(self) -> None:
        if self._is_cut or self._has_ended or self.unread:
            self._waker.send(b"!")

    def fileno(self) -> int:
        return self._readable.fileno()

    def setsockopt(self, *_: object) -> None:
        pass

    def close(self) -> None:
        self._readable.close()
        self._waker.close()


class OverSocket(RawConnection):
    """A connection that needs no login, over a socket of the test's own."""

    def __init__(self, own: Any) -> None:
        self._socket = own
        self._connection = mock.Mock(disconnect=own.close)
        self._is_tls = self._follows_master = False
        self._unsent = deque()
        self.unsent_bytes = 0


class AnsweredAndReset:
    """A socket of TCP, and its server, which answers and resets the connection."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.client = socket.create_connection(listener.getsockname())
            self._server, _ = listener.accept()
        self.client.setblocking(False)

    def answer_and_reset(self, replies: bytes) -> None:
        """Send replies, which then lie at the client's side, and reset the connection."""
        self._server.sendall(replies)
        with_reset = struct.pack("ii", 1, 0)
        self._server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, with_reset)
        self._server.close()

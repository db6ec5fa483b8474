"""Messages over pipes between a run and the processes that it starts.

A message is its length (four bytes, little-endian) and its MessagePack. The pipes are file
descriptors of their own, so that anything in the child may print: an interpreter's start-up files,
a warning, a library. The server's URL, which may hold a password, is in no process's arguments.
When the run dies, the child's input ends, and the child ends too.
"""

import os
import select
import struct
import time
from collections import deque
from typing import Generic, TypeVar

import msgspec

_LENGTH = struct.Struct("<I")
_READ_SIZE = 1 << 16

Message = TypeVar("Message")


class ChannelClosed(Exception):  # noqa: N818 - an event, not a fault
    """The process at the other end has closed its side, has ended, or sends what is no message."""


class Reader(Generic[Message]):
    """Reads messages of one type, or of a union of tagged types, from a file descriptor."""

    def __init__(self, descriptor: int, kind: type[Message]) -> None:
        self._descriptor = descriptor
        self._decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(kind)
        self._buffer = bytearray()
        self._ready: deque[Message] = deque()
        """Messages that have been read from the pipe and not been returned yet."""

    def fileno(self) -> int:
        """The file descriptor, for ``select``."""
        return self._descriptor

    def close(self) -> None:
        """Close the file descriptor."""
        os.close(self._descriptor)

    def read(self) -> list[Message]:
        """All messages that have arrived; waits for the first. Raises ChannelClosed."""
        if not self._ready:
            self._fill()
        return self.ready()

    def ready(self) -> list[Message]:
        """Messages that have been read already, for which ``select`` reports nothing any more."""
        messages = list(self._ready)
        self._ready.clear()
        return messages

    def read_one(self) -> Message:
        """Wait for one complete message. Raises ChannelClosed."""
        while not self._ready:
            self._fill()
        return self._ready.popleft()

    def _fill(self) -> None:
        data = os.read(self._descriptor, _READ_SIZE)
        if not data:
            raise ChannelClosed
        self._buffer += data
        while len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            end = _LENGTH.size + length
            if len(self._buffer) < end:
                break
            self._ready.append(self._decoded(bytes(self._buffer[_LENGTH.size : end])))
            del self._buffer[:end]

    def _decoded(self, data: bytes) -> Message:
        try:
            return self._decoder.decode(data)
        except (msgspec.MsgspecError, RecursionError, ValueError) as error:
            raise ChannelClosed(f"it sent what is no message: {error}") from None


def _framed(message: object) -> bytes:
    body = msgspec.msgpack.encode(message)
    return _LENGTH.pack(len(body)) + body


class Writer:
    """Writes messages to a file descriptor; waits while the pipe is full."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, message: object) -> None:
        """Send one message. Raises ChannelClosed when the other process does not read any more."""
        data = memoryview(_framed(message))
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except BrokenPipeError:
            raise ChannelClosed from None

    def close(self) -> None:
        """Close the file descriptor."""
        os.close(self._descriptor)


class NewestWriter:
    """Writes messages to a file descriptor and never waits.

    A message for which the pipe has no room is left out, unless it has been sent in part: what is
    left of that one goes first the next time. It is for messages that replace earlier ones.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._rest = b""
        os.set_blocking(descriptor, False)

    def write(self, message: object) -> bool:
        """Send one message, or none; returns whether it was taken.

        Raises ChannelClosed when the other process does not read any more.
        """
        self._send_rest()
        if self._rest:
            return False
        self._rest = _framed(message)
        length = len(self._rest)
        self._send_rest()
        if len(self._rest) == length:
            self._rest = b""
            return False
        return True

    def finish(self, message: object, seconds: float) -> None:
        """Send the last message; waits while the pipe is full, for at most that long.

        Raises ChannelClosed when the other process does not read any more.
        """
        self._rest += _framed(message)
        deadline_s = time.monotonic() + seconds
        while self._rest and (left_s := deadline_s - time.monotonic()) > 0:
            select.select([], [self._descriptor], [], left_s)
            self._send_rest()

    def close(self) -> None:
        """Close the file descriptor."""
        os.close(self._descriptor)

    def _send_rest(self) -> None:
        try:
            while self._rest:
                self._rest = self._rest[os.write(self._descriptor, self._rest) :]
        except BlockingIOError:
            return
        except BrokenPipeError:
            raise ChannelClosed from None

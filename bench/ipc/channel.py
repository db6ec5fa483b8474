"""Messages over pipes between a run and the processes that it starts.

A message is its length (four bytes, little-endian) and its MessagePack. The pipes are file
descriptors of their own, so that anything in the child may print: an interpreter's start-up files,
a warning, a library. The server's URL, which may hold a password, is in no process's arguments.
When the run dies, the child's input ends, and the child ends too.
"""

import os
import struct
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


class Writer:
    """Writes messages to a file descriptor; waits while the pipe is full."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, message: object) -> None:
        """Send one message. Raises ChannelClosed when the other process does not read any more."""
        body = msgspec.msgpack.encode(message)
        data = memoryview(_LENGTH.pack(len(body)) + body)
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except BrokenPipeError:
            raise ChannelClosed from None

    def close(self) -> None:
        """Close the file descriptor."""
        os.close(self._descriptor)

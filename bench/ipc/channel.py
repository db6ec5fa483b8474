"""Messages between a run and the processes that it starts: length, then MessagePack, over pipes.

The child reads its orders from standard input and writes its reports to standard output, so no
address, and no password in one, ever stands in a process list. When the run dies, the child sees
its input end, and ends too.
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
    """The other side is gone."""


class Reader(Generic[Message]):
    """Reads messages of one type, or a union of tagged ones, from a file descriptor."""

    def __init__(self, descriptor: int, kind: type[Message]) -> None:
        self._descriptor = descriptor
        self._decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(kind)
        self._buffer = bytearray()
        self._ready: deque[Message] = deque()
        """Messages that came together with one that was asked for."""

    def fileno(self) -> int:
        """For ``select``."""
        return self._descriptor

    def read(self) -> list[Message]:
        """All messages that have come; waits for bytes if there are none. Raises ChannelClosed."""
        if not self._ready:
            self._fill()
        return self.ready()

    def ready(self) -> list[Message]:
        """Messages that have come already; those the file descriptor no longer tells of."""
        messages = list(self._ready)
        self._ready.clear()
        return messages

    def read_one(self) -> Message:
        """Wait for one whole message. Raises ChannelClosed."""
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
            self._ready.append(self._decoder.decode(bytes(self._buffer[_LENGTH.size : end])))
            del self._buffer[:end]


class Writer:
    """Writes messages to a file descriptor; waits while the pipe is full."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, message: object) -> None:
        """Send one message. Raises ChannelClosed when nobody reads any more."""
        body = msgspec.msgpack.encode(message)
        data = memoryview(_LENGTH.pack(len(body)) + body)
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except BrokenPipeError:
            raise ChannelClosed from None

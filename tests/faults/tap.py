"""A tap between clients and a server that writes down every byte that passes, in either direction.

    python -m tests.faults.tap LOG UPSTREAM [MASTER]

UPSTREAM is the server as HOST:PORT, or, with the name of a MASTER, a Sentinel that is asked for the
master's address whenever a client connects. The port on which it listens is its first line of
output. It ends when its input does.
"""

import asyncio
import contextlib
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import BinaryIO

import redis

_HEADER = struct.Struct("<IBdI")
_READ_BYTES = 1 << 16
_WITH_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of a socket that closes with a reset."""


class Passage(IntEnum):
    """What an entry of the log is about."""

    FROM_CLIENT = 0
    FROM_SERVER = 1
    CLIENT_LEFT = 2
    """The client has closed its connection, and reads nothing more."""


@dataclass(frozen=True)
class TapEntry:
    """Bytes that passed, or the end of a client."""

    connection: int
    passage: Passage
    at_s: float
    """Unix time."""
    data: bytes


def read_entries(path: Path) -> list[TapEntry]:
    """All entries of a log, in the order in which they were made."""
    data, found, place = path.read_bytes(), [], 0
    while place + _HEADER.size <= len(data):
        connection, passage, at_s, length = _HEADER.unpack_from(data, place)
        place += _HEADER.size
        entry = TapEntry(connection, Passage(passage), at_s, data[place : place + length])
        found.append(entry)
        place += length
    return found


class Tap:
    """Passes bytes on; at the end of one side, the other side still gets what was under way.

    Where the server's side is reset, so is the client's, once it has all that the log says it got.
    """

    def __init__(self, log: BinaryIO, upstream: str, master: str) -> None:
        self._log, self._upstream, self._master = log, upstream, master
        self._connections = 0
        self._tasks: set[object] = set()
        """Kept from being collected while they wait."""

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Connect a client with the server until both have ended."""
        self._tasks.add(asyncio.current_task())
        self._connections += 1
        number = self._connections
        try:
            host, port = self._server()
            from_server, to_server = await asyncio.open_connection(host, port)
        except (OSError, redis.exceptions.RedisError):
            writer.close()
            return
        with contextlib.suppress(OSError):
            await asyncio.gather(
                self._pass(number, Passage.FROM_CLIENT, reader, to_server),
                self._pass(number, Passage.FROM_SERVER, from_server, writer),
            )
        for each in (to_server, writer):
            each.close()

    async def _pass(
        self,
        number: int,
        passage: Passage,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Pass on what one side says until it ends, whether or not the other side still listens."""
        was_reset = False
        try:
            while data := await reader.read(_READ_BYTES):
                self._note(number, passage, data)
                with contextlib.suppress(OSError):
                    writer.write(data)
                    await writer.drain()
        except OSError:
            was_reset = True
        if passage is Passage.FROM_CLIENT:
            self._note(number, Passage.CLIENT_LEFT, b"")
        with contextlib.suppress(OSError):
            if was_reset and passage is Passage.FROM_SERVER:
                await _reset(writer)
            else:
                writer.write_eof()

    def _note(self, number: int, passage: Passage, data: bytes) -> None:
        self._log.write(_HEADER.pack(number, passage, time.time(), len(data)) + data)

    def _server(self) -> tuple[str, int]:
        host, _, port = self._upstream.rpartition(":")
        if not self._master:
            return host, int(port)
        with redis.Redis(host, int(port), socket_timeout=1) as sentinel:
            found = sentinel.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._master)
        return found[0].decode(), int(found[1])


async def _reset(writer: asyncio.StreamWriter) -> None:
    """Reset a connection when its socket has taken all that was written to it."""
    transport = writer.transport
    transport.set_write_buffer_limits(0)
    await writer.drain()
    end: socket.socket = transport.get_extra_info("socket")
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _WITH_RESET)
    transport.abort()


async def _serve(log: BinaryIO, upstream: str, master: str) -> None:
    tap = Tap(log, upstream, master)
    server = await asyncio.start_server(tap.accept, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    log.flush()


@contextlib.contextmanager
def tapping(log: Path, upstream: str, master: str = "") -> Iterator[int]:
    """A tap in a process of its own; its port. The log is complete after the block."""
    words = [sys.executable, "-m", "tests.faults.tap", str(log), upstream, master]
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()
            process.wait()


if __name__ == "__main__":
    with Path(sys.argv[1]).open("wb") as written:
        asyncio.run(_serve(written, *sys.argv[2:4]))

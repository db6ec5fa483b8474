"""A Redis server that answers some commands with what no server would say.

It stands before a real server: each command is passed on and its reply passed back, unless the
case has another reply for it. So commands get far enough for each of their replies to be wrong.
"""

import contextlib
import socket
import threading
from collections.abc import Iterator, Sequence
from typing import Self

from tests.fuzz.cases import Reply, joined

_READ = 1 << 16
_TRICKLE_S = 0.2
_PATIENCE_S = 30.0


class HostileServer:
    """Listens on a loopback port of its own, with a thread for each connection."""

    def __init__(self, replies: Sequence[Reply], real_port: int, password: str = "") -> None:
        self._replies = replies
        self._real_port = real_port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._over = threading.Event()
        self._open: list[socket.socket] = []
        port = self._listening.getsockname()[1]
        user = f":{password}@" if password else ""
        self.url = f"redis://{user}127.0.0.1:{port}/0"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for each in (self._listening, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                self._open.append(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), client, self._real() as real:
            commands, replies = _Stream(client), _Stream(real)
            counts = [0] * len(self._replies)
            while (command := commands.value()) is not None:
                reply = self._chosen(command, counts)
                if reply is not None:
                    if not self._answer(client, reply):
                        return
                    continue
                real.sendall(command)
                answer = replies.value()
                if answer is None:
                    return
                client.sendall(answer)

    def _real(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self._real_port), _PATIENCE_S)

    def _chosen(self, command: bytes, counts: list[int]) -> Reply | None:
        """The reply that the case has for this command; None if the real one answers it."""
        name = _name(command)
        for number, reply in enumerate(self._replies):
            if reply.command and reply.command != name:
                continue
            counts[number] += 1
            at = counts[number] - 1
            if at == reply.nth or (reply.again and at > reply.nth):
                return reply
        return None

    def _answer(self, client: socket.socket, reply: Reply) -> bool:
        """Send the reply; return whether the connection goes on."""
        data = joined(reply.text).encode("latin-1")
        if reply.then == "trickle":
            for number in range(len(data)):
                client.sendall(data[number : number + 1])
                if self._over.wait(_TRICKLE_S):
                    return False
        else:
            client.sendall(data)
        if reply.then == "silence":
            self._over.wait()
        return reply.then in ("go on", "trickle")


def _name(command: bytes) -> str:
    lines = command.split(b"\r\n")
    return lines[2].decode("latin-1").upper() if len(lines) > 2 else ""


class _Stream:
    """Whole RESP values of a socket, as the bytes that they are."""

    def __init__(self, source: socket.socket) -> None:
        self._source = source
        self._data = bytearray()

    def value(self) -> bytes | None:
        """The next value; None at the end of the stream."""
        while (end := self._end_of(0)) is None:
            received = self._source.recv(_READ)
            if not received:
                return None
            self._data += received
        value = bytes(self._data[:end])
        del self._data[:end]
        return value

    def _end_of(self, start: int) -> int | None:
        """Where the value that begins at ``start`` ends; None if a part of it is missing."""
        line_end = self._data.find(b"\r\n", start)
        if line_end < 0:
            return None
        end = line_end + 2
        kind = bytes(self._data[start : start + 1])
        if kind not in (b"$", b"*"):
            return end
        count = int(self._data[start + 1 : line_end])
        if kind == b"$":
            end += count + 2 if count >= 0 else 0
            return end if end <= len(self._data) else None
        for _ in range(count):
            inner = self._end_of(end)
            if inner is None:
                return None
            end = inner
        return end


def real_commands() -> Iterator[str]:
    """Names of commands that are worth a wrong reply."""
    yield from _COMMANDS


_COMMANDS = (
    *("PING", "INFO", "TIME", "CLIENT", "SCAN", "LLEN", "LRANGE", "ZCARD", "ZRANGE", "HGETALL"),
    *("HGET", "HMGET", "GET", "MGET", "EXISTS", "TYPE", "SMEMBERS", "SADD", "SREM", "SCRIPT"),
    *(
        "EVALSHA",
        "HSET",
        "LPUSH",
        "RPOP",
        "BRPOP",
        "BLMPOP",
        "LMPOP",
        "LREM",
        "UNLINK",
        "DEL",
        "SET",
    ),
    *("EXPIRE", "MULTI", "EXEC", "AUTH", "SELECT", "CONFIG", "DBSIZE", "HINCRBY", "INCR", "PTTL"),
)

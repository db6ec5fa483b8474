"""The smallest client: commands out, replies in."""

import socket
from collections.abc import Sequence

import hiredis

from bench.secrets import address
from bench.wire import resp
from bench.wire.layout_contract import Command

TIMEOUT_S = 20.0


def talk(port: int, commands: Sequence[Command]) -> list[object]:
    """The server's reply to each command, in order."""
    return talk_raw(port, resp.encode(commands), len(commands))


def talk_raw(port: int, request: bytes | memoryview, count: int) -> list[object]:
    """The ``count`` replies to a request that is already encoded."""
    reader = hiredis.Reader()
    replies: list[object] = []
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as connection:
        connection.sendall(request)
        while len(replies) < count:
            received = connection.recv(1 << 16)
            if not received:
                raise ConnectionResetError("the server closed the connection")
            reader.feed(received)
            while reader.has_data() and (reply := reader.gets()) is not False:
                replies.append(reply)
    return replies


def as_user(url: str, name: str, password: str) -> str:
    """The URL of the same server for a user of that name and password."""
    return address(url).replace("://", f"://{name}:{password}@")

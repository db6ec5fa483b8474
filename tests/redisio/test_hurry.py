"""A client of a run that the user has interrupted: a silent server does not hold it."""

import itertools
import socket
import threading
from collections.abc import Iterator

import pytest
import redis

from bench.redisio import no_retries
from bench.redisio.connection import open_client


class SilentServer:
    """Answers the first command, and is silent from then on."""

    def __init__(self) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self.listening.getsockname()[1]}/0"
        self.visitors: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                visitor, _ = self.listening.accept()
            except OSError:
                return
            self.visitors.append(visitor)
            if len(self.visitors) == 1:
                _greet(visitor)


def _greet(visitor: socket.socket) -> None:
    """Answer what a client sends as it connects: it pings, and asks whether this is a cluster."""
    received = b""
    while b"PING" not in received:
        received = visitor.recv(4096)
        visitor.sendall(b"+OK\r\n" * (received.count(b"CLIENT") + received.count(b"SELECT")))
    visitor.sendall(b"+PONG\r\n")
    while b"INFO" not in received:
        received = visitor.recv(4096)
    visitor.sendall(b"$0\r\n\r\n")


@pytest.fixture
def silent() -> Iterator[SilentServer]:
    server = SilentServer()
    yield server
    for each in (server.listening, *server.visitors):
        each.close()


def test_in_a_hurry_a_silent_server_is_asked_once(
    silent: SilentServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(no_retries, "HURRIED_TIMEOUT_S", 0.2)
    with open_client(silent.url, wants_end=lambda: True) as client:
        for _ in range(20):
            with pytest.raises(redis.exceptions.TimeoutError):
                client.dbsize()
            pipeline = client.pipeline().dbsize()
            with pytest.raises(redis.exceptions.TimeoutError):
                pipeline.execute()
        assert len(silent.visitors) == 1


def test_a_hurry_shortens_the_wait_that_it_meets(
    silent: SilentServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(no_retries, "HURRIED_TIMEOUT_S", 0.2)
    looked = itertools.count()
    # None is no time-out at all: without the hurry, this would never end.
    with open_client(silent.url, None, wants_end=lambda: next(looked) > 6) as client:
        assert next(looked) < 6
        with pytest.raises(redis.exceptions.TimeoutError):
            client.dbsize()


def test_in_a_hurry_a_server_that_answers_is_asked_as_before(url: str) -> None:
    with open_client(url, wants_end=lambda: True) as client:
        assert [client.dbsize() for _ in range(3)] == [0, 0, 0]

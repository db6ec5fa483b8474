"""Replies that no Redis server sends: each ends in an error of redis-py's, and none passes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis

from bench.redisio.bounded_reply import MOST_BYTES
from bench.redisio.connection import open_client
from bench.redisio.embedded import EmbeddedServer
from tests.fuzz.cases import Reply
from tests.fuzz.hostile import HostileServer

LIST = "*2\r\n$1\r\na\r\n$1\r\nb\r\n"
NESTED = "*1\r\n*1\r\n$1\r\na\r\n"
NUMBER = ":7\r\n"
TEXT = "$1\r\na\r\n"
NOTHING = "$-1\r\n"


@contextmanager
def client_of(server: EmbeddedServer, *replies: Reply, timeout_s: float = 5.0) -> Iterator[Any]:
    with HostileServer(replies, server.port) as hostile:
        yield open_client(hostile.url, timeout_s)


def _transaction(client: Any) -> object:
    with client.pipeline(transaction=True) as pipeline:
        pipeline.llen("a")
        return pipeline.execute()


def _pipeline(client: Any) -> object:
    with client.pipeline(transaction=False) as pipeline:
        pipeline.execute_command(b"LLEN", b"a")
        return pipeline.execute()


@pytest.mark.parametrize(
    ("command", "reply", "call"),
    [
        ("UNLINK", LIST, lambda client: client.unlink("a")),
        ("DEL", TEXT, lambda client: client.delete("a")),
        ("EXISTS", NOTHING, lambda client: client.exists("a")),
        ("EXPIRE", LIST, lambda client: client.expire("a", 1)),
        ("DBSIZE", TEXT, lambda client: client.dbsize()),
        ("LLEN", LIST, lambda client: client.execute_command("LLEN", "a")),
        ("LLEN", LIST, _pipeline),
        ("EXEC", NUMBER, _transaction),
        ("EXEC", "*1\r\n" + TEXT, _transaction),
        ("GET", NUMBER, lambda client: client.get("a")),
        ("MGET", NESTED, lambda client: client.mget("a")),
        ("MGET", "*1\r\n" + NUMBER, lambda client: client.mget("a")),
        ("SMEMBERS", NESTED, lambda client: client.smembers("a")),
        ("SMEMBERS", "*1\r\n" + NOTHING, lambda client: client.smembers("a")),
        ("TYPE", NOTHING, lambda client: client.type("a")),
        ("HGETALL", NUMBER, lambda client: client.hgetall("a")),
        ("ZRANGE", TEXT, lambda client: client.zrange("a", 0, -1)),
        ("SCAN", LIST, lambda client: client.scan()),
        ("SCAN", "*2\r\n$1\r\n0\r\n" + NESTED, lambda client: client.scan()),
        ("TIME", NUMBER, lambda client: client.time()),
        ("TIME", LIST, lambda client: client.time()),
        ("INFO", LIST, lambda client: client.info("cpu")),
    ],
)
def test_a_reply_of_another_type_is_an_error(
    server: EmbeddedServer, command: str, reply: str, call: Callable[[Any], object]
) -> None:
    nth = 1 if command == "INFO" else 0  # its first asks whether the server is part of a cluster
    hostile = Reply(text=[(reply, 1)], command=command, nth=nth)
    with client_of(server, hostile) as client, pytest.raises(redis.exceptions.InvalidResponse):
        call(client)


def test_a_reply_that_comes_byte_by_byte_is_waited_for_as_long_as_any_other(
    server: EmbeddedServer,
) -> None:
    """Each of its bytes comes in time."""
    trickling = Reply(text=[("$90\r\n", 1), ("a", 90), ("\r\n", 1)], command="GET", then="trickle")
    with client_of(server, trickling, timeout_s=0.5) as client:
        with pytest.raises(redis.exceptions.TimeoutError, match="not whole"):
            client.get("a")
        assert client.ping()  # on another connection: nothing of that reply is taken for this one


@pytest.mark.parametrize(
    "text",
    [
        pytest.param([("$999999999\r\n", 1), ("a", 2 * MOST_BYTES)], id="string"),
        pytest.param([("*9999999\r\n", 1), ("$8\r\naaaaaaaa\r\n", 9_999_999)], id="list"),
    ],
)
def test_a_reply_without_an_end_takes_bounded_memory(
    server: EmbeddedServer, text: list[tuple[str, int]]
) -> None:
    with client_of(server, Reply(text=text, command="MGET", then="close")) as client:
        with pytest.raises(redis.exceptions.InvalidResponse, match="longer than 67108864 bytes"):
            client.mget("a")
        assert client.ping()

"""A stream of a cluster answers each command in its turn, wherever its key is."""

import select
import time
from collections.abc import Iterator, Sequence
from typing import Any

import hiredis
import pytest

from bench.errors import ServerUnreachable
from bench.redisio.connection import ByteStream, ConnectionLost
from bench.redisio.streams import open_stream
from bench.wire import resp
from bench.wire.layout_contract import Command
from bench.wire.slots import slot_of
from tests.private_cluster import PrivateCluster

_KEYS = [f"key-{number}" for number in range(40)]


@pytest.fixture
def stream(cluster: PrivateCluster) -> Iterator[ByteStream]:
    cluster.flush()
    opened = open_stream(cluster.url)
    yield opened
    opened.close()


def _ask(stream: ByteStream, commands: Sequence[Command]) -> list[Any]:
    """The replies (n,) to commands, waiting on the one descriptor as an event loop does."""
    reader = hiredis.Reader()
    replies: list[Any] = []
    stream.send(resp.encode(commands))
    deadline_s = time.monotonic() + 10
    while len(replies) < len(commands):
        assert time.monotonic() < deadline_s
        select.select([stream.fileno()], [], [], 1)
        reader.feed(stream.receive())
        while (reply := reader.gets()) is not False:
            replies.append(reply)
    return replies


def test_replies_come_in_the_order_of_the_commands(stream: ByteStream) -> None:
    pushes: list[Command] = [("RPUSH", key, *key) for key in _KEYS]
    assert _ask(stream, pushes) == [len(key) for key in _KEYS]
    reads: list[Command] = [("LRANGE", key, "0", "-1") for key in _KEYS]
    expected = [[letter.encode() for letter in key] for key in _KEYS]
    assert _ask(stream, reads) == expected
    assert stream.receive() == b""


def test_more_than_the_sockets_take_at_once_arrives_whole(stream: ByteStream) -> None:
    value = b"x" * 3_000_000
    assert _ask(stream, [("SET", key, value) for key in _KEYS[:6]]) == [b"OK"] * 6
    assert _ask(stream, [("GET", key) for key in _KEYS[:6]]) == [value] * 6


def test_scripts_are_loaded_into_all_nodes(stream: ByteStream) -> None:
    (digest,) = _ask(stream, [("SCRIPT", "LOAD", "return KEYS[1]")])
    calls: list[Command] = [("EVALSHA", digest, "1", key) for key in _KEYS]
    assert _ask(stream, calls) == [key.encode() for key in _KEYS]


def test_commands_follow_a_slot_before_in_and_after_its_migration(
    stream: ByteStream, cluster: PrivateCluster
) -> None:
    here, new = "{stream}:here", "{stream}:new"
    _ask(stream, [("RPUSH", here, "1")])
    end = cluster.open_migration(here, (cluster.owner(slot_of(b"stream")) + 1) % 3)
    both: list[Command] = [("RPUSH", new, "1"), ("RPUSH", here, "2")]
    assert _ask(stream, both) == [1, 2]  # the first one asks for the target
    (refused,) = _ask(stream, [("EXISTS", here, new)])
    assert str(refused).startswith("TRYAGAIN")
    end()
    assert _ask(stream, both) == [2, 3]
    assert _ask(stream, [("EXISTS", here, new)]) == [2]


def test_behind_a_refused_command_none_of_its_slot_is_carried_out_elsewhere(
    stream: ByteStream, cluster: PrivateCluster
) -> None:
    here, new = "{turn}:here", "{turn}:new"
    _ask(stream, [("RPUSH", here, "1")])
    end = cluster.open_migration(here, (cluster.owner(slot_of(b"turn")) + 1) % 3)
    replies = _ask(stream, [("EXISTS", here, new), ("RPUSH", new, "1"), ("SET", "other", "1")])
    assert [str(each).startswith("TRYAGAIN") for each in replies] == [True, True, False]
    end()
    assert _ask(stream, [("EXISTS", here, new)]) == [1]


def test_a_lost_node_is_a_lost_stream(stream: ByteStream, cluster: PrivateCluster) -> None:
    _ask(stream, [("SET", key, "1") for key in _KEYS])
    cluster.nodes()[0].execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    with pytest.raises(ConnectionLost):
        _ask(stream, [("GET", key) for key in _KEYS])


def test_no_cluster_is_no_stream() -> None:
    with pytest.raises(ServerUnreachable):
        open_stream("redis+cluster://127.0.0.1:1")

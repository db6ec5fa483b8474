"""A client of a cluster sends each command where its key is, also while a slot moves."""

from collections.abc import Iterator
from typing import Any

import pytest

from bench.errors import ServerUnreachable, UsageError
from bench.redisio.connection import open_client
from bench.wire.slots import slot_of
from tests.private_cluster import PrivateCluster

_KEYS = [f"key-{number}" for number in range(60)]
"""Keys on all three nodes."""


@pytest.fixture
def client(cluster: PrivateCluster) -> Iterator[Any]:
    cluster.flush()
    with open_client(cluster.url) as opened:
        yield opened


def test_every_key_is_found_whichever_node_was_named(client: Any, cluster: PrivateCluster) -> None:
    for key in _KEYS:
        client.set(key, key)
    assert sorted(cluster.keys()) == sorted(map(str.encode, _KEYS))
    assert all(node.dbsize() for node in cluster.nodes())
    assert client.mget(_KEYS) == [key.encode() for key in _KEYS]
    assert client.dbsize() == len(_KEYS)
    assert client.exists(*_KEYS, "no-such-key") == len(_KEYS)
    assert client.unlink(*_KEYS) == len(_KEYS)
    assert not cluster.keys()


@pytest.mark.parametrize("transaction", [False, True])
def test_a_pipeline_answers_in_the_order_of_its_commands(client: Any, transaction: bool) -> None:
    with client.pipeline(transaction=transaction) as pipeline:
        for key in _KEYS:
            pipeline.rpush(key, *range(len(key)))
        assert pipeline.execute() == [len(key) for key in _KEYS]
        for key in _KEYS:
            pipeline.execute_command("LLEN", key)
        assert pipeline.execute() == [len(key) for key in _KEYS]


def test_a_pipeline_may_hold_commands_that_concern_several_nodes(client: Any) -> None:
    values = [key.encode() for key in _KEYS]
    with client.pipeline(transaction=False) as pipeline:
        for key in _KEYS:
            pipeline.set(key, key)
        pipeline.execute()
        pipeline.execute_command("MGET", *_KEYS)
        pipeline.execute_command("LLEN", _KEYS[0])
        pipeline.execute_command("DBSIZE")
        pipeline.execute_command("EXISTS", *_KEYS)
        read, refused, size, found = pipeline.execute(raise_on_error=False)
    assert (read, size, found) == (values, len(_KEYS), len(_KEYS))
    assert "WRONGTYPE" in str(refused)


def test_scan_goes_through_all_nodes_and_ends(client: Any) -> None:
    for key in _KEYS:
        client.set(key, 1)
    assert sorted(client.scan_iter(count=7)) == sorted(map(str.encode, _KEYS))


def test_scripts_are_loaded_into_all_nodes(client: Any) -> None:
    digest = client.script_load("return KEYS[1]")
    assert {client.evalsha(digest, 1, key) for key in _KEYS} == set(map(str.encode, _KEYS))


def test_a_key_is_found_before_in_and_after_a_migration(
    client: Any, cluster: PrivateCluster
) -> None:
    key = "{moving}:here"
    client.set(key, 1)
    end = cluster.open_migration(key, to=(cluster.owner(slot_of(key.encode())) + 1) % 3)
    client.set("{moving}:new", 2)  # the source asks for the target
    assert client.get(key) == b"1"
    with client.pipeline(transaction=False) as pipeline:
        pipeline.get("{moving}:new")
        pipeline.get(key)
        assert pipeline.execute() == [b"2", b"1"]
    end()
    assert client.get(key) == b"1"
    assert client.exists(key, "{moving}:new") == 2
    assert sorted(cluster.keys()) == [b"{moving}:here", b"{moving}:new"]


def test_a_cluster_that_lacks_slots_is_refused(cluster_without_slots: PrivateCluster) -> None:
    with pytest.raises(ServerUnreachable, match="serves 16,300 of 16,384 slots"):
        open_client(cluster_without_slots.url)


def test_a_server_that_is_no_node_is_refused(server_port: int) -> None:
    with pytest.raises(UsageError, match=rf"^127.0.0.1:{server_port} is no node of a Redis Clu"):
        open_client(f"redis+cluster://127.0.0.1:{server_port}")


def test_another_node_is_asked_where_the_first_is_down(cluster: PrivateCluster) -> None:
    url = f"redis+cluster://127.0.0.1:1,127.0.0.1:{cluster.ports[0]}"
    with open_client(url) as client:
        assert client.ping()


def test_a_cluster_that_is_down_is_one_line() -> None:
    with pytest.raises(ServerUnreachable, match=r"^no server at redis\+cluster://127.0.0.1:1/0"):
        open_client("redis+cluster://127.0.0.1:1")

"""A failover is over when those who ask the Sentinels are led to a new master."""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from bench.redisio import failover, own_topology, server_info
from bench.redisio.connection import open_client
from bench.redisio.failover import FailoverFailed
from bench.redisio.own_topology import OwnTopology

pytestmark = pytest.mark.slow


@pytest.fixture
def topology() -> Iterator[OwnTopology]:
    """A master, a replica and three Sentinels, of the test's own."""
    with own_topology.running(1, with_sentinels=True) as started:
        yield started


def now_us() -> int:
    return time.monotonic_ns() // 1000


def test_a_planned_failover_ends_at_a_master_that_can_be_written_to(topology: OwnTopology) -> None:
    began_us = now_us()
    moments = failover.fail_over(topology.url, now_us)
    assert began_us <= moments.began_us < moments.ended_us <= now_us()
    assert moments.master.port == topology.servers[1].port
    assert topology.master() is topology.servers[1]
    with open_client(topology.servers[0].url) as old:
        assert old.execute_command("ROLE")[0] == b"slave"  # it acknowledges nothing any more
    with open_client(topology.url) as client:
        client.set("a", 1)
        assert client.config_get("port")["port"] == str(moments.master.port)


def test_a_client_follows_when_the_master_has_died(topology: OwnTopology) -> None:
    old = failover.master_of(topology.url)
    with open_client(topology.url) as client:
        client.set("a", 1)
        assert client.execute_command("WAIT", 1, 5000) == 1
        os.kill(topology.servers[0].pid, signal.SIGKILL)
        moments = failover.await_failover(topology.url, old, now_us(), now_us)
        assert client.get("a") == b"1"
        assert client.config_get("port")["port"] == str(moments.master.port)


def test_what_cannot_fail_over_says_why(topology: OwnTopology) -> None:
    with pytest.raises(FailoverFailed, match="the server has no Sentinel"):
        failover.fail_over(topology.servers[0].url, now_us)
    with (
        own_topology.running(0, with_sentinels=True) as without_replica,
        pytest.raises(FailoverFailed, match=r"no Sentinel begins a failover .*suitable replica"),
    ):
        failover.fail_over(without_replica.url, now_us)


def test_the_record_says_what_there_is_around_the_server(topology: OwnTopology) -> None:
    with open_client(topology.url) as client:
        found = server_info.describe(client, topology.url)
    expected = {
        "topology": "sentinel",
        "replicas": 1,
        "sentinels": own_topology.SENTINELS,
        "quorum": own_topology.QUORUM,
        "down_after_s": own_topology.DOWN_AFTER_S,
        "failover_timeout_s": own_topology.FAILOVER_TIMEOUT_S,
    }
    assert found | expected == found
    with open_client(topology.servers[0].url) as client:
        found = server_info.describe(client, topology.servers[0].url)
    assert found | {"topology": "replicas", "replicas": 1} == found

"""A fault of the run's own topology strikes the master of the moment, until there is a new one."""

import signal
from collections.abc import Callable, Iterator

import pytest

from bench.faults.servers import SharedServer
from bench.faults.targets import FaultFailed
from bench.faults.topologies import OwnTopologyServer
from bench.redisio import failover, own_topology
from bench.redisio.connection import open_client
from bench.redisio.own_topology import OwnTopology
from bench.workload.fault_rules import ServerAbilities

Strike = Callable[[OwnTopologyServer], None]


@pytest.fixture
def topology() -> Iterator[OwnTopology]:
    """A master, a replica and three Sentinels, of the test's own."""
    with own_topology.running(1, with_sentinels=True) as started:
        yield started


@pytest.mark.slow
@pytest.mark.parametrize(
    "strike",
    [OwnTopologyServer.failover, lambda target: target.kill(signal.SIGKILL)],
    ids=["failover", "kill"],
)
def test_it_is_over_when_the_new_master_accepts_writes(
    topology: OwnTopology, strike: Strike
) -> None:
    old = failover.master_of(topology.url)
    with open_client(topology.servers[0].url) as client:
        client.set("a", 1)
        assert client.execute_command("WAIT", 1, 5000) == 1
    target = OwnTopologyServer(topology)
    strike(target)
    with open_client(topology.url) as client:
        assert client.incr("a") == 2
    assert failover.master_of(topology.url) != old
    assert target.is_up


@pytest.mark.slow
def test_what_was_stalled_goes_on_though_another_server_is_the_master(
    topology: OwnTopology,
) -> None:
    target = OwnTopologyServer(topology)
    old = failover.master_of(topology.url)
    target.stall()
    failover.await_failover(topology.url, old, 0, lambda: 0)
    target.resume()
    with open_client(topology.servers[0].url) as client:
        assert client.ping()


@pytest.mark.slow
def test_without_sentinels_nothing_takes_over() -> None:
    with own_topology.running(1) as topology:
        target = OwnTopologyServer(topology)
        assert not target.abilities.replicas
        with pytest.raises(FaultFailed, match="has no Sentinel"):
            target.failover()
        target.kill(signal.SIGKILL)
        assert not target.is_up


@pytest.mark.parametrize("may_be_disturbed", [True, False])
def test_a_failover_of_a_shared_topology_needs_leave(may_be_disturbed: bool) -> None:
    target = SharedServer("redis+sentinel://h/m", may_be_disturbed=may_be_disturbed)
    needed = ServerAbilities(is_free=True, replicas=True)
    assert target.abilities.lacking(needed) == (None if may_be_disturbed else "is_free")
    assert SharedServer("redis://h", may_be_disturbed=True).abilities.lacking(needed) == "replicas"

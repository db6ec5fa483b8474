"""Connections go to the master that Sentinels know, and say in one line why there is none."""

from collections.abc import Iterator

import psutil
import pytest

from bench.errors import ServerUnreachable
from bench.redisio import own_topology
from bench.redisio.connection import RawConnection, open_client
from bench.redisio.own_topology import OwnTopology, free_port
from bench.redisio.url import parse
from bench.secrets import url_secrets

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def topology() -> Iterator[OwnTopology]:
    """A master, a replica and three Sentinels, of the module's own."""
    with own_topology.running(1, with_sentinels=True) as started:
        yield started


def test_a_client_is_connected_to_the_master(topology: OwnTopology) -> None:
    with open_client(topology.url) as client:
        assert client.execute_command("ROLE")[0] == b"master"
    connection = RawConnection(topology.url)
    assert connection.client_id is not None
    connection.close()


def test_those_without_a_password_find_the_master_too(topology: OwnTopology) -> None:
    with open_client(topology.open_url) as client:
        assert client.ping()


def test_a_sentinel_that_is_down_is_passed_over(topology: OwnTopology) -> None:
    first = str(topology.sentinels[0])
    with open_client(topology.url.replace(first, f"127.0.0.1:{free_port()}")) as client:
        assert client.ping()


def test_why_there_is_no_master_is_said_in_one_line(topology: OwnTopology) -> None:
    password = max(url_secrets(topology.url), key=len)
    of_sentinels = f"&sentinel_password={password}"
    closed = free_port()
    master = topology.servers[0].port
    wrong: dict[str, str] = {
        topology.url.replace("/mymaster/", "/other/"): "knows no master of that name",
        topology.url.replace(of_sentinels, "&sentinel_password=wr0ng"): "refuses the user name or "
        "password (sentinel_username and sentinel_password)",
        f"redis+sentinel://127.0.0.1:{closed}/m": "cannot be reached (connection refused)",
        f"redis+sentinel://127.0.0.1:{master}/m": "is no Sentinel",
        topology.url.replace(f":{password}@", ":wr0ng@"): "refuses the user name or password",
    }
    for url, message in wrong.items():
        for connect in (open_client, RawConnection):
            with pytest.raises(ServerUnreachable) as caught:
                connect(url)
            line = str(caught.value)
            assert message in line
            assert line.startswith(parse(url).address)
            assert "\n" not in line
            assert password not in line
            assert "wr0ng" not in line


def test_a_master_that_is_none_any_more_is_not_taken() -> None:
    with own_topology.running(1, with_sentinels=True) as topology:
        with open_client(topology.servers[0].url) as master:
            master.execute_command("REPLICAOF", "127.0.0.1", topology.servers[1].port)
        with pytest.raises(ServerUnreachable, match="which is to be the master, is a replica"):
            open_client(topology.url)


def test_replicas_without_sentinels_hold_what_the_master_holds() -> None:
    with own_topology.running(1) as topology, open_client(topology.url) as client:
        client.set("a", 1)
        assert client.execute_command("WAIT", 1, 5000) == 1
        with open_client(topology.servers[1].url) as replica:
            assert replica.get("a") == b"1"
            assert replica.execute_command("ROLE")[0] == b"slave"


def test_nothing_of_a_topology_is_left() -> None:
    with own_topology.running(2, with_sentinels=True) as topology:
        pids = [*(server.pid for server in topology.servers), *topology.sentinel_pids]
        folders = [server.folder for server in topology.servers]
        assert len(pids) == 6
        assert topology.master() is topology.servers[0]
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert not any(folder.exists() for folder in folders)

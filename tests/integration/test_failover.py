"""A failover in the middle of a run, which goes on: its ledger is what the new master holds."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest
import redis

from bench.errors import ServerUnreachable
from bench.layouts import registry
from bench.redisio import failover, own_topology
from bench.redisio.connection import open_client
from bench.redisio.embedded import EmbeddedServer
from bench.redisio.own_topology import OwnTopology
from tests.integration.conftest import QUEUE, run

pytestmark = pytest.mark.slow


@pytest.fixture
def topology() -> Iterator[OwnTopology]:
    """A master, a replica and three Sentinels, of the test's own."""
    with own_topology.running(1, with_sentinels=True) as started:
        yield started


@contextlib.contextmanager
def failing_over(topology: OwnTopology, *, is_asked: bool) -> Iterator[None]:
    """A failover once tasks have been enqueued, which is over at the end of the block."""

    def fail_over() -> None:
        old = failover.master_of(topology.url)
        with open_client(topology.servers[0].url) as client:
            while int(client.dbsize()) < 500:
                time.sleep(0.01)
        if is_asked:
            failover.fail_over(topology.url, time.monotonic_ns)
        else:
            os.kill(topology.servers[0].pid, signal.SIGKILL)
            failover.await_failover(topology.url, old, 0, time.monotonic_ns)

    other = threading.Thread(target=fail_over)
    other.start()
    yield
    other.join()


@contextlib.contextmanager
def enqueued_on(url: str) -> Iterator[set[str]]:
    """The ids of all tasks whose enqueueing a server carries out; complete after the block."""
    found: set[str] = set()

    def watch() -> None:
        with (
            contextlib.suppress(redis.exceptions.ConnectionError),
            open_client(url) as client,
            client.monitor() as monitor,
        ):
            for each in monitor.listen():
                name, *words = each["command"].split(" ")
                if name == "LPUSH":
                    found.update(words[1:])
                if name == "ECHO":
                    return

    watcher = threading.Thread(target=watch)
    watcher.start()
    yield found
    with contextlib.suppress(ServerUnreachable), open_client(url) as client:
        client.echo("the end")
    watcher.join()


def held_by(url: str) -> set[str]:
    """The ids that wait in the run's queue."""
    with open_client(url) as client:
        ids: list[bytes] = client.lrange(registry.get("runqy").layout.pending(QUEUE), 0, -1)
    assert len(set(ids)) == len(ids)
    return {each.decode() for each in ids}


@pytest.mark.parametrize("is_asked", [True, False], ids=["asked", "death"])
def test_what_a_failover_loses_is_what_a_count_by_id_finds(
    topology: OwnTopology, is_asked: bool
) -> None:
    """Tasks whose enqueueing the old master has carried out and that the new one does not hold: all
    of them lost, but for those whose reply did not arrive, which are unknown."""
    with (
        enqueued_on(topology.servers[0].url) as enqueued,
        failing_over(topology, is_asked=is_asked),
    ):
        record = run(topology.url, {"rate": 2000, "duration": 6, "workers": 0})
    counts, held = record.queues[QUEUE], held_by(topology.url)
    missing = enqueued - held
    assert counts.lost <= len(missing) <= counts.lost + counts.unknown
    assert counts.enqueued - counts.lost <= len(held) == counts.pending
    assert counts.due == 12_000 == counts.enqueued + counts.unknown + counts.not_sent
    assert len(held - enqueued) > 1000  # the run went on, on the new master
    if is_asked:
        assert counts.lost > 0


def test_workers_follow_to_the_new_master(topology: OwnTopology) -> None:
    """Every task that the new master holds is served there, and none stays behind."""
    with failing_over(topology, is_asked=True):
        record = run(topology.url, {"rate": 300, "duration": 6})
    counts = record.queues[QUEUE]
    assert held_by(topology.url) == set()
    assert counts.pending + counts.active == 0
    assert counts.enqueued <= counts.completed + counts.lost <= counts.enqueued + counts.unknown


def test_nothing_of_a_run_is_left_on_a_shared_topology(topology: OwnTopology) -> None:
    """Cleaned up on the new master; the old one gets the rest as its replica."""
    with failing_over(topology, is_asked=True):
        run(topology.url, {"rate": 500, "duration": 5}, owns_server=False)
    deadline_s = time.monotonic() + 30
    for server in topology.servers:
        while left := keys_of(server):
            assert time.monotonic() < deadline_s, left
            time.sleep(0.05)


def keys_of(server: EmbeddedServer) -> list[bytes]:
    """What a server holds; a name in place of it where it resynchronises and says nothing."""
    try:
        with open_client(server.url) as client:
            found: list[bytes] = client.keys("*")
            return found
    except (redis.exceptions.ConnectionError, redis.exceptions.BusyLoadingError, ServerUnreachable):
        return [b"(no answer)"]

"""When a run is back after its master died: the report agrees with the servers' own clocks."""

import contextlib
import threading
from collections.abc import Iterator

import numpy as np
import pytest
import redis

from bench.arrays import Integers
from bench.errors import ServerUnreachable
from bench.faults.topologies import OwnTopologyServer
from bench.measure.faults import FaultOutcome
from bench.measure.fine_rows import ROW_US
from bench.measure.recovery import FaultSpan, recoveries
from bench.measure.recovery_figures import RateFigure
from bench.redisio import own_topology
from bench.redisio.connection import open_client
from bench.redisio.embedded import EmbeddedServer
from bench.run.request import RunRequest
from bench.run.run import execute
from bench.workload.resolve import resolve
from tests.integration.conftest import QUEUE

pytestmark = pytest.mark.slow
LOAD_S = 0.25
"""By how much the two may differ on a busy machine; on a quiet one it is less than 0.1 s."""


def watch(server: EmbeddedServer, moments_s: list[float], end: threading.Event) -> None:
    """Append when a server carries out each LPUSH, by its own clock, until the end."""
    while not end.is_set():  # a promotion closes all connections
        with (
            contextlib.suppress(redis.exceptions.ConnectionError, ServerUnreachable),
            open_client(server.url) as client,
            client.monitor() as monitor,
        ):
            for each in monitor.listen():
                name = each["command"].split(" ", 1)[0]
                if name == "LPUSH":
                    moments_s.append(each["time"])
                if name == "ECHO":
                    break
        end.wait(0.001)


@contextlib.contextmanager
def watched(servers: tuple[EmbeddedServer, ...]) -> Iterator[list[list[float]]]:
    """When each server carried out an LPUSH, by its own clock; complete after the block."""
    moments_s: list[list[float]] = [[] for _ in servers]
    end = threading.Event()
    threads = [
        threading.Thread(target=watch, args=(server, found, end))
        for server, found in zip(servers, moments_s, strict=True)
    ]
    for thread in threads:
        thread.start()
    yield moments_s
    end.set()
    for server in servers:
        with contextlib.suppress(ServerUnreachable), open_client(server.url) as client:
            client.echo("the end")
    for thread in threads:
        thread.join()


def rows_of(moments_s: list[list[float]]) -> Integers:
    """LPUSHes per row (n,) of all servers, from the first on.

    A replica carries out what its master has, so the one that has more in a row has them all.
    """
    begin_s = min(min(each) for each in moments_s)
    rows = [((np.array(each) - begin_s) * 1e6).astype(np.int64) // ROW_US for each in moments_s]
    length = max(int(each.max()) for each in rows) + 1
    counts = [np.bincount(each, minlength=length) for each in rows]
    found: Integers = np.maximum.reduce(counts)
    return found


def back_s(fault: FaultOutcome, moments_s: list[list[float]]) -> float:
    """How long after the fault the rate was back, by the servers' own clocks.

    Where the machine is busy, the rate may fall again while it must hold.
    """
    rows = rows_of(moments_s)
    figure = RateFigure(rows, np.ones(len(rows)), len(rows) * ROW_US)
    assert fault.began_s is not None
    ended_us = None if fault.ended_s is None else round(fault.ended_s * 1e6)
    (found,) = recoveries([FaultSpan(round(fault.began_s * 1e6), ended_us)], figure, 0)
    assert found.after_us is not None
    return found.after_us / 1e6


def test_the_time_until_a_new_master_serves_is_that_of_the_servers_own_clocks() -> None:
    scenario = resolve(
        {
            "queues": {QUEUE: 1},
            "rate": 1000,
            "arrivals": "constant",
            "duration": "9s",
            "warmup": "0s",
            "workers": 0,
            "faults": ["2s kill server"],
        }
    )
    with own_topology.running(1, with_sentinels=True) as topology:
        request = RunRequest(
            topology.url,
            scenario,
            "a test",
            owns_server=True,
            open_url=topology.open_url,
            server=OwnTopologyServer(topology),
        )
        with watched(topology.servers) as moments_s:
            record = execute(request, lambda _: None, lambda: False)
    (fault,) = record.faults
    gap_s = float(np.diff(np.sort(np.concatenate(moments_s))).max())
    assert gap_s > own_topology.DOWN_AFTER_S
    assert fault.enqueue_gap_s == pytest.approx(gap_s, abs=LOAD_S)
    assert fault.recovered_s["enqueue rate"] == pytest.approx(back_s(fault, moments_s), abs=LOAD_S)

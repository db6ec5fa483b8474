"""Tasks reach the node of their queue once each, whatever happens to slots and nodes meanwhile."""

import os
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from bench.clock import RunClock
from bench.layouts import registry
from bench.measure.window import time_line
from bench.producer.cluster_sink import ClusterSink, SlotFrame
from bench.producer.recorder import ProducerRecorder
from bench.redisio.connection import open_client
from bench.redisio.queue_keys import load_scripts
from bench.wire import ids
from bench.wire.frames import Batch
from bench.wire.slots import queue_slot
from bench.workload.resolve import resolve
from bench.workload.scenario import Scenario
from tests.private_cluster import PrivateCluster

_QUEUES = ["orders.high", "orders.default", "orders.low"]
_LAYOUT = registry.get("asynq").variant(duplicate_check=True)
_RUN = 7


class Sending:
    """A sink on a cluster, with what a producer gives it."""

    def __init__(self, cluster: PrivateCluster) -> None:
        self.clock = RunClock(time.time_ns() // 1000 - time.monotonic_ns() // 1000)
        self.sink = ClusterSink(cluster.url, _scenario(), _RUN, 0, self.clock)
        line = time_line(self.clock.now_us(), 0.0, 0.0)
        self.recorder = ProducerRecorder(line, is_closed_loop=False)
        self.control, self._other = os.pipe()
        self._next = 0

    def prepare(self, count: int) -> Any:
        """The next tasks, whose queues take turns."""
        sequence = np.arange(self._next, self._next + count)
        self._next += count
        due_us = np.full(count, self.clock.now_us())
        return self.sink.prepare(Batch(sequence, due_us, sequence % 3, [b"}"] * count))

    def send(self, count: int) -> None:
        """Send the next tasks in two parts."""
        prepared, half = self.prepare(count), count // 2
        self.sink.send(prepared, 0, half, self.recorder)
        self.sink.send(prepared, half, count, self.recorder)

    def wait(self, until: Any, within_s: float = 20.0) -> None:
        """Take replies until a condition holds."""
        deadline_s = time.monotonic() + within_s
        while not until() and time.monotonic() < deadline_s:
            self.sink.wait(self.clock.now_us() + 5_000, self.recorder, self.control)
        assert until()

    def wait_for_all(self) -> None:
        self.wait(lambda: not self.recorder.in_flight)

    def close(self) -> None:
        self.sink.close()
        os.close(self.control)
        os.close(self._other)


@pytest.fixture
def sending(cluster: PrivateCluster) -> Iterator[Sending]:
    cluster.flush()
    with open_client(cluster.url) as client:
        load_scripts(client, _LAYOUT)
    started = Sending(cluster)
    yield started
    started.close()


def _scenario() -> Scenario:
    return resolve(
        {
            "layout": "asynq",
            "queues": dict.fromkeys(_QUEUES, 1),
            "rate": "100/s",
            "duration": "5s",
            "duplicate_check": True,
        }
    )


def _waiting(cluster: PrivateCluster) -> list[bytes]:
    """All ids in the pending lists, each of which has its hash."""
    with open_client(cluster.url) as client:
        found: list[bytes] = []
        for queue in _QUEUES:
            members: Any = client.lrange(_LAYOUT.pending(queue), 0, -1)
            assert all(client.exists(_LAYOUT.task(queue, each.decode())) for each in members)
            found += members
    return found


def _expected(count: int) -> list[bytes]:
    return [ids.format_id(ids.TaskId(_RUN, 0, each)).encode() for each in range(count)]


def test_each_task_is_enqueued_once_on_the_node_of_its_queue(
    sending: Sending, cluster: PrivateCluster
) -> None:
    sending.send(60)
    sending.send(7)
    sending.wait_for_all()
    assert sorted(_waiting(cluster)) == sorted(_expected(67))
    assert (sending.recorder.enqueued_count, sending.recorder.refused_count) == (67, 0)
    assert sending.recorder.redirected_count == 0


def test_tasks_follow_a_slot_that_has_moved(sending: Sending, cluster: PrivateCluster) -> None:
    sending.send(30)
    sending.wait_for_all()
    key = _LAYOUT.pending(_QUEUES[0])
    target = (cluster.owner(queue_slot(_LAYOUT, _QUEUES[0]) or 0) + 1) % 3
    cluster.open_migration(key, target)()
    sending.send(30)
    sending.wait_for_all()
    moved = sending.recorder.redirected_count
    assert moved > 0
    sending.send(30)
    sending.wait_for_all()
    assert sending.recorder.redirected_count == moved  # the new place is known
    assert sorted(_waiting(cluster)) == sorted(_expected(90))
    assert (sending.recorder.enqueued_count, sending.recorder.refused_count) == (90, 0)


def test_tasks_wait_while_a_slot_is_moving_and_those_of_other_queues_do_not(
    sending: Sending, cluster: PrivateCluster
) -> None:
    sending.send(30)
    sending.wait_for_all()
    key = _LAYOUT.pending(_QUEUES[1])
    target = (cluster.owner(queue_slot(_LAYOUT, _QUEUES[1]) or 0) + 1) % 3
    end = cluster.open_migration(key, target)
    sending.send(30)
    sending.wait(lambda: sending.recorder.enqueued_count == 50)
    assert sending.recorder.in_flight == 10
    end()
    sending.wait_for_all()
    assert sorted(_waiting(cluster)) == sorted(_expected(60))
    assert (sending.recorder.enqueued_count, sending.recorder.refused_count) == (60, 0)


def test_a_task_whose_place_is_asked_for_goes_there(
    sending: Sending, cluster: PrivateCluster
) -> None:
    """An empty queue has no key on the source: it asks for the target, where there is none either,
    which is to say TRYAGAIN for a script with two keys. Both are refusals."""
    key = _LAYOUT.pending(_QUEUES[2])
    target = (cluster.owner(queue_slot(_LAYOUT, _QUEUES[2]) or 0) + 1) % 3
    end = cluster.open_migration(key, target)
    sending.send(3)
    sending.wait(lambda: sending.recorder.redirected_count >= 2)
    end()
    sending.wait_for_all()
    assert sorted(_waiting(cluster)) == sorted(_expected(3))


def test_scripts_that_a_node_has_forgotten_are_loaded_again(
    sending: Sending, cluster: PrivateCluster
) -> None:
    for node in cluster.nodes():
        node.script_flush()
    sending.send(12)
    sending.wait_for_all()
    assert sorted(_waiting(cluster)) == sorted(_expected(12))
    assert sending.recorder.refused_count == 0


def test_a_lost_connection_leaves_its_own_tasks_unknown_and_is_replaced(
    sending: Sending, cluster: PrivateCluster
) -> None:
    owners = [cluster.owner(queue_slot(_LAYOUT, queue) or 0) for queue in _QUEUES]
    node, held = cluster.nodes()[owners[0]], 10 * owners.count(owners[0])
    node.execute_command("CLIENT", "PAUSE", 60_000, "WRITE")
    sending.send(30)
    sending.wait(lambda: sending.recorder.in_flight == held)
    node.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    node.execute_command("CLIENT", "UNPAUSE")
    sending.wait(lambda: not sending.recorder.in_flight)
    assert sending.recorder.nodes_lost > 0
    assert len(sending.recorder.take_unconfirmed()) == held
    sending.send(30)
    sending.wait_for_all()
    found = _waiting(cluster)
    assert len(found) == len(set(found))  # none was sent twice
    assert sending.recorder.enqueued_count == 60 - held


def test_frames_are_split_by_slot_in_the_order_of_the_batch(sending: Sending) -> None:
    frames: list[SlotFrame] = sending.prepare(9)
    members = [each.members.tolist() for each in frames]
    assert sorted(members) == [[0, 3, 6], [1, 4, 7], [2, 5, 8]]
    assert len({each.slot for each in frames}) == 3

"""Which tasks of a run were seen with a lease that had ended."""

import time
from typing import Any

from bench.layouts.asynq.layout import ASYNQ
from bench.layouts.runqy.layout import RUNQY
from bench.observer.leases import LeaseWatch
from tests.observer.scripted import RUN, task_id

QUEUE = "inference.default"
LEASES = f"asynq:{{{QUEUE}}}:lease"


def test_leases_that_have_ended_are_noted_once_a_second(client: Any) -> None:
    now_s = int(time.time())
    watch = LeaseWatch(client, ASYNQ, [QUEUE], RUN)
    client.zadd(LEASES, {task_id(1): now_s - 5, task_id(2): now_s + 500, b"of-others": 1})
    watch.look(0)
    client.zadd(LEASES, {task_id(3, producer=2): now_s - 1})
    watch.look(500_000)
    assert {number: bits.numbers().tolist() for number, bits in watch.expired[QUEUE].items()} == {
        0: [1]
    }
    watch.look(1_000_000)
    assert watch.expired[QUEUE][2].numbers().tolist() == [3]
    assert watch.commands == 2


def test_a_layout_without_leases_costs_nothing(client: Any) -> None:
    watch = LeaseWatch(client, RUNQY, ["inference_default"], RUN)
    watch.look(0)
    assert (watch.commands, dict(watch.expired)) == (0, {})

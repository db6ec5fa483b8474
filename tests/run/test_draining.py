"""When everything that was enqueued has ended, or never will."""

from typing import Any, cast

import pytest
import redis

from bench.clock import FakeClock
from bench.layouts.asynq.layout import ASYNQ
from bench.layouts.runqy.layout import RUNQY
from bench.measure.leases import Leases
from bench.measure.reports import ProducerReport, WorkerReport
from bench.redisio import embedded
from bench.run.draining import QUIET_US, DrainMonitor
from bench.wire.layout_contract import KeyRole, Layout
from tests.run.scripted import ScriptedClient

START_US = 1_800_000_000_000_000
QUEUES = ["inference_high", "inference_low"]


class Drain:
    """Lists, reports, and a clock."""

    def __init__(self, layout: Layout = RUNQY) -> None:
        self.clock = FakeClock(START_US)
        self.client = ScriptedClient()
        self.draining = DrainMonitor(cast(redis.Redis, self.client), layout, QUEUES, self.clock)

    def is_over(
        self,
        enqueued: int,
        *workers: WorkerReport,
        awaits_workers: bool = False,
    ) -> bool:
        producers = [ProducerReport(number=0, enqueued=enqueued)]
        return self.draining.is_over(producers, workers, awaits_workers)


def worker(completed: int = 0, made_after_us: int = 0, **state: Any) -> WorkerReport:
    return WorkerReport(name="w", completed=completed, made_us=START_US + made_after_us, **state)


@pytest.mark.parametrize(
    ("enqueued", "workers", "over"),
    [
        (10, [worker(10)], True),
        (10, [worker(4), worker(6)], True),
        (10, [worker(4, failed=6)], True),
        (10, [worker(9)], False),
        (10, [], False),
        (0, [], True),
        (10, [worker(10, in_flight=1)], False),
        (10, [worker(10), worker(0, waiting_retry=1)], False),
    ],
)
def test_it_is_over_when_all_have_ended_and_no_worker_holds_any(
    enqueued: int, workers: list[WorkerReport], over: bool
) -> None:
    drain = Drain()
    drain.client.lengths = {"asynq:inference_high:pending": 1}
    assert drain.is_over(enqueued, *workers) == over


LATE = 2 * QUIET_US


@pytest.mark.parametrize(
    ("worker_at_the_end", "awaits_workers", "over"),
    [
        (worker(9, LATE), False, True),
        (worker(9, QUIET_US), False, False),  # made before it could have been seen to hold one
        (worker(9, LATE, in_flight=1), False, False),
        (worker(9, LATE, waiting_retry=1), False, False),
        (worker(9, LATE), True, False),
        (None, False, True),
        (None, True, False),
    ],
)
def test_lost_tasks_are_not_waited_for_once_lists_and_workers_have_been_empty_for_a_while(
    worker_at_the_end: WorkerReport | None, awaits_workers: bool, over: bool
) -> None:
    drain = Drain()
    workers = [] if worker_at_the_end is None else [worker_at_the_end]
    for after_us in (0, QUIET_US - 1):
        drain.clock.time_us = START_US + after_us
        assert not drain.is_over(10, *workers, awaits_workers=awaits_workers)
    drain.clock.time_us = START_US + LATE
    assert drain.is_over(10, *workers, awaits_workers=awaits_workers) == over


def test_a_task_on_a_list_begins_the_wait_anew() -> None:
    drain = Drain()
    drain.is_over(10)
    drain.clock.advance(QUIET_US)
    drain.client.lengths = {"asynq:inference_low:active": 1}
    assert not drain.is_over(10)
    drain.client.lengths = {}
    assert not drain.is_over(10)
    drain.clock.advance(QUIET_US - 1)
    assert not drain.is_over(10)
    drain.clock.advance(1)
    assert drain.is_over(10)


@pytest.mark.parametrize("layout", [RUNQY, ASYNQ])
def test_every_key_in_which_tasks_wait_counts_and_none_in_which_they_have_ended(
    layout: Layout,
) -> None:
    for queue in QUEUES:
        for key in layout.queue_keys(queue):
            drain = Drain(layout)
            drain.client.lengths = {key.key: 1}
            assert drain.draining.is_empty() == (key.role is KeyRole.ELSEWHERE)


def test_a_server_that_does_not_answer_is_not_known_to_be_empty() -> None:
    drain = Drain()
    drain.is_over(10)
    drain.client.is_gone = True
    drain.clock.advance(LATE)
    assert not drain.is_over(10)
    drain.client.is_gone = False
    assert not drain.is_over(10)
    drain.clock.advance(QUIET_US)
    assert drain.is_over(10)


def test_leases_are_those_of_all_queues_until_the_last_one_ends() -> None:
    queues = ["inference.high", "inference.low"]
    with (
        embedded.running() as started,
        redis.Redis(port=started.port, protocol=2) as client,
    ):
        monitor = DrainMonitor(client, ASYNQ, queues, FakeClock(START_US))
        assert monitor.leases() is None
        client.zadd("asynq:{inference.high}:lease", {"a": 1_800_000_100, "b": 1_800_000_271})
        client.zadd("asynq:{inference.low}:lease", {"c": 1_800_000_200})
        assert monitor.leases() == Leases(3, 1_800_000_271.0)
        assert DrainMonitor(client, RUNQY, QUEUES, FakeClock(START_US)).leases() is None


class _Released(ScriptedClient):
    """A server on which the last lease is given back once leases have been counted."""

    def zrange(self, *_: object, **__: object) -> list[tuple[bytes, float]]:
        return []


def test_a_lease_that_is_given_back_while_it_is_looked_at_is_none() -> None:
    client = _Released({ASYNQ.leases(QUEUES[0]) or "": 1})
    drain = DrainMonitor(cast(redis.Redis, client), ASYNQ, QUEUES, FakeClock(START_US))
    assert drain.leases() is None


def test_what_killed_workers_had_is_not_waited_for() -> None:
    """Nobody else knows of it: the lists of active tasks may hold it for ever."""
    drain = Drain()
    drain.client.lengths[RUNQY.active(QUEUES[0])] = 2
    producers = [ProducerReport(number=0, enqueued=10)]
    killed = [worker(1, in_flight=2)]

    def is_over(made_after_us: int) -> bool:
        living = [worker(7, made_after_us=made_after_us)]
        return drain.draining.is_over(producers, living, False, killed)

    assert not is_over(0)
    drain.clock.advance(2 * QUIET_US)
    assert is_over(2 * QUIET_US)
    drain.client.lengths[RUNQY.pending(QUEUES[0])] = 1
    assert not is_over(2 * QUIET_US)


def test_what_stays_marked_as_active_after_a_failover_is_not_waited_for() -> None:
    """It ended on the old master, or its worker had no reply; observed ones do not say."""
    drain = Drain()
    drain.client.lengths[RUNQY.active(QUEUES[0])] = 2
    producers = [ProducerReport(number=0, enqueued=10)]

    def is_over(*workers: WorkerReport, fails_over: bool = True) -> bool:
        return drain.draining.is_over(producers, workers, False, fails_over=fails_over)

    idle = worker(7, made_after_us=2 * QUIET_US)
    assert not is_over(idle)
    drain.clock.advance(2 * QUIET_US)
    assert is_over(idle)
    assert not is_over(worker(7, made_after_us=2 * QUIET_US, in_flight=1))
    assert not is_over()
    assert not is_over(idle, fails_over=False)


def test_a_server_that_does_not_answer_shows_no_leases() -> None:
    drain = Drain(ASYNQ)
    drain.client.is_gone = True
    assert drain.draining.leases() is None

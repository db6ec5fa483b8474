"""What a worker's coroutines ask Redis for, and when: the test gives the answers and the time."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import hiredis
import pytest

from bench.clock import FakeClock
from bench.layouts.runqy.layout import RUNQY
from bench.measure.window import time_line
from bench.wire import ids, stamps
from bench.worker.batch import WorkerSettings
from bench.worker.event_loop import FOREVER_US, Operation, Request, RequestNoReply, Sleep, Wait
from bench.worker.process import OneRun
from bench.worker.recorder import WorkerRecorder
from bench.worker.worker import Worker
from bench.workload.distribution import Distribution

RUN = 77
START_US = 1_800_000_000_000_000
QUEUES = {"inference_high": 3.0, "inference_default": 2.0, "inference_low": 1.0}
HIGH, DEFAULT = "inference_high", "inference_default"
KEY = RUNQY.pending(HIGH).encode()


def task_id(sequence: int) -> bytes:
    return ids.format_id(ids.TaskId(RUN, 0, sequence)).encode()


def fields(max_retry: int = 0, retry: int = 0) -> list[bytes]:
    payload = stamps.head(START_US, START_US) + b"}"
    return [
        *(b"payload", payload, b"retry", str(retry).encode()),
        *(b"max_retry", str(max_retry).encode()),
    ]


class Driver:
    """A worker, and its coroutines' hands: operations out, answers in."""

    def __init__(self, **settings: Any) -> None:
        self.clock = FakeClock(START_US)
        self.recorder = WorkerRecorder(RUN, time_line(START_US, 0, 0), list(QUEUES))
        chosen: dict[str, Any] = {
            "queues": QUEUES,
            "layout": RUNQY,
            "concurrency": 1,
            "prefetch": 1,
            "service_time": Distribution(),
            "failure_rate": 0.0,
            "retry_delay_us": 1_000_000,
            "priority": "strict",
            "store_results": False,
            "seed": 1,
            **settings,
        }
        self.worker = Worker(WorkerSettings(**chosen), OneRun(self.recorder), self.clock)
        self.woken = 0
        self.worker.wake_all = self._wake
        self.coroutines = [factory() for factory in self.worker.coroutines()]

    def _wake(self) -> None:
        self.woken += 1

    @property
    def completed(self) -> int:
        return self.recorder.report(full=False).completed

    def take(self, numbers: Sequence[int], **task: int) -> Operation:
        """Let the first coroutine begin with these tasks; return what it asks for when it has read
        them."""
        popping = self.coroutines[0]
        names = [task_id(number) for number in numbers]
        asked(next(popping))
        popping.send([[KEY, names]])
        return popping.send([fields(**task) for _ in names])


def asked(operation: Operation) -> bytes:
    assert isinstance(operation, Request | RequestNoReply)
    return operation.data


def popped_keys(operation: Operation) -> list[str]:
    """The keys of a blocking pop, in order."""
    return re.findall(r"asynq:(inference_\w+):pending", asked(operation).decode())


def counted(operation: Operation) -> int:
    """How many ids a pop may take."""
    found = re.search(rb"COUNT\r\n\$\d+\r\n(\d+)", asked(operation))
    assert found is not None
    return int(found[1])


def until_us(operation: Operation) -> int:
    """When a pause ends, in µs after the start."""
    assert isinstance(operation, Sleep | Wait)
    return operation.until_us - START_US


# Which queue comes first.


def orders(rounds: int, priority: str) -> Counter[str]:
    """How often each queue came first."""
    driver = Driver(priority=priority)
    popping = driver.coroutines[0]
    operation = next(popping)
    first: Counter[str] = Counter()
    for _ in range(rounds):
        keys = popped_keys(operation)
        assert sorted(keys) == sorted(QUEUES)
        first[keys[0]] += 1
        operation = popping.send([None])
    return first


def test_strict_priority_asks_for_the_first_queue_first_always() -> None:
    assert orders(50, "strict") == {HIGH: 50}


def test_weighted_priority_asks_for_each_queue_first_as_often_as_its_weight_says() -> None:
    first = orders(3000, "weighted")
    for queue, weight in QUEUES.items():
        assert first[queue] == pytest.approx(3000 * weight / 6, rel=0.1)


# How many tasks are taken.


@pytest.mark.parametrize(
    ("prefetch", "takes_time", "coroutines"),
    [(1, True, 4 + 1), (2, False, 2 + 1), (16, False, 4 + 1), (16, True, 4 + 1 + 1)],
)
def test_a_worker_has_the_coroutines_that_its_settings_need(
    prefetch: int, takes_time: bool, coroutines: int
) -> None:
    service = Distribution("constant", mean=0.3) if takes_time else Distribution()
    driver = Driver(concurrency=4, prefetch=prefetch, service_time=service)
    assert len(driver.coroutines) == coroutines


def test_coroutines_share_the_prefetch() -> None:
    driver = Driver(prefetch=10)
    first, second = driver.coroutines[:2]
    assert counted(next(first)) == 3  # a quarter, rounded up
    first.send([[KEY, [task_id(number) for number in range(3)]]])
    assert driver.worker.in_flight == 3
    assert counted(next(second)) == 3
    second.send([[KEY, [task_id(number) for number in range(3, 6)]]])
    assert driver.worker.in_flight == 6


def test_what_coroutines_have_asked_for_counts_towards_the_prefetch() -> None:
    """All of them wait in the server at once, and any of their pops may be answered in full."""
    driver = Driver(prefetch=10)
    first, second, third, fourth = driver.coroutines[:4]
    assert [counted(next(each)) for each in (first, second, third, fourth)] == [3, 3, 3, 1]
    assert driver.worker.in_flight == 0


def test_a_coroutine_that_got_nothing_leaves_its_room_to_the_others() -> None:
    driver = Driver(prefetch=4, service_time=Distribution("constant", mean=0.3))
    popping = driver.coroutines[:4]
    assert [counted(next(each)) for each in popping] == [1, 1, 1, 1]
    woken = driver.woken
    popping[0].send([None])  # the blocking pop timed out; it asks again
    popping[1].send([[KEY, [task_id(0)]]])
    popping[1].send([fields()])
    popping[1].send([])
    assert driver.worker.in_flight == 1
    assert driver.woken > woken


def test_a_full_prefetch_takes_no_more_until_a_task_has_ended() -> None:
    driver = Driver(prefetch=4, service_time=Distribution("constant", mean=0.3))
    driver.take(range(4))
    popping, finishing = driver.coroutines[0], driver.coroutines[-2]
    assert until_us(popping.send([])) == FOREVER_US - START_US
    assert until_us(next(finishing)) == 300_000
    driver.clock.advance(300_000)
    assert isinstance(finishing.send(None), RequestNoReply)
    woken = driver.woken
    finishing.send([])
    assert driver.woken > woken
    assert counted(popping.send(None)) == 1


UNKNOWN = hiredis.ReplyError("ERR unknown command 'BLMPOP', with args beginning with: '2'")
FORBIDDEN = hiredis.ReplyError("NOPERM User x has no permissions to run the 'blmpop' command")
NO_COUNT = hiredis.ReplyError("ERR wrong number of arguments for 'rpop' command")


@pytest.mark.parametrize("refusal", [UNKNOWN, FORBIDDEN])
def test_where_the_server_cannot_pop_many_the_rest_is_taken_without_waiting(
    refusal: hiredis.ReplyError,
) -> None:
    driver = Driver(prefetch=16)
    popping = driver.coroutines[0]
    assert b"BLMPOP" in asked(next(popping))
    assert popped_keys(popping.send([refusal])) == list(QUEUES)
    more = popping.send([[KEY, task_id(0)]])
    assert isinstance(more, Request)
    assert not more.may_block
    assert re.search(rb"RPOP\r\n.*pending\r\n\$1\r\n3\r\n", more.data, re.DOTALL)
    loads = popping.send([[task_id(1), task_id(2)]])
    assert [task_id(number) in asked(loads) for number in range(4)] == [True] * 3 + [False]
    assert driver.worker.difficulties.refusals == {}


def test_where_the_server_pops_one_id_at_a_time_the_rest_is_taken_with_as_many_commands() -> None:
    """Servers before Redis 6.2."""
    driver = Driver(prefetch=16)
    popping = driver.coroutines[0]
    next(popping)
    popping.send([UNKNOWN])
    popping.send([[KEY, task_id(0)]])
    loads = popping.send([NO_COUNT])
    assert task_id(0) in asked(loads)
    popping.send([fields()])
    popped_keys(popping.send([]))
    singly = popping.send([[KEY, task_id(1)]])
    assert isinstance(singly, Request)
    assert (singly.replies, singly.data.count(b"RPOP")) == (3, 3)
    loads = popping.send([task_id(2), task_id(3), None])
    assert [task_id(number) in asked(loads) for number in range(1, 4)] == [True] * 3


def pop_is_slow(driver: Driver, after_us: int) -> bool:
    """Whether the loop may sleep at once for a pop that follows one that took so long."""
    popping = driver.coroutines[0]
    operation = next(popping)
    assert isinstance(operation, Request)
    assert operation.may_block  # nothing is known of the queue
    driver.clock.advance(after_us)
    popping.send([[KEY, [task_id(0)]]])
    operation = popping.send([fields()])
    while isinstance(operation, RequestNoReply):
        operation = popping.send([])
    assert isinstance(operation, Request)
    assert popped_keys(operation)
    return operation.may_block


@pytest.mark.parametrize(("after_us", "is_slow"), [(0, False), (200, False), (201, True)])
def test_one_by_one_a_pop_is_awaited_closely_while_tasks_are_waiting(
    after_us: int, is_slow: bool
) -> None:
    """A queue that had a task to give at once has another one; one that had none is waited for
    asleep."""
    assert pop_is_slow(Driver(), after_us) is is_slow


def test_in_batches_no_pop_is_awaited_closely() -> None:
    """A batch outweighs the time to wake up."""
    assert pop_is_slow(Driver(prefetch=4), 0)


# How long tasks take.


@pytest.mark.parametrize(
    ("slots", "ends_s"), [(1, [0.3, 0.6, 0.9]), (2, [0.3, 0.3, 0.6]), (3, [0.3] * 3)]
)
def test_as_many_tasks_are_in_service_at_a_time_as_there_are_slots(
    slots: int, ends_s: list[float]
) -> None:
    driver = Driver(concurrency=slots, prefetch=12, service_time=Distribution("constant", mean=0.3))
    driver.take(range(3))
    driver.coroutines[0].send([])
    finishing = driver.coroutines[-2]
    operation = next(finishing)
    ended: list[float] = []
    while driver.completed < 3:
        driver.clock.time_us = START_US + until_us(operation)
        before = driver.completed
        finishing.send(None)
        operation = finishing.send([])  # no errors: the tasks have ended
        operation = operation if isinstance(operation, Wait) else finishing.send([])
        ended += [(driver.clock.now_us() - START_US) / 1e6] * (driver.completed - before)
    assert ended == pytest.approx(ends_s)


def test_one_by_one_a_task_sleeps_for_its_service_time_before_it_is_completed() -> None:
    driver = Driver(service_time=Distribution("constant", mean=0.25))
    popping = driver.coroutines[0]
    next(popping)
    popping.send([[KEY, task_id(0)]])
    start = popping.send([fields()])
    while isinstance(start, RequestNoReply):
        start = popping.send([])
    assert until_us(start) == 250_000
    assert driver.worker.in_flight == 1


# Failures.


def failed_once(driver: Driver, max_retry: int, retry: int = 0) -> None:
    """One task is taken, and its attempt fails."""
    operation = driver.take([0], max_retry=max_retry, retry=retry)
    while isinstance(operation, RequestNoReply):
        operation = driver.coroutines[0].send([])


def test_a_failed_task_is_made_visible_again_after_its_delay() -> None:
    driver = Driver(prefetch=4, failure_rate=1.0)
    failed_once(driver, max_retry=1)
    assert driver.worker.waiting_retry == 1
    requeueing = driver.coroutines[-1]
    assert until_us(next(requeueing)) == 1_000_000
    driver.clock.advance(1_000_000)
    requeue = asked(requeueing.send(None))
    assert b"pending" in requeue
    assert task_id(0) in requeue
    assert driver.worker.waiting_retry == 1  # until that is answered
    requeueing.send([])
    assert driver.worker.waiting_retry == 0


def test_a_worker_that_stops_makes_failed_tasks_visible_at_once() -> None:
    driver = Driver(prefetch=4, failure_rate=1.0)
    failed_once(driver, max_retry=1)
    requeueing = driver.coroutines[-1]
    next(requeueing)
    driver.worker.stopping = True
    assert task_id(0) in asked(requeueing.send(None))


def test_a_task_without_attempts_left_is_archived() -> None:
    driver = Driver(prefetch=4, failure_rate=1.0)
    failed_once(driver, max_retry=2, retry=2)
    report = driver.recorder.report(full=False)
    assert (report.failed, driver.worker.waiting_retry) == (1, 0)


# The end.


def test_tasks_that_no_slot_has_begun_go_back_in_the_order_in_which_they_were_taken() -> None:
    driver = Driver(prefetch=12, service_time=Distribution("constant", mean=0.3))
    driver.take(range(3))
    driver.coroutines[0].send([])
    driver.coroutines[0].close()  # as when it has nothing more to take
    finishing = driver.coroutines[-2]
    assert until_us(next(finishing)) == 300_000
    driver.worker.stopping = True
    returned = asked(finishing.send(None))
    # Last one first, each to the end that is popped next, and all with one request.
    assert re.findall(rb"RPUSH\r\n[^*]*:pending\r\n\$\d+\r\n([\w-]+)", returned) == [
        *(task_id(2), task_id(1)),
    ]
    assert until_us(finishing.send([])) == 300_000
    assert driver.worker.in_flight == 1


def test_a_coroutine_that_waits_in_the_server_ends_with_the_worker() -> None:
    driver = Driver()
    popping = driver.coroutines[0]
    next(popping)
    driver.worker.stopping = True
    with pytest.raises(StopIteration):
        popping.send([None])
    requeueing = driver.coroutines[-1]
    with pytest.raises(StopIteration):
        next(requeueing)


def test_ids_without_a_task_are_counted_and_nothing_is_written_for_them() -> None:
    driver = Driver(prefetch=12)
    popping = driver.coroutines[0]
    next(popping)
    popping.send([[KEY, [task_id(0), task_id(1), task_id(2)]]])
    written = asked(popping.send([fields(), [], fields()]))
    assert [task_id(number) in written for number in range(3)] == [True, False, True]
    popping.send([])
    report = driver.recorder.report(full=False)
    assert (report.completed, report.missing, driver.worker.in_flight) == (2, 1, 0)

"""What a worker does when the server refuses, forgets or hangs up: the test gives the answers."""

import functools
from collections.abc import Sequence
from typing import Any

import hiredis
import pytest

from bench.clock import FakeClock
from bench.errors import MeasurementError
from bench.layouts import registry
from bench.measure.unserved import Unserved
from bench.redisio.connection import ConnectionLost
from bench.wire import resp
from bench.wire.layout_contract import Layout, Reservation
from bench.wire.refusals import is_of_another_server
from bench.worker.difficulties import Difficulties
from bench.worker.event_loop import Operation, Reconnect, Request, RequestNoReply, Sleep
from bench.worker.moves import QueueMoves
from bench.worker.popping import UNUSABLE_US
from bench.worker.recorder import AttemptOutcome
from bench.worker.server_calls import REFUSED_FOR_US, RETRY_EVERY_US, ServerCalls, undo_pop
from bench.workload.distribution import Distribution
from tests.worker.test_coroutines import (
    DEFAULT,
    HIGH,
    KEY,
    QUEUES,
    START_US,
    Driver,
    asked,
    fields,
    popped_keys,
    task_id,
    until_us,
)

RUNQY = registry.get("runqy").layout
ASYNQ = registry.get("asynq").layout
BUSY = "BUSY Redis is busy running a script. You can only call SCRIPT KILL"
NOSCRIPT = "NOSCRIPT No matching script. Please use EVAL."
NOPERM = "NOPERM User x has no permissions to run the 'lpush' command"
WRONGTYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
PASSING = [
    *(BUSY, "LOADING Redis is loading the dataset in memory", "OOM command not allowed"),
    *("READONLY You can't write against a read only replica.", "MASTERDOWN Link is down"),
    "CLUSTERDOWN Hash slot not served",
]


def after_pause(popping: Any, message: str) -> Operation:
    """What a coroutine asks for after a pause: first for a new connection, where another server may
    be the one to ask by then."""
    operation: Operation = popping.send(None)
    if is_of_another_server(message):
        assert isinstance(operation, Reconnect)
        operation = popping.throw(ConnectionLost("closed"))
    return operation


def error(message: str) -> hiredis.ReplyError:
    return hiredis.ReplyError(message)


def started(driver: Driver, *numbers: int) -> Operation:
    """What the first coroutine asks for when it has read these tasks: to start them."""
    return driver.take(numbers)


def commands(layout: Layout, move: str, *numbers: int) -> list[bytes]:
    """The commands of a move of these tasks, one by one, each as bytes."""
    found: list[bytes] = []
    for number in numbers:
        reservation = Reservation(HIGH, task_id(number).decode(), START_US // 1_000_000)
        made: dict[str, Any] = {
            "start": layout.start,
            "complete": functools.partial(layout.complete, result=None),
            "put_back": layout.put_back,
        }
        found += [resp.encode([command]) for command in made[move](reservation)]
    return found


def states(number_of_states: int, operation: Operation) -> None:
    """Assert that the states of so many tasks are asked for."""
    assert isinstance(operation, Request)
    assert operation.replies == number_of_states
    assert b"HMGET" in operation.data


# Refusals that pass.


@pytest.mark.parametrize("message", PASSING)
def test_a_pop_that_is_refused_for_now_is_sent_again_after_a_pause(message: str) -> None:
    driver = Driver()
    popping = driver.coroutines[0]
    pop = asked(next(popping))
    assert until_us(popping.send([error(message)])) == RETRY_EVERY_US
    assert asked(after_pause(popping, message)) == pop
    assert list(driver.worker.difficulties.refusals) == [message.split(maxsplit=1)[0]]


@pytest.mark.parametrize("message", PASSING)
def test_refused_commands_and_only_those_are_sent_again_until_the_server_takes_them(
    message: str,
) -> None:
    driver = Driver(prefetch=12)
    popping = driver.coroutines[0]
    start_and_complete = [
        each
        for number in range(3)
        for each in (*commands(RUNQY, "start", number), *commands(RUNQY, "complete", number))
    ]
    assert asked(started(driver, 0, 1, 2)) == b"".join(start_and_complete)
    pause = popping.send([(1, message), (5, message), (6, message)])
    assert until_us(pause) == RETRY_EVERY_US
    again = b"".join(start_and_complete[at] for at in (1, 5, 6))
    assert asked(after_pause(popping, message)) == again
    popping.send([(2, message)])
    assert asked(after_pause(popping, message)) == start_and_complete[6]
    assert driver.completed == 0
    popping.send([])
    assert (driver.completed, driver.worker.in_flight) == (3, 0)


def test_one_by_one_a_refused_command_is_sent_again_alone() -> None:
    driver = Driver()
    popping = driver.coroutines[0]
    next(popping)
    popping.send([[KEY, task_id(0)]])
    push, state = commands(RUNQY, "start", 0)
    assert asked(popping.send([fields()])) == push
    assert asked(popping.send([(0, BUSY)])) == state
    assert isinstance(popping.send([]), Sleep)
    assert asked(popping.send(None)) == push
    assert asked(popping.send([])) == commands(RUNQY, "complete", 0)[0]


def test_a_task_that_cannot_be_read_for_now_is_read_again() -> None:
    driver = Driver(prefetch=12)
    popping = driver.coroutines[0]
    next(popping)
    read = popping.send([[KEY, [task_id(0), task_id(1)]]])
    assert isinstance(popping.send([fields(), error(BUSY)]), Sleep)
    assert asked(popping.send(None)) == asked(read)
    popping.send([fields(), fields()])
    popping.send([])
    assert driver.completed == 2


def test_scripts_that_the_server_has_forgotten_are_loaded_again_before_the_task_is_moved() -> None:
    driver = Driver(layout=ASYNQ, prefetch=12)
    popping = driver.coroutines[0]
    next(popping)
    key = ASYNQ.pending(HIGH).encode()
    popping.send([[key, [task_id(0)]]])
    payload = fields()[1]
    move = popping.send(
        [[b"payload", payload, b"type", b"t", b"queue", HIGH.encode(), *fields()[2:]]]
    )
    load = popping.send([(0, NOSCRIPT), (1, NOSCRIPT)])
    assert asked(load) == resp.encode([("SCRIPT", "LOAD", text) for text in ASYNQ.scripts])
    assert isinstance(popping.send([b"digest"] * len(ASYNQ.scripts)), Sleep)
    assert asked(popping.send(None)) == asked(move)
    popping.send([])
    assert driver.completed == 1


@pytest.mark.parametrize("at_pop", [True, False])
def test_a_server_that_refuses_for_too_long_ends_the_worker_with_a_reason(at_pop: bool) -> None:
    driver = Driver(prefetch=12)
    popping = driver.coroutines[0]
    operation: Operation = next(popping) if at_pop else started(driver, 0)
    refusal: Any = [error(BUSY)] if at_pop else [(0, BUSY)]
    began_us = driver.clock.now_us()

    def refuse(operation: Operation) -> None:
        while True:
            operation = popping.send(None if isinstance(operation, Sleep) else refusal)
            if isinstance(operation, Sleep):
                driver.clock.time_us = operation.until_us

    with pytest.raises(MeasurementError, match=r"refused .* for 300 s \(BUSY Redis is busy"):
        refuse(operation)
    assert driver.clock.now_us() - began_us == pytest.approx(REFUSED_FOR_US, abs=RETRY_EVERY_US)


def test_a_refusal_that_cannot_pass_ends_the_worker_with_the_task_still_in_hand() -> None:
    driver = Driver(prefetch=12)
    popping = driver.coroutines[0]
    next(popping)
    popping.send([[KEY, [task_id(0), task_id(1)]]])
    with pytest.raises(MeasurementError, match=r"NOPERM .*grant it in the ACL"):
        popping.send([error(NOPERM), error(NOPERM)])
    pushed = ("RPUSH", KEY.decode(), task_id(1), task_id(0))
    assert driver.worker.undo() == [pushed]


# Refusals that are about one key.


def test_a_queue_whose_key_is_no_list_is_left_alone_and_the_others_are_served() -> None:
    driver = Driver()
    popping = driver.coroutines[0]
    next(popping)
    types = popping.send([error(WRONGTYPE)])
    assert asked(types) == resp.encode([("TYPE", RUNQY.pending(queue)) for queue in QUEUES])
    others = [queue for queue in QUEUES if queue != HIGH]
    assert popped_keys(popping.send([b"string", b"list", b"none"])) == others
    driver.clock.advance(UNUSABLE_US)
    assert popped_keys(popping.send([None])) == list(QUEUES)


def test_tasks_that_cannot_be_started_wait_in_their_queue_again() -> None:
    """As when the active list's key holds something else: nothing is lost, nothing spins."""
    driver = Driver(prefetch=12, service_time=Distribution("constant", mean=0.3))
    popping = driver.coroutines[0]
    started(driver, 0, 1)
    query = popping.send([(0, WRONGTYPE), (2, WRONGTYPE)])
    states(2, query)
    back = popping.send([[b"active", b"t"], [b"active", b"t"]])
    assert asked(back) == resp.encode([("RPUSH", KEY.decode(), task_id(1), task_id(0))])
    assert HIGH not in popped_keys(popping.send([]))
    assert driver.worker.in_flight == 0


@pytest.mark.parametrize("prefetch", [1, 12])
def test_a_key_that_is_no_task_is_left_on_the_active_list_and_the_next_task_served(
    prefetch: int,
) -> None:
    driver = Driver(prefetch=prefetch)
    popping = driver.coroutines[0]
    next(popping)
    popping.send([[KEY, task_id(0) if prefetch == 1 else [task_id(0)]]])
    left = popping.send([error(WRONGTYPE)])
    assert asked(left) == b"".join(commands(RUNQY, "start", 0))
    popped_keys(popping.send([(1, WRONGTYPE)]))
    assert driver.worker.difficulties.unserved == {Unserved.NO_HASH: 1}
    assert driver.worker.in_flight == 0


@pytest.mark.parametrize(
    "broken",
    [
        [b"retry", b"many"],
        [b"retry", b"-1"],
        [b"max_retry", b"9" * 30],
        [b"max_retry", b"9" * 5000],
        [b"retry"],
    ],
)
def test_a_hash_that_cannot_be_read_is_archived_and_counted(broken: list[bytes]) -> None:
    driver = Driver(prefetch=12)
    popping = driver.coroutines[0]
    next(popping)
    popping.send([[KEY, [task_id(0), task_id(1)]]])
    archived = popping.send([broken, fields()])
    reservation = Reservation(HIGH, task_id(0).decode(), START_US // 1_000_000)
    assert asked(archived) == resp.encode(RUNQY.archive(reservation, "the task cannot be read"))
    assert task_id(1) in asked(popping.send([]))
    popping.send([])
    report = driver.recorder.report(full=False)
    assert (report.completed, report.failed, report.missing) == (1, 1, 0)
    assert driver.worker.difficulties.unserved == {Unserved.UNREADABLE: 1}


# Connections that are lost.


def test_a_pop_on_a_lost_connection_is_sent_again() -> None:
    driver = Driver(prefetch=4)
    popping = driver.coroutines[0]
    pop = asked(next(popping))
    assert asked(popping.throw(ConnectionLost("cut"))) == pop
    assert (driver.worker.in_flight, driver.worker.difficulties.reconnects) == (0, 1)


@pytest.mark.parametrize("reply", [1, [KEY], [b"other", [b"id"]], [KEY, [5]], b"text"])
def test_an_answer_that_is_none_to_a_pop_gives_up_the_connection(reply: object) -> None:
    driver = Driver(prefetch=4)
    popping = driver.coroutines[0]
    pop = asked(next(popping))
    assert popping.send([reply]) == Reconnect()
    assert asked(popping.throw(ConnectionLost("given up"))) == pop


def test_a_task_that_was_popped_is_read_again_on_another_connection() -> None:
    driver = Driver(prefetch=4)
    popping = driver.coroutines[0]
    next(popping)
    read = popping.send([[KEY, [task_id(0)]]])
    assert asked(popping.throw(ConnectionLost("cut"))) == asked(read)
    popping.send([fields()])
    popping.send([])
    assert driver.completed == 1


def test_after_a_lost_connection_each_task_goes_on_from_the_state_it_is_in() -> None:
    driver = Driver(prefetch=16)
    popping = driver.coroutines[0]
    started(driver, 0, 1, 2, 3)
    states(4, popping.throw(ConnectionLost("cut")))
    found = [[b"completed", b"t"], [b"active", b"t"], [None, b"t"], [None, None]]
    # 0 has ended, 1 was started, 2 may be on the active list; 3 was lost by the server.
    assert asked(popping.send(found)) == b"".join(commands(RUNQY, "complete", 1))
    assert asked(popping.send([])) == b"".join(commands(RUNQY, "put_back", 2))
    popping.send([])
    assert (driver.completed, driver.worker.in_flight) == (2, 0)


@pytest.mark.parametrize(
    ("layout", "result", "shows_end"),
    [(RUNQY, None, False), (ASYNQ, None, True), (ASYNQ, b"{}", False)],
    ids=["runqy", "asynq", "asynq-stored"],
)
def test_that_a_task_is_gone_shows_its_end_only_where_that_deletes_it(
    layout: Layout, result: bytes | None, shows_end: bool
) -> None:
    """Elsewhere a server that was emptied has lost it."""
    moves = QueueMoves.of(layout, HIGH, result, 1.0)
    for move in (moves.end(AttemptOutcome.COMPLETED), moves.whole(AttemptOutcome.COMPLETED)):
        assert (None in move.reached) == shows_end


def test_a_failed_attempt_at_a_task_that_is_gone_is_followed_by_no_other() -> None:
    driver = Driver(prefetch=16, failure_rate=1.0)
    popping = driver.coroutines[0]
    started(driver, 0)
    states(1, popping.throw(ConnectionLost("cut")))
    popping.send([[None, None]])
    assert (driver.worker.waiting_retry, driver.worker.in_flight) == (0, 0)


def test_a_move_on_a_connection_that_is_lost_again_and_again_is_finished_in_the_end() -> None:
    driver = Driver(prefetch=12, service_time=Distribution("constant", mean=0.3))
    popping = driver.coroutines[0]
    started(driver, 0)
    for _ in range(3):
        states(1, popping.throw(ConnectionLost("cut")))
    operation = popping.send([[b"active", b"t"]])
    assert not isinstance(operation, RequestNoReply)  # the task is in service
    finishing = driver.coroutines[-2]
    next(finishing)
    driver.clock.advance(300_000)
    assert asked(finishing.send(None)) == b"".join(commands(RUNQY, "complete", 0))
    states(1, finishing.throw(ConnectionLost("cut")))
    again = finishing.send([[b"active", b"t"]])
    assert asked(again) == b"".join(commands(RUNQY, "complete", 0))
    finishing.send([])
    assert driver.completed == 1


# What an end leaves.


def undone(driver: Driver) -> list[Sequence[str | bytes]]:
    return [tuple(command) for command in driver.worker.undo()]


def test_tasks_that_nothing_was_written_about_are_pushed_again() -> None:
    driver = Driver(prefetch=12)
    popping = driver.coroutines[0]
    next(popping)
    popping.send([[KEY, [task_id(0), task_id(1)]]])
    assert undone(driver) == [("RPUSH", KEY.decode(), task_id(1), task_id(0))]


def test_tasks_with_unanswered_commands_are_left_as_they_are() -> None:
    driver = Driver(prefetch=12)
    started(driver, 0, 1)
    assert undone(driver) == []


@pytest.mark.parametrize("prefetch", [1, 12])
def test_tasks_in_service_are_put_back(prefetch: int) -> None:
    driver = Driver(prefetch=prefetch, service_time=Distribution("constant", mean=60.0))
    popping = driver.coroutines[0]
    next(popping)
    names = [task_id(0)] if prefetch == 1 else [task_id(0), task_id(1)]
    popping.send([[KEY, task_id(0) if prefetch == 1 else names]])
    operation = popping.send([fields() for _ in names])
    while isinstance(operation, RequestNoReply):
        operation = popping.send([])
    expected = [
        command
        for name in reversed(names)
        for command in RUNQY.put_back(Reservation(HIGH, name.decode(), START_US // 1_000_000))
    ]
    assert driver.worker.undo() == expected
    assert driver.completed == 0


def test_failed_tasks_that_wait_for_their_next_attempt_are_made_visible() -> None:
    driver = Driver(prefetch=4, failure_rate=1.0)
    operation = driver.take([0], max_retry=3)
    while isinstance(operation, RequestNoReply):
        operation = driver.coroutines[0].send([])
    requeue = RUNQY.requeue(Reservation(HIGH, task_id(0).decode(), START_US // 1_000_000))
    assert driver.worker.undo() == list(requeue)


def put_back(*names: tuple[str, int]) -> list[Sequence[str | bytes]]:
    return [
        command
        for queue, number in names
        for command in RUNQY.put_back(
            Reservation(queue, task_id(number).decode(), START_US // 1_000_000)
        )
    ]


def test_tasks_whose_last_commands_are_not_sent_yet_are_put_back_at_the_end() -> None:
    """Tasks of two queues have ended at the same moment, and those of one are being sent."""
    driver = Driver(prefetch=16, concurrency=4, service_time=Distribution("constant", mean=0.3))
    for popping, queue, number in zip(driver.coroutines, (HIGH, DEFAULT), (0, 1), strict=False):
        next(popping)
        popping.send([[RUNQY.pending(queue).encode(), [task_id(number)]]])
        popping.send([fields()])
        popping.send([])
    finishing = driver.coroutines[-2]
    next(finishing)
    driver.clock.advance(300_000)
    assert task_id(0) in asked(finishing.send(None))
    assert driver.worker.undo() == put_back((DEFAULT, 1))
    assert (driver.worker.in_flight, driver.worker.unanswered) == (2, 1)
    assert task_id(1) in asked(finishing.send([]))
    finishing.send([])
    assert (driver.worker.in_flight, driver.worker.unanswered) == (0, 0)


def test_a_stop_loses_sight_of_no_task_that_no_slot_has_begun() -> None:
    """While those of one queue are on their way back, those of the other can still be put back."""
    driver = Driver(prefetch=16, service_time=Distribution("constant", mean=0.3))
    for popping, queue, numbers in zip(
        driver.coroutines, (HIGH, DEFAULT), ([0, 1], [2, 3]), strict=False
    ):
        next(popping)
        popping.send([[RUNQY.pending(queue).encode(), [task_id(each) for each in numbers]]])
        popping.send([fields()] * 2)
        popping.send([])
    finishing = driver.coroutines[-2]
    next(finishing)
    driver.worker.stopping = True
    for popping in driver.coroutines[:4]:
        popping.close()
    assert task_id(1) in asked(finishing.send(None))
    assert driver.worker.undo() == put_back((DEFAULT, 3), (DEFAULT, 2), (HIGH, 0))
    assert (driver.worker.in_flight, driver.worker.unanswered) == (4, 1)


def test_failed_tasks_of_a_queue_whose_turn_has_not_come_are_made_visible_at_the_end() -> None:
    driver = Driver(prefetch=16, failure_rate=1.0)
    for popping, queue, number in zip(driver.coroutines, (HIGH, DEFAULT), (0, 1), strict=False):
        next(popping)
        popping.send([[RUNQY.pending(queue).encode(), [task_id(number)]]])
        popping.send([fields(max_retry=3)])
        popping.send([])
    requeueing = driver.coroutines[-1]
    next(requeueing)
    driver.worker.stopping = True
    sent = asked(requeueing.send(None))
    (first, second), queues = sorted((0, 1), key=lambda each: task_id(each) not in sent), QUEUES
    queue = [HIGH, DEFAULT][second]
    assert queue in queues
    left = Reservation(queue, task_id(second).decode(), START_US // 1_000_000)
    assert driver.worker.undo() == list(RUNQY.requeue(left))
    assert (driver.worker.waiting_retry, driver.worker.unanswered) == (2, 1)
    assert task_id(first) in sent


@pytest.mark.parametrize("prefetch", [1, 12])
def test_a_stop_makes_failed_tasks_visible_with_one_request(prefetch: int) -> None:
    driver = Driver(prefetch=prefetch, failure_rate=1.0)
    popping = driver.coroutines[0]
    next(popping)
    for number in range(3):
        popping.send([[KEY, task_id(number) if prefetch == 1 else [task_id(number)]]])
        operation = popping.send([fields(max_retry=3)])
        while isinstance(operation, RequestNoReply):
            operation = popping.send([])
    requeueing = driver.coroutines[-1]
    next(requeueing)
    driver.worker.stopping = True
    sent = asked(requeueing.send(None))
    assert [task_id(number) in sent for number in range(3)] == [True] * 3


def test_of_several_runs_tasks_those_that_nothing_was_written_about_are_pushed_again() -> None:
    """The tasks of two runs came with one pop: those of the first are being started."""
    driver = Driver(prefetch=16)

    class TwoRuns:
        def split(self, task_ids: Sequence[bytes]) -> list[tuple[Any, Sequence[int]]]:
            return [(driver.recorder, [0, 2]), (driver.recorder, [1, 3])]

    driver.worker._lookup = TwoRuns()
    sent = asked(started(driver, 0, 1, 2, 3))
    assert [task_id(number) in sent for number in range(4)] == [True, False, True, False]
    assert undone(driver) == [("RPUSH", KEY.decode(), task_id(3), task_id(1))]


# Writes whose reply is lost.


def test_ids_that_are_given_back_are_on_the_list_once_although_the_reply_was_lost() -> None:
    """Whether or not the server had carried out the first request."""
    driver = Driver(prefetch=12, service_time=Distribution("constant", mean=0.3))
    popping = driver.coroutines[0]
    started(driver, 0, 1)
    popping.send([(0, WRONGTYPE), (2, WRONGTYPE)])
    pushed = resp.encode([("RPUSH", KEY.decode(), task_id(1), task_id(0))])
    assert asked(popping.send([[b"active", b"t"], [b"active", b"t"]])) == pushed
    again = popping.throw(ConnectionLost("cut"))
    taken_off = [("LREM", KEY.decode(), "-1", task_id(number)) for number in (0, 1)]
    assert asked(again) == resp.encode(taken_off) + pushed
    assert HIGH not in popped_keys(popping.send([]))


def test_a_task_that_was_put_aside_is_not_put_aside_again_although_the_reply_was_lost() -> None:
    """So that its failure is counted once."""
    driver = Driver(prefetch=12)
    popping = driver.coroutines[0]
    next(popping)
    popping.send([[KEY, [task_id(0), task_id(1), task_id(2)]]])
    broken = [b"retry", b"many"]
    popping.send([broken, broken, broken])
    states(3, popping.throw(ConnectionLost("cut")))
    again = popping.send([[b"archived", b"t"], [None, b"t"], [None, None]])
    reservation = Reservation(HIGH, task_id(1).decode(), START_US // 1_000_000)
    assert asked(again) == resp.encode(RUNQY.archive(reservation, "the task cannot be read"))
    popped_keys(popping.send([]))
    assert driver.worker.difficulties.unserved == {Unserved.UNREADABLE: 3}


def test_what_is_no_hash_is_on_the_active_list_once_although_the_reply_was_lost() -> None:
    driver = Driver(prefetch=12)
    popping = driver.coroutines[0]
    next(popping)
    popping.send([[KEY, [task_id(0)]]])
    left = asked(popping.send([error(WRONGTYPE)]))
    taken_off = resp.encode([("LREM", RUNQY.active(HIGH), "1", task_id(0))])
    assert asked(popping.throw(ConnectionLost("cut"))) == taken_off + left
    popped_keys(popping.send([]))


@pytest.mark.parametrize("is_done", [True, False])
def test_the_server_holds_an_id_once_that_was_pushed_back_twice(client: Any, is_done: bool) -> None:
    calls = ServerCalls(RUNQY, FakeClock(START_US), Difficulties(), one_by_one=False)
    names = [task_id(0), task_id(1)]
    client.rpush(KEY, b"behind")
    call = calls.push_back(HIGH, names, [undo_pop(RUNQY, HIGH, names)])

    def carry_out(operation: Operation) -> None:
        parser = hiredis.Reader()
        parser.feed(asked(operation))
        while (command := parser.gets()) is not False:
            client.execute_command(*command)

    first = next(call)
    if is_done:
        carry_out(first)
    carry_out(call.throw(ConnectionLost("cut")))
    assert client.lrange(KEY, 0, -1) == [b"behind", task_id(1), task_id(0)]

"""Coroutines on connections: what each is resumed with, and when. No server, and a clock that
moves only when told."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.clock import FakeClock
from bench.redisio import polling
from bench.redisio.connection import ConnectionLost
from bench.worker import event_loop
from bench.worker.event_loop import (
    FOREVER_US,
    Coroutine,
    CoroutineFactory,
    EventLoop,
    Operation,
    Reconnect,
    Request,
    RequestNoReply,
    Sleep,
    Wait,
)
from tests.redisio.stream import PairedStream

START_US = 1_000_000
LOST = "lost"


class Script:
    """A coroutine that yields given operations, and keeps what it is resumed with; ``LOST`` for a
    connection that was lost."""

    def __init__(self, *operations: Operation) -> None:
        self._operations = operations
        self.outcomes: list[Any] = []
        self.ended = False

    def __call__(self) -> Coroutine:
        for operation in self._operations:
            try:
                self.outcomes.append((yield operation))
            except ConnectionLost:
                self.outcomes.append(LOST)
        self.ended = True


class Loop:
    """An event loop at rest."""

    def __init__(self) -> None:
        self.clock = FakeClock(START_US)
        self.events = EventLoop(self.clock)
        self._streams: list[PairedStream] = []

    def add(self, factory: CoroutineFactory, **options: Any) -> PairedStream:
        stream = PairedStream(**options)
        self._streams.append(stream)
        self.events.add(factory, stream)
        return stream

    def reconnect(self) -> PairedStream:
        stream = PairedStream()
        self._streams.append(stream)
        self.events.reconnect(stream)
        return stream

    def turn(self, others: tuple[int, ...] = ()) -> list[int]:
        """One turn that does not wait."""
        return self.events.turn(self.clock.now_us(), others)

    def close(self) -> None:
        for stream in self._streams:
            stream.close()
            stream.peer.close()


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop()
    yield made
    made.close()


def messages(outcome: Any) -> list[Any]:
    """Replies with errors as their text."""
    return [str(reply) if isinstance(reply, Exception) else reply for reply in outcome]


def test_a_request_is_sent_at_once_and_resumed_with_its_replies(loop: Loop) -> None:
    script = Script(Request(b"PING\r\nGET x\r\n", 2))
    stream = loop.add(script)
    assert stream.requested() == b"PING\r\nGET x\r\n"
    loop.turn()
    assert script.outcomes == []
    stream.reply(b"+PONG\r\n$1\r\n7\r\n")
    loop.turn()
    assert script.outcomes == [[b"PONG", b"7"]]
    assert script.ended
    assert stream.closed
    assert not loop.events.running


@pytest.mark.parametrize("cut", range(1, 19))
def test_replies_may_arrive_in_any_pieces(loop: Loop, cut: int) -> None:
    script = Script(Request(b"x", 3))
    stream = loop.add(script)
    reply = b"*2\r\n$1\r\na\r\n:1\r\n$-1\r\n:22\r\n"
    stream.reply(reply[:cut])
    loop.turn()
    assert script.outcomes == []
    stream.reply(reply[cut:])
    loop.turn()
    assert script.outcomes == [[[b"a", 1], None, 22]]


def test_an_error_is_a_reply_among_others(loop: Loop) -> None:
    script = Script(Request(b"x", 3))
    stream = loop.add(script)
    stream.reply(b":1\r\n-WRONGTYPE no list\r\n:3\r\n")
    loop.turn()
    assert messages(script.outcomes[0]) == [1, "WRONGTYPE no list", 3]


@pytest.mark.parametrize(
    ("reply", "errors"),
    [
        (b":1\r\n+OK\r\n:0\r\n", []),
        (b":1\r\n-OOM no room\r\n-NOPERM no\r\n", [(1, "OOM no room"), (2, "NOPERM no")]),
    ],
)
def test_commands_without_a_reply_to_read_are_resumed_with_their_errors_alone(
    loop: Loop, reply: bytes, errors: list[tuple[int, str]]
) -> None:
    script = Script(RequestNoReply(b"x", 3))
    stream = loop.add(script)
    for piece in (reply[:7], reply[7:]):
        assert script.outcomes == []
        stream.reply(piece)
        loop.turn()
    assert script.outcomes == [errors]


def test_a_coroutine_goes_on_from_one_operation_to_the_next_on_the_same_connection(
    loop: Loop,
) -> None:
    script = Script(Request(b"a", 1), RequestNoReply(b"b", 1), Request(b"c", 1))
    stream = loop.add(script)
    for sent, reply in ((b"a", b":1\r\n"), (b"b", b":2\r\n"), (b"c", b":3\r\n")):
        assert stream.requested() == sent
        stream.reply(reply)
        loop.turn()
    assert script.outcomes == [[1], [], [3]]
    assert script.ended


def test_a_sleep_ends_at_its_moment_and_not_before(loop: Loop) -> None:
    script = Script(Sleep(START_US + 100))
    loop.add(script)
    loop.clock.advance(99)
    loop.turn()
    assert not script.ended
    loop.clock.advance(1)
    loop.turn()
    assert script.ended
    assert script.outcomes == [None]


def test_sleeps_end_in_the_order_of_their_moments_and_equal_ones_in_that_of_their_beginning(
    loop: Loop,
) -> None:
    order: list[str] = []

    def sleeper(name: str, until_us: int) -> CoroutineFactory:
        def coroutine() -> Coroutine:
            yield Sleep(until_us)
            order.append(name)

        return coroutine

    for name, after_us in (("c", 30), ("a", 10), ("b1", 20), ("b2", 20)):
        loop.add(sleeper(name, START_US + after_us))
    loop.clock.advance(100)
    loop.turn()
    assert order == ["a", "b1", "b2", "c"]


def test_waking_all_ends_every_wait_once_and_no_request(loop: Loop) -> None:
    soon, forever = Script(Wait(START_US + 100), Wait()), Script(Wait())
    asking = Script(Request(b"x", 1))
    for script in (soon, forever, asking):
        loop.add(script)
    loop.events.wake_all()
    loop.turn()
    assert (soon.outcomes, forever.ended, asking.outcomes) == ([None], True, [])
    loop.clock.advance(1000)  # the moment of the first wait is past: that one has ended already
    loop.turn()
    assert soon.outcomes == [None]
    assert not soon.ended


def test_a_sleep_does_not_end_before_its_moment_whatever_wakes_the_loop(loop: Loop) -> None:
    """A task in service stays there for its whole service time."""
    sleeping, waiting = Script(Sleep(START_US + 100)), Script(Wait(START_US + 500))
    asking = Script(Request(b"x", 1), Wait())
    for script in (sleeping, waiting):
        loop.add(script)
    stream = loop.add(asking)
    for wake in (loop.events.wake_all, lambda: stream.reply(b":1\r\n"), loop.events.wake_all):
        loop.clock.advance(33)
        wake()
        loop.turn()
        assert not sleeping.ended
    assert waiting.ended
    loop.clock.advance(1)
    loop.turn()
    assert sleeping.ended


@given(
    st.lists(
        st.tuples(st.sampled_from(["sleep", "wait"]), st.integers(0, 300)), min_size=1, max_size=6
    ),
    st.lists(st.tuples(st.booleans(), st.integers(0, 60)), max_size=20),
)
def test_no_sleep_is_shorter_than_it_was_asked_to_be(
    pauses: list[tuple[str, int]], steps: list[tuple[bool, int]]
) -> None:
    made = Loop()
    ended: list[tuple[str, int, int]] = []

    def pausing() -> Coroutine:
        for kind, length_us in pauses:
            until_us = made.clock.now_us() + length_us
            yield Sleep(until_us) if kind == "sleep" else Wait(until_us)
            ended.append((kind, until_us, made.clock.now_us()))

    made.add(pausing)
    for wakes, by_us in steps:
        made.clock.advance(by_us)
        if wakes:
            made.events.wake_all()
        made.turn()
    made.close()
    assert all(end_us >= until_us for kind, until_us, end_us in ended if kind == "sleep")


def test_a_coroutine_may_wake_the_others(loop: Loop) -> None:
    waiting = Script(Wait())
    loop.add(waiting)

    def waker() -> Coroutine:
        yield Request(b"x", 1)
        loop.events.wake_all()

    stream = loop.add(waker)
    stream.reply(b":1\r\n")
    loop.turn()
    loop.turn()
    assert waiting.ended


@pytest.mark.parametrize("operation", [Request(b"x", 1), RequestNoReply(b"x", 1)])
def test_a_coroutine_whose_connection_is_lost_goes_on_with_another_one(
    loop: Loop, operation: Operation
) -> None:
    losing, other = Script(operation, Request(b"z", 1)), Script(Request(b"y", 1))
    stream, kept = loop.add(losing), loop.add(other)
    stream.hang_up()
    loop.turn()
    assert (loop.events.running, loop.events.disconnected) == (2, 1)
    assert losing.outcomes == []  # it is for the loop's owner to find another connection
    assert stream.closed
    kept.reply(b":1\r\n")
    loop.turn()
    assert other.ended
    second = loop.reconnect()
    assert losing.outcomes == [LOST]
    assert second.requested() == b"z"
    second.reply(b":2\r\n")
    loop.turn()
    assert losing.outcomes == [LOST, [2]]
    assert not loop.events.running


def test_replies_that_arrived_before_the_connection_was_lost_are_delivered(loop: Loop) -> None:
    script = Script(Request(b"x", 1), Request(b"y", 1))
    stream = loop.add(script)
    stream.reply(b":1\r\n")
    stream.hang_up()
    loop.turn()
    assert script.outcomes == [[1]]
    loop.turn()
    assert loop.events.disconnected == 1


def test_a_connection_that_is_lost_while_sending_is_replaced_too(loop: Loop) -> None:
    script = Script(Sleep(START_US), Request(b"x", 1))
    stream = loop.add(script)
    stream.hang_up()
    loop.turn()
    assert loop.events.disconnected == 1
    loop.reconnect()
    assert script.outcomes == [None, LOST]


@pytest.mark.parametrize(
    "reply",
    [
        b"!!garbage\r\n",
        b"HTTP/1.1 400 Bad Request\r\n",
        b":1\r\n:2\r\n",
        b":1\r\n:",
        b"$-7\r\n",
    ],
)
@pytest.mark.parametrize("operation", [Request(b"x", 1), RequestNoReply(b"x", 1)])
def test_a_connection_that_delivers_what_answers_no_command_is_given_up(
    loop: Loop, operation: Operation, reply: bytes
) -> None:
    """Whatever came after it could be taken for the answer to another command."""
    script = Script(operation)
    loop.add(script).reply(reply)
    loop.turn()
    assert loop.events.disconnected == 1
    loop.reconnect()
    assert script.outcomes == [LOST]


@pytest.mark.parametrize("pause", [Sleep(START_US + 100), Wait(START_US + 100)])
def test_a_reply_to_nothing_is_not_taken_for_the_answer_to_the_next_command(
    loop: Loop, pause: Operation
) -> None:
    script = Script(Request(b"x", 1), pause, Request(b"y", 1))
    stream = loop.add(script)
    stream.reply(b":1\r\n")
    loop.turn()
    stream.reply(b":2\r\n")
    loop.clock.advance(100)
    loop.turn()
    assert loop.events.disconnected == 1
    assert stream.requested() == b"x"
    loop.reconnect()
    assert script.outcomes == [[1], None, LOST]


def test_a_coroutine_can_give_up_its_connection(loop: Loop) -> None:
    script = Script(Request(b"x", 1), Reconnect(), Request(b"y", 1))
    stream = loop.add(script)
    stream.reply(b":1\r\n")
    loop.turn()
    assert stream.closed
    assert loop.events.disconnected == 1
    assert loop.reconnect().requested() == b"y"
    assert script.outcomes == [[1], LOST]


def test_what_the_socket_does_not_take_is_sent_as_it_drains_and_holds_up_nobody(
    loop: Loop,
) -> None:
    data = b"x" * 1_000_000
    large, small = Script(Request(data, 1)), Script(Request(b"y", 1))
    stream, other = loop.add(large, buffer_bytes=4096), loop.add(small)
    assert stream.unsent_bytes > 0
    other.reply(b":1\r\n")
    loop.turn()
    assert small.ended
    arrived = b""
    while len(arrived) < len(data):
        arrived += stream.requested()
        loop.turn()
    assert arrived == data
    assert stream.unsent_bytes == 0
    stream.reply(b":2\r\n")
    loop.turn()
    assert large.outcomes == [[2]]


def test_a_connection_that_is_lost_with_bytes_left_to_send_is_not_written_to_again(
    loop: Loop,
) -> None:
    script = Script(Request(b"x" * 1_000_000, 1))
    stream = loop.add(script, buffer_bytes=4096)
    stream.hang_up()
    loop.turn()
    assert loop.events.disconnected == 1
    loop.turn()
    assert stream.unsent_bytes == 0


def test_every_coroutine_with_a_reply_gets_its_turn(loop: Loop) -> None:
    """One that is answered at once, again and again, holds up none that is answered too."""
    busy = Script(*(Request(b"x", 1) for _ in range(100)))
    others = [Script(Request(b"y", 1)) for _ in range(5)]
    stream = loop.add(busy)
    streams = [loop.add(script) for script in others]
    stream.reply(b":1\r\n")
    for other in streams:
        other.reply(b":1\r\n")
    loop.turn()
    assert [script.ended for script in others] == [True] * 5
    assert len(busy.outcomes) == 1


def test_a_run_of_turns_ends_when_its_owner_has_something_to_do(loop: Loop) -> None:
    """A coroutine has ended or lost its connection, another descriptor is readable, or it is
    time."""
    reading, writing = os.pipe()
    later_us = START_US + 3_600_000_000
    outcomes: list[Any] = []

    def ending() -> Coroutine:
        for number in range(3):
            outcomes.append((yield Request(b"x", 1)))
            stream.reply(b":%d\r\n" % number)

    losing = Script(Request(b"y", 1))
    stream, other = loop.add(ending), loop.add(losing)
    stream.reply(b":7\r\n")
    assert loop.events.run(later_us, [reading]) == []
    assert (outcomes, loop.events.running) == ([[7], [0], [1]], 1)
    other.hang_up()
    assert loop.events.run(later_us, [reading]) == []
    assert loop.events.disconnected == 1
    os.write(writing, b"x")
    assert loop.events.run(later_us, [reading]) == [reading]
    assert loop.events.run(loop.clock.now_us(), []) == []
    for descriptor in (reading, writing):
        os.close(descriptor)


class AnsweringStream(PairedStream):
    """A server that answers each request before it is even sent completely."""

    def send(self, data: memoryview | bytes) -> None:
        super().send(data)
        self.reply(b":1\r\n")


def test_a_coroutine_that_is_always_answered_at_once_leaves_the_others_their_time(
    loop: Loop,
) -> None:
    """Control messages are seen, a run of turns ends when it should, and sleeps do too."""
    reading, writing = os.pipe()
    os.write(writing, b"x")
    ended_us: list[int] = []
    outcomes: list[Any] = []

    def busy() -> Coroutine:
        while True:
            outcomes.append((yield RequestNoReply(b"x", 1)))
            loop.clock.advance(10)

    def sleeping() -> Coroutine:
        yield Sleep(START_US + 10_000)
        ended_us.append(loop.clock.now_us())

    stream = AnsweringStream()
    loop.events.add(busy, stream)
    assert loop.events.run(START_US + 3_600_000_000, [reading]) == [reading]
    os.read(reading, 1)
    assert loop.events.run(START_US + 5_000, [reading]) == []
    assert loop.clock.now_us() - START_US == pytest.approx(5_000, abs=500)
    loop.add(sleeping)
    loop.events.run(START_US + 20_000, [reading])
    assert ended_us == [START_US + 10_000]
    assert not any(outcomes)
    for end in (reading, writing):
        os.close(end)
    stream.close()
    stream.peer.close()


def test_others_that_can_be_read_are_returned_and_those_that_cannot_are_not(loop: Loop) -> None:
    reading, writing = os.pipe()
    quiet, end = os.pipe()
    script = Script(Request(b"x", 1))
    loop.add(script).reply(b":1\r\n")
    os.write(writing, b"x")
    assert loop.turn((reading, quiet)) == [reading]
    assert script.ended
    for descriptor in (reading, writing, quiet, end):
        os.close(descriptor)


def test_the_server_s_ids_are_those_of_connections_that_wait_for_a_reply(loop: Loop) -> None:
    loop.add(Script(Request(b"x", 1, may_block=True)), client_id=11)
    loop.add(Script(Request(b"x", 1)), client_id=None)
    loop.add(Script(Sleep(FOREVER_US)), client_id=13)
    answered = loop.add(Script(Request(b"x", 1), Sleep(FOREVER_US)), client_id=14)
    answered.reply(b":1\r\n")
    loop.turn()
    assert loop.events.client_ids == [11]


def test_once_the_prompt_reply_has_come_the_loop_watches_closely_no_more(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[bool] = []

    def wait_for(*arguments: Any) -> tuple[list[int], list[int]]:
        waits.append(arguments[-1])
        return polling.wait_for(*arguments)

    monkeypatch.setattr(event_loop, "wait_for", wait_for)
    stream = loop.add(Script(Request(b"x", 1), Sleep(FOREVER_US)))
    lost = loop.add(Script(Request(b"x", 1)))
    stream.reply(b":1\r\n")
    lost.hang_up()
    loop.turn()
    loop.turn()
    assert waits == [True, False]


@pytest.mark.parametrize(
    ("operations", "expects_answer"),
    [
        ([Request(b"x", 1)], True),
        ([RequestNoReply(b"x", 1)], True),
        ([Request(b"x", 1, may_block=True)], False),
        ([Sleep(FOREVER_US)], False),
        ([Request(b"x", 1, may_block=True), Request(b"x", 1)], True),
    ],
)
def test_the_loop_watches_closely_only_while_a_prompt_reply_is_due(
    loop: Loop, monkeypatch: pytest.MonkeyPatch, operations: list[Operation], expects_answer: bool
) -> None:
    waits: list[bool] = []

    def wait_for(*arguments: Any) -> tuple[list[int], list[int]]:
        waits.append(arguments[-1])
        return [], []

    monkeypatch.setattr(event_loop, "wait_for", wait_for)
    for operation in operations:
        loop.add(Script(operation))
    loop.turn()
    assert waits == [expects_answer]


@pytest.mark.parametrize(
    ("sleep_us", "until_us", "timeout_s"),
    [(50, 200, 50e-6), (200, 50, 50e-6), (-5, 200, 0.0), (FOREVER_US - START_US, 70, 70e-6)],
)
def test_the_loop_waits_until_the_next_sleep_ends_or_its_caller_wants_it_back(
    loop: Loop, monkeypatch: pytest.MonkeyPatch, sleep_us: int, until_us: int, timeout_s: float
) -> None:
    waits: list[float] = []

    def wait_for(*arguments: Any) -> tuple[list[int], list[int]]:
        waits.append(arguments[2])
        return [], []

    monkeypatch.setattr(event_loop, "wait_for", wait_for)
    loop.add(Script(Sleep(START_US + sleep_us)))
    loop.events.turn(START_US + until_us, ())
    assert waits == [pytest.approx(timeout_s)]

"""Replies of one connection that waits for replicas, however the network cuts them."""

import contextlib
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.clock import RunClock
from bench.measure.recorder import Interval
from bench.measure.window import time_line
from bench.producer import pipelined_connection
from bench.producer.durable_recorder import DurableRecorder
from bench.producer.durable_sink import DurableConnection, DurableSink
from bench.redisio.connection import ConnectionLost
from bench.wire.frames import Batch
from bench.workload.acknowledgement import Acknowledgement
from bench.workload.resolve import resolve
from bench.workload.scenario import Scenario
from tests.redisio.stream import PairedStream

CLOCK = RunClock(1_700_000_000_000_000)
WAIT = Acknowledgement(by="wait", replicas=2)
WAITAOF = Acknowledgement(by="waitaof", local=1, replicas=1)
TASK = b":1\r\n:1\r\n"
"""What a server answers to the two commands that enqueue a task."""


class Sending:
    """A sink with one connection, whose server is the test."""

    def __init__(self, wanted: Acknowledgement) -> None:
        self.stream = PairedStream()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pipelined_connection, "RawConnection", lambda _: self.stream)
            self.sink = DurableSink("", _scenario(), 7, 0, CLOCK, wanted)
        (self.connection,) = self.sink._senders
        line = time_line(CLOCK.now_us(), 0, 0)
        self.recorder = DurableRecorder(line, is_closed_loop=True)
        self._sent = 0

    def send(self, count: int) -> None:
        """Send the next tasks as one batch."""
        numbers = np.arange(self._sent, self._sent + count)
        self._sent += count
        due_us = np.full(count, CLOCK.now_us())
        batch = Batch(numbers, due_us, np.zeros(count, np.int64), [b"}"] * count)
        self.sink.send(self.sink.prepare(batch), 0, count, self.recorder)

    def take(self, data: bytes) -> None:
        """The server answers."""
        self.stream.reply(data)
        assert isinstance(self.connection, DurableConnection)
        self.connection.take_replies(CLOCK, self.recorder)

    @property
    def found(self) -> tuple[int, int, int, int]:
        """(enqueued, refused, not replicated, in flight)"""
        recorder = self.recorder
        missed = sum(recorder.not_replicated.values())
        return recorder.enqueued_count, recorder.refused_count, missed, recorder.in_flight


@contextlib.contextmanager
def started(wanted: Acknowledgement) -> Iterator[Sending]:
    """A connection that waits for this."""
    made = Sending(wanted)
    try:
        yield made
    finally:
        made.stream.close()
        made.stream.peer.close()


def _scenario() -> Scenario:
    fields = {"queues": {"a_b": 1}, "rate": "max", "tasks": 1000, "in_flight": 1}
    return resolve(fields)


@pytest.fixture
def sending() -> Iterator[Sending]:
    with started(WAIT) as made:
        yield made


@pytest.mark.parametrize(
    ("wanted", "answers"),
    [(WAIT, (b":2\r\n", b":1\r\n")), (WAITAOF, (b"*2\r\n:1\r\n:1\r\n", b"*2\r\n:0\r\n:1\r\n"))],
    ids=["wait", "waitaof"],
)
@given(data=st.data())
def test_however_the_replies_are_cut_each_task_is_counted_once(
    wanted: Acknowledgement, answers: tuple[bytes, bytes], data: st.DataObject
) -> None:
    """Three tasks that enough replicas have, two that they do not, and one that is refused."""
    refused = b"-OOM command not allowed\r\n:1\r\n"
    replies = TASK * 3 + answers[0] + TASK * 2 + answers[1] + refused + answers[0]
    cuts = sorted(data.draw(st.sets(st.integers(1, len(replies) - 1))))
    with started(wanted) as sending:
        for count in (3, 2, 1):
            sending.send(count)
        for start, stop in zip([0, *cuts], [*cuts, len(replies)], strict=True):
            sending.take(replies[start:stop])
        assert sending.found == (5, 1, 2, 0)
        assert sending.connection.in_flight == 0


def test_a_task_is_in_flight_until_its_wait_is_answered(sending: Sending) -> None:
    sending.send(2)
    sending.take(TASK * 2)
    assert sending.found == (2, 0, 0, 2)
    sending.take(b":2")
    assert sending.found == (2, 0, 0, 2)
    sending.take(b"\r\n")
    assert sending.found == (2, 0, 0, 0)


def test_what_a_lost_connection_leaves_is_enqueued_where_that_was_answered_and_else_unknown(
    sending: Sending,
) -> None:
    sending.send(2)
    sending.send(3)
    sending.take(TASK * 2)
    sending.recorder.connection_lost()
    assert sending.found == (2, 0, 2, 0)
    assert sending.recorder.take_unconfirmed() == [2, 3, 4]


@pytest.mark.parametrize(
    "message",
    [b"-ERR WAIT cannot be used with replica instances", b"-NOPERM no permissions", b"-LOADING"],
)
def test_a_wait_that_is_refused_counts_its_tasks_as_not_replicated(
    sending: Sending, message: bytes
) -> None:
    sending.send(2)
    sending.take(TASK * 2 + message + b"\r\n")
    assert sending.found == (2, 0, 2, 0)
    assert sending.recorder.first_error == message[1:].decode()


@pytest.mark.parametrize("message", [b"-READONLY You can't write", b"-LOADING Redis is loading"])
@pytest.mark.parametrize("refuses_wait", [True, False])
def test_a_server_that_is_no_master_any_more_is_left(
    sending: Sending, message: bytes, refuses_wait: bool
) -> None:
    sending.send(1)
    reply = message + b"\r\n"
    sending.take(TASK + reply if refuses_wait else reply * 2 + b":0\r\n")
    assert sending.connection.leads_elsewhere


@pytest.mark.parametrize("wanted", [WAIT, WAITAOF], ids=["wait", "waitaof"])
@pytest.mark.parametrize(
    "reply", [b"+OK\r\n" * 3, b"$1\r\nx\r\n+\r\n", b"*1\r\n:1\r\n:1\r\n", b":x\r\n:1\r\n:1\r\n"]
)
def test_what_is_no_answer_to_a_wait_is_a_lost_connection(
    wanted: Acknowledgement, reply: bytes
) -> None:
    """Not an error that ends the producer, and no task that counts as replicated."""
    with started(wanted) as sending:
        sending.send(1)
        with pytest.raises(ConnectionLost):
            sending.take(TASK + reply)
        assert not sending.recorder.latency_counts().get(Interval.DURABLE)


@pytest.mark.parametrize("reply", [TASK + b":2\r\n:2\r\n", b":1\r\n" * 9])
def test_more_replies_than_commands_are_a_lost_connection(sending: Sending, reply: bytes) -> None:
    sending.send(1)
    with pytest.raises(ConnectionLost):
        sending.take(reply)

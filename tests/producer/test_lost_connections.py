"""A producer's ledger against every byte, where sockets take bytes in part, replies come in pieces
and connections end at any moment."""

import contextlib
import socket
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bench.clock import RunClock
from bench.measure.ledger import Evidence, account
from bench.measure.window import time_line
from bench.producer.recorder import ProducerRecorder
from bench.producer.sinks import FrameSink
from bench.redisio.connection import ConnectionLost
from bench.wire.frames import Batch, Frame
from bench.wire.ids import ID_LENGTH, parse_id
from bench.workload.resolve import resolve
from tests.producer.sockets import AnsweredAndReset, OverSocket, Scripted

CLOCK = RunClock(1_700_000_000_000_000)
COMMANDS = {"runqy": 2, "asynq": 2, "runqy-server": 5}
"""Commands that enqueue a task, by layout."""


class Producing:
    """A sink and its recorder, which go on with new connections as a producer does."""

    def __init__(self, layout: str, connections: int) -> None:
        """With no connections in an open loop, which has one."""
        load = {"rate": "max", "in_flight": connections} if connections else {"rate": 1000}
        queue = "a_b" if layout == "runqy" else "a.b"
        scenario = resolve({"layout": layout, "queues": {queue: 1}, "tasks": 1000, **load})
        self.is_closed_loop = connections > 0
        self.recorder = ProducerRecorder(time_line(CLOCK.now_us(), 0, 0), self.is_closed_loop)
        self.sink = FrameSink("redis://127.0.0.1:1/0", scenario, 77, 0, CLOCK)
        self.due = 0
        self._prepared: Frame | None = None
        self._next = 0

    def send(self, count: int) -> None:
        """Send the next tasks: in a closed loop a batch, else a part of the prepared one."""
        if self._prepared is None or self._next == len(self._prepared.tasks):
            size = count if self.is_closed_loop else 7
            numbers = np.arange(self.due, self.due + size)
            due_us, bodies = np.full(size, CLOCK.now_us()), [b"}"] * size
            batch = Batch(numbers, due_us, np.zeros(size, np.int64), bodies)
            self._prepared, self._next = self.sink.prepare(batch), 0
        start = self._next
        self._next = min(start + count, len(self._prepared.tasks))
        self.due += self._next - start
        frame = self._prepared
        self._go_on(lambda: self.sink.send(frame, start, self._next, self.recorder))

    def wait(self) -> None:
        """Look at once for what can be read and written."""
        control, other = socket.socketpair()
        with control, other:
            self._go_on(lambda: self.sink.wait(0, self.recorder, control.fileno()))

    def _go_on(self, step: Callable[[], object]) -> None:
        try:
            step()
        except ConnectionLost:
            self.recorder.connection_lost()
            self.sink.reconnect()


@contextlib.contextmanager
def producing(layout: str, connections: int, sockets: Iterator[Any]) -> Iterator[Producing]:
    """A producer whose connections are over these sockets."""

    def opened(_: str) -> OverSocket:
        return OverSocket(next(sockets))

    with (
        mock.patch("bench.producer.sinks.load_scripts_again"),
        mock.patch("bench.producer.pipelined_connection.RawConnection", opened),
    ):
        one = Producing(layout, connections)
        yield one
        one.sink.close()


def fates(sockets: Sequence[Scripted], per_task: int) -> tuple[set[int], set[int], set[int]]:
    """The tasks of which a command left whole, and those that were accepted and refused as far as
    replies have arrived."""
    begun: set[int] = set()
    accepted: set[int] = set()
    refused: set[int] = set()
    for each in sockets:
        heard: defaultdict[int, list[bool]] = defaultdict(list)
        for index, command in enumerate(each.commands):
            sequence = sequence_of(command)
            begun.add(sequence)
            if index < len(each.replies) and each.replies[index][0] <= each.delivered:
                heard[sequence].append(each.replies[index][1])
        for sequence, errors in heard.items():
            if len(errors) == per_task:
                (refused if any(errors) else accepted).add(sequence)
    return begun, accepted, refused


def sequence_of(command: Sequence[bytes]) -> int:
    found = [parse_id(each[-ID_LENGTH:].decode(errors="replace")) for each in command]
    (parsed,) = {each for each in found if each is not None}
    return parsed.sequence


_STEPS = st.one_of(
    st.tuples(st.just("send"), st.integers(1, 5)),
    st.tuples(st.just("make_room"), st.one_of(st.integers(1, 400), st.just(1 << 20))),
    st.tuples(st.just("answer"), st.lists(st.sampled_from([False] * 9 + [True]), max_size=9)),
    st.tuples(st.just("deliver"), st.one_of(st.integers(1, 9), st.just(1 << 20))),
    st.tuples(st.just("serve"), st.none()),
    st.tuples(st.just("wait"), st.none()),
    st.tuples(st.sampled_from(["cut", "end"]), st.none()),
)


def steps_of(text: str) -> list[tuple[tuple[str, Any], int]]:
    """Steps as words: ``send3``, ``serve`` on the first connection, ``cut'`` on the second."""
    steps: list[tuple[tuple[str, Any], int]] = []
    for word in text.split():
        call = word.rstrip("'")
        name = call.rstrip("0123456789")
        steps.append(((name, int(call[len(name) :]) if name != call else None), word.count("'")))
    return steps


@example(
    layout="asynq", connections=0, at_once=3, steps=steps_of("make_room9999 send3 serve cut send1")
)
@example(
    layout="runqy-server",
    connections=2,
    at_once=1 << 20,
    steps=steps_of("make_room9999 make_room9999' send2 send2 serve cut' send1 send1"),
)
@example(
    layout="runqy",
    connections=0,
    at_once=8,
    steps=steps_of("make_room200 send5 serve wait cut make_room50 send5 send5 serve wait send2"),
)
@given(
    layout=st.sampled_from([*COMMANDS]),
    connections=st.integers(0, 3),
    at_once=st.sampled_from([3, 8, 1 << 20]),
    steps=st.lists(st.tuples(_STEPS, st.integers(0, 2)), max_size=60),
)
def test_a_task_is_unknown_if_and_only_if_not_all_its_replies_have_arrived(
    layout: str, connections: int, at_once: int, steps: list[tuple[tuple[str, Any], int]]
) -> None:
    """And one of which anything has left is sent, however its connection ended meanwhile."""
    sockets: list[Scripted] = []

    def more() -> Iterator[Scripted]:
        while True:
            sockets.append(Scripted(at_once))
            yield sockets[-1]

    with producing(layout, connections, more()) as one:
        for (what, value), which in steps:
            if what == "send":
                one.send(value)
            elif what == "wait":
                one.wait()
            else:
                own = sockets[-max(connections, 1) :]
                act = getattr(own[which % len(own)], what)
                act() if value is None else act(value)
        one.wait()
        while any(each.unread for each in sockets[-max(connections, 1) :]):
            one.wait()
    ledger = one.recorder.ledger()
    begun, accepted, refused = fates(sockets, COMMANDS[layout])
    assert ledger.sent == one.due
    assert begun <= set(range(ledger.sent))
    assert set(ledger.refused.numbers().tolist()) == refused
    assert set(ledger.acknowledged.numbers().tolist()) == accepted | refused
    evidence = Evidence(["q"], lambda _, own: np.zeros_like(own), {0: ledger}, [], {}, {})
    counts = account(evidence)["q"]
    assert counts.unknown == ledger.sent - len(accepted) - len(refused)
    assert (counts.enqueued, counts.refused) == (len(accepted), len(refused))


@pytest.mark.parametrize("is_noticed_by", ["receiving", "sending"])
def test_what_follows_a_reply_to_no_command_answers_no_task(is_noticed_by: str) -> None:
    garbage = b"!!x\r\n"
    own = Scripted(at_once=len(garbage))
    with producing("asynq", 0, iter([own, Scripted()])) as one:
        own.make_room(1 << 20)
        one.send(2)
        own.say(garbage + b":3\r\n:1\r\n" * 2)
        if is_noticed_by == "sending":
            own.cut()
            one.send(1)
        else:
            one.wait()
    ledger = one.recorder.ledger()
    assert ledger.sent == (3 if is_noticed_by == "sending" else 2)
    assert not len(ledger.acknowledged)


@pytest.mark.skipif(sys.platform != "linux", reason="others forget what they received, when reset")
def test_what_was_answered_before_a_reset_is_known_though_a_send_notices_it() -> None:
    real = AnsweredAndReset()
    with producing("asynq", 0, iter([real.client, Scripted()])) as one:
        one.send(3)
        real.answer_and_reset(b":3\r\n:1\r\n" * 2 + b":3\r\n")
        one.send(1)
    ledger = one.recorder.ledger()
    assert ledger.sent == 4
    assert ledger.acknowledged.numbers().tolist() == [0, 1]

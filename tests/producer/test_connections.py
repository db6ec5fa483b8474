"""A producer's connections to a real server that forgets, cuts and forbids."""

import re
import socket
from typing import Any

import numpy as np
import pytest

from bench.clock import RunClock
from bench.measure.window import time_line
from bench.producer.make_sink import make_sink
from bench.producer.pipelined_connection import PipelinedConnection
from bench.producer.recorder import ProducerRecorder
from bench.producer.sinks import Sink
from bench.redisio.backlog import BacklogReader
from bench.redisio.connection import ConnectionLost
from bench.wire.answers import Answers
from bench.wire.frames import Batch
from bench.workload.resolve import resolve
from tests.redisio.stream import PairedStream

RUN = 77
CLOCK = RunClock(1_700_000_000_000_000)


class Sending:
    """A sink, and what became of the tasks that it was given."""

    def __init__(self, url: str, **fields: object) -> None:
        queue = "inference_default" if "layout" not in fields else "inference.default"
        chosen = {"queues": {queue: 1}, "rate": 1000, "tasks": 1000, **fields}
        self.recorder = ProducerRecorder(time_line(CLOCK.now_us(), 0, 0), is_closed_loop=False)
        self.sink: Sink[Any] = make_sink(url, resolve(chosen), RUN, 0, CLOCK)
        self._sent = 0

    def send(self, count: int) -> None:
        """Send tasks, and wait for their replies."""
        numbers = np.arange(self._sent, self._sent + count)
        self._sent += count
        due_us = np.full(count, CLOCK.now_us())
        bodies: list[bytes] = [b"}"] * count
        batch = Batch(numbers, due_us, np.zeros(count, np.int64), bodies)
        self.sink.send(self.sink.prepare(batch), 0, count, self.recorder)
        reading, writing = socket.socketpair()
        with reading, writing:
            while self.recorder.in_flight:
                self.sink.wait(CLOCK.now_us() + 1_000_000, self.recorder, reading.fileno())

    @property
    def counts(self) -> tuple[int, int]:
        """(enqueued, refused)"""
        return self.recorder.enqueued_count, self.recorder.refused_count


PRODUCERS = ["frames", "redis-py"]


@pytest.mark.parametrize("producer", PRODUCERS)
@pytest.mark.parametrize("layout", ["asynq", "runqy-server"])
def test_scripts_that_the_server_has_forgotten_are_loaded_again(
    client: Any, url: str, producer: str, layout: str
) -> None:
    client.script_flush()
    sending = Sending(url, layout=layout, duplicate_check=True, producer=producer)
    sending.send(5)
    assert sending.counts == (0, 5)
    sending.send(5)
    assert sending.counts == (5, 5)
    sending.sink.close()


@pytest.mark.parametrize("producer", [*PRODUCERS, "snippet"])
def test_a_task_whose_hash_is_refused_is_refused_though_its_id_is_taken(
    client: Any, url: str, producer: str
) -> None:
    client.acl_setuser("nohset", enabled=True, passwords=["+x"], keys=["*"], commands=["+@all"])
    client.execute_command("ACL", "SETUSER", "nohset", "-hset")
    sending = Sending(re.sub("://.*@", "://nohset:x@", url), producer=producer)
    sending.send(5)
    assert sending.counts == (0, 5)
    assert "hset" in sending.recorder.first_error
    sending.sink.close()


def test_a_backlog_is_read_by_another_connection_when_one_is_lost(client: Any, url: str) -> None:
    layout = resolve({"queues": {"a_b": 1}, "rate": 1, "tasks": 1}).wire_layout
    client.rpush(layout.pending("a_b"), 1, 2, 3)
    reader = BacklogReader(url, layout, ["a_b"])
    assert reader.longest() == 3
    own = client.client_id()
    for each in client.client_list():
        if int(each["id"]) != own:
            client.client_kill_filter(_id=each["id"])
    assert [reader.longest(), reader.longest()][-1] == 3
    client.set(layout.pending("a_b"), "no list")
    assert reader.longest() is None
    client.delete(layout.pending("a_b"))
    assert reader.longest() == 0
    reader.close()


@pytest.mark.parametrize("reply", [b"!!garbage\r\n", b":1\r\n:1\r\n:2\r\n", b"$1\r\nx\r\n"])
def test_replies_that_answer_no_command_are_a_lost_connection(
    monkeypatch: pytest.MonkeyPatch, reply: bytes
) -> None:
    """Not an error that ends the producer: what follows cannot be assigned to tasks."""
    stream = PairedStream()
    monkeypatch.setattr("bench.producer.pipelined_connection.RawConnection", lambda _: stream)
    connection = PipelinedConnection("", 0, lambda: Answers(2, by_command=False))
    recorder = ProducerRecorder(time_line(CLOCK.now_us(), 0, 0), is_closed_loop=False)
    connection._answers.expect(1)
    stream.reply(reply)
    with pytest.raises(ConnectionLost):
        connection.take_replies(CLOCK, recorder)
    stream.close()
    stream.peer.close()

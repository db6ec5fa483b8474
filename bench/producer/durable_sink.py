"""Sends frames, and after each a command that waits until its writes are replicated.

``WAIT`` and ``WAITAOF`` speak of the writes of their own connection, and the server runs nothing
else of that connection until they are answered. So there are several connections, and the next
tasks take one that waits for nothing; where all wait, the one with the fewest tasks in flight.
"""

from collections import deque
from dataclasses import dataclass

from bench.clock import Clock
from bench.producer.durable_recorder import DurableRecorder
from bench.producer.pipelined_connection import PipelinedConnection
from bench.producer.recorder import ProducerRecorder
from bench.producer.sinks import FrameSink
from bench.redisio.connection import ConnectionLost
from bench.wire.frames import Frame
from bench.wire.resp import encode
from bench.workload.acknowledgement import Acknowledgement
from bench.workload.scenario import Scenario

CONNECTIONS = 16
"""Of an open loop: batches that may wait at a time before one has to queue behind another."""
_END = b"\r\n"
_NO_ANSWER = "the server sent what answers no command"


@dataclass(slots=True)
class _Batch:
    """Tasks that were sent with one command that waits, and how many replies come before its."""

    tasks: int
    missing: int


class DurableConnection(PipelinedConnection):
    """A connection whose frames are each followed by a command that waits."""

    def __init__(self, url: str, number: int, sink: "DurableSink") -> None:
        super().__init__(url, number, sink.answers)
        self._wanted = sink.wanted
        self._wait = encode([sink.wanted.command])
        self._per_task = sink.replies_per_task
        self._expected: deque[_Batch] = deque()
        """What was sent and is not acknowledged as was asked for."""
        self._partial = b""

    def send(
        self, frame: Frame, start: int, stop: int, sent_us: int, recorder: ProducerRecorder
    ) -> None:
        """As any connection; then wait for these tasks. Raises ConnectionLost."""
        self._expected.append(_Batch(stop - start, (stop - start) * self._per_task))
        super().send(frame, start, stop, sent_us, recorder)
        self.raw.send(self._wait)

    def take_replies(self, clock: Clock, recorder: ProducerRecorder) -> bool:
        """Take the replies that have arrived, and record them; whether anything had arrived.

        Raises ConnectionLost.
        """
        data = self.raw.receive()
        *lines, self._partial = (self._partial + data).split(_END)
        now_us, at = clock.now_us(), 0
        while at < len(lines):
            if not self._expected:
                raise ConnectionLost(_NO_ANSWER)
            batch = self._expected[0]
            if batch.missing:
                taken = min(batch.missing, len(lines) - at)
                batch.missing -= taken
                self._record(_END.join([*lines[at : at + taken], b""]), now_us, recorder)
                at += taken
                continue
            used = self._take_wait(lines[at:], now_us, recorder)
            if not used:
                break
            self.in_flight -= self._expected.popleft().tasks
            at += used
        self._partial = _END.join([*lines[at:], self._partial])
        return bool(data)

    def _record(self, data: bytes, now_us: int, recorder: ProducerRecorder) -> None:
        """Record the server's own replies; the tasks stay in flight."""
        replies, answered = self._parse(data)
        self.note_errors(replies, recorder)
        if answered.tasks:
            recorder.answered(answered.tasks, now_us, answered.refused, self._number)
            if answered.ends_with_task:
                self.last_list_length = replies.last_number

    def _take_wait(self, lines: list[bytes], now_us: int, recorder: ProducerRecorder) -> int:
        """Take the reply to a command that waits; returns its lines, zero if it is not complete."""
        wanted, is_error = self._wanted, lines[0].startswith(b"-")
        head = [] if wanted.by == "wait" else [b"*2"]
        size = 1 if is_error else len(head) + (1 if wanted.by == "wait" else 2)
        if len(lines) < size:
            return 0
        local = replicas = 0
        if is_error:
            self.note_error(lines[0][1:].decode(errors="replace"), recorder)
        elif lines[: len(head)] != head:
            raise ConnectionLost(_NO_ANSWER)
        else:
            local, replicas = (0, *map(_number, lines[len(head) : size]))[-2:]
        assert isinstance(recorder, DurableRecorder)  # noqa: S101 - made by the same scenario
        is_as_asked = not is_error and local >= wanted.local and replicas >= wanted.replicas
        recorder.replicated(is_as_asked, now_us, self._number)
        return size


def _number(line: bytes) -> int:
    """The number of a reply. Raises ConnectionLost for another one."""
    if not line.startswith(b":") or not line[1:].isdigit():
        raise ConnectionLost(_NO_ANSWER)
    return int(line[1:])


class DurableSink(FrameSink):
    """A sink of frames whose tasks replicas, or append-only files, are to acknowledge."""

    def __init__(
        self,
        url: str,
        scenario: Scenario,
        run: int,
        number: int,
        clock: Clock,
        wanted: Acknowledgement,
    ) -> None:
        self.wanted = wanted
        super().__init__(url, scenario, run, number, clock)

    @property
    def replies_per_task(self) -> int:
        """Replies to the commands of a task."""
        return self._renderer.replies_per_task

    def _connect(self) -> None:
        if not self._is_closed_loop:
            self._connection_count = CONNECTIONS
        self.answers = self._renderer.answers
        self._senders = [
            DurableConnection(self._url, number, self) for number in range(self._connection_count)
        ]
        self._by_descriptor = {each.descriptor: each for each in self._senders}

"""A Locust process's part in one test: it is one of the run's producers.

Its users draw from one feed, so that whatever their number, and however Locust deals them to
processes, every task of the process's share is sent exactly once and in the order of due times.
"""

import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import gevent
import numpy as np
from gevent import Greenlet
from gevent.event import Event

from bench.clock import Offset, RunClock, host_identity
from bench.errors import BenchError, ServerUnreachable
from bench.ipc.messages import Begin, Failed, Ready, StartProducer, Stop
from bench.locust.connection import GeventConnection
from bench.locust.loop_lag import LoopLag
from bench.locust.messages import Ack, Assignment, CoordinatorMessage, Hello, WorkerMessage
from bench.measure.recorder import TimeLine
from bench.measure.reports import ProducerReport
from bench.producer.recorder import ProducerRecorder
from bench.producer.reporter import ProducerReporter
from bench.redisio import clock_sync
from bench.redisio.connection import open_client, translated_errors
from bench.wire import ids
from bench.wire.frames import Batch, FrameRenderer
from bench.workload.feed import Feed
from bench.workload.scenario import Scenario

TICK_US = 500
"""What is due within that of a task that is due goes with it: gevent sleeps in milliseconds."""
_REPORT_EVERY_S = 0.25
_LATENCY_COUNTS_EVERY = 4
_LAST_REPLIES_S = 5.0
_THANKS_S = 10.0
_RECONNECT_EVERY_S = 0.05
_RECONNECT_FOR_S = 10.0


class LocustProducer:
    """From the test's start to the final report. ``send`` sends a message to the coordinator;
    ``own_url`` is this process's own way to the server, None to use the coordinator's."""

    def __init__(
        self, test: int, send: Callable[[WorkerMessage], None], own_url: str | None
    ) -> None:
        self._test = test
        self._send_message = send
        self._own_url = own_url
        self._is_present = False
        self._begun = Event()
        self._over = Event()
        self._thanked = Event()
        self._stop_us: int | None = None
        self._connections: list[GeventConnection] = []
        self._connection_number = 0
        self._batches_taken = 0
        self._returned: deque[Batch] = deque()
        self._supervisor: Greenlet[..., None] | None = None
        self._lag = LoopLag()
        self._task: StartProducer | None = None

    # What the coordinator says.

    def receive(self, message: CoordinatorMessage) -> None:
        """Do what the coordinator says, in a greenlet of its own where that takes time."""
        if message.test != self._test:
            return
        what = message.message
        if isinstance(what, Assignment):
            self._supervisor = gevent.spawn(self._guarded, self._prepare, what)
        elif isinstance(what, Begin):
            self._supervisor = gevent.spawn(self._guarded, self._take_part, what.line)
        elif isinstance(what, Stop):
            self._stop()
        elif isinstance(what, Ack):
            self._thanked.set()

    # What users do.

    @property
    def scenario(self) -> Scenario:
        """The test's. Raises RuntimeError before it has begun."""
        return self._required_task().scenario

    @property
    def url(self) -> str:
        """This process's way to the server."""
        return self._own_url or self._required_task().url

    def now_us(self) -> int:
        """On the run's clock."""
        return self._clock.now_us()

    def id_of(self, sequence: int) -> str:
        """The id of a task of this process."""
        task = self._required_task()
        return ids.format_id(ids.TaskId(task.run, task.number, sequence))

    def enter(self) -> None:
        """A user is here: wait until the run begins, or for good if it never does for us."""
        if not self._is_present:
            self._is_present = True
            self._send(Hello(self._test, host_identity()))
        self._begun.wait()

    def wait_for_the_end(self) -> None:
        """Nothing is left to do: Locust ends the user."""
        self._over.wait()
        gevent.sleep(3600)

    def connection(self) -> GeventConnection:
        """A connection for a user. Raises ServerUnreachable."""
        self._connections = [connection for connection in self._connections if not connection.lost]
        self._connection_number += 1
        connection = GeventConnection(
            self.url,
            self._connection_number,
            self._renderer,
            self._recorder,
            self._clock,
            in_batches=self.scenario.is_closed_loop,
        )
        self._connections.append(connection)
        return connection

    def reconnect(self) -> GeventConnection:
        """In place of one that was lost: tried for a while. Raises ServerUnreachable."""
        self._reporter.reconnects += 1
        deadline_us = self.now_us() + round(_RECONNECT_FOR_S * 1e6)
        while True:
            try:
                return self.connection()
            except ServerUnreachable as error:
                if self.now_us() > deadline_us or self._stop_us is not None:
                    self._reporter.error = str(error)
                    raise
            gevent.sleep(_RECONNECT_EVERY_S)

    @contextlib.contextmanager
    def next_batch(self, most: int | None = None) -> Iterator[Batch | None]:
        """What is to be sent next, due at absolute times: at once in a closed loop, else when it
        is due. None when nothing is left.

        A batch that the user cannot send is another's: when Locust ends it while it waits, or the
        server is gone. Once it may have been sent, it is never sent again. A user who has no
        connection any more has nothing left to do, and gives its batch back before it waits.
        """
        batch = self._take(most or self.scenario.pipeline)
        if batch is None:
            yield None
            return
        self._batches_taken += 1
        may_be_sent = False
        failure: BenchError | None = None
        try:
            self._sleep_until(int(batch.due_us[-1]))
            may_be_sent = True
            yield batch
        except BenchError as error:  # no connection to send it on
            may_be_sent = False
            failure = error
        finally:
            self._batches_taken -= 1
            if not may_be_sent:
                self._returned.append(batch)
        if failure is not None:
            self.wait_for_the_end()
            raise failure

    def _take(self, most: int) -> Batch | None:
        if self._returned:
            return self._returned.popleft()
        next_due_us = self._feed.next_due_us()
        if next_due_us is None or self._is_past_stop(next_due_us):
            return None
        now_us = self.now_us()
        if self.scenario.is_closed_loop:
            if self._end_us is not None and now_us >= self._end_us:
                return None
            batch = self._feed.take(most)
            return replace(batch, due_us=np.full(len(batch), now_us))
        until_us = max(now_us - self._start_us, next_due_us + TICK_US)
        if self._stop_us is not None:
            until_us = min(until_us, self._stop_us - self._start_us)
        batch = self._feed.take(min(self._feed.count_due(until_us), most))
        return replace(batch, due_us=batch.due_us + self._start_us)

    def _is_past_stop(self, next_due_us: int) -> bool:
        """Whether the next task (due then, in µs after the start) is one too many."""
        if self._stop_us is None:
            return False
        return self.scenario.is_closed_loop or self._start_us + next_due_us > self._stop_us

    def _stop(self) -> None:
        if self._stop_us is None:
            self._stop_us = self.now_us() if self._begun.is_set() else 0

    def _sleep_until(self, moment_us: int) -> None:
        while (wait_us := moment_us - self.now_us()) > 0:
            gevent.sleep(wait_us / 1e6)

    # The process's own side.

    def finish(self) -> None:
        """The process is about to end: send what there is, and wait until it has arrived."""
        self._stop()
        if self._supervisor is not None and self._begun.is_set():
            self._supervisor.join(_LAST_REPLIES_S + 1)
            self._thanked.wait(_THANKS_S)

    def abandon(self) -> None:
        """The test is over."""
        if self._supervisor is not None:
            self._supervisor.kill(block=False)
        self._lag.end()
        for connection in self._connections:
            connection.close()

    def _required_task(self) -> StartProducer:
        if self._task is None:
            raise RuntimeError("the test has not begun")
        return self._task

    def _send(self, message: Hello | Ready | Failed | ProducerReport) -> None:
        self._send_message(WorkerMessage(self._test, message))

    def _guarded(self, step: Callable[[Any], None], argument: object) -> None:
        try:
            step(argument)
        except BenchError as error:
            self._send(Failed(str(error), int(error.exit_code)))

    def _prepare(self, assignment: Assignment) -> None:
        """Connect, and get ready what can be made before the run begins."""
        task = self._task = assignment.task
        shares_clock = bool(assignment.host) and assignment.host == host_identity()
        self._offset: Offset | None = None
        with open_client(self.url) as client, translated_errors(self.url):
            if not shares_clock:
                self._offset = clock_sync.measure_offset(client)
        self._clock = RunClock(self._offset.offset_us if self._offset else task.offset_us)
        scenario = task.scenario
        self._feed = Feed(scenario, task.number)
        self._renderer = FrameRenderer(
            scenario.wire_layout,
            list(scenario.queues),
            task.run,
            task.number,
            scenario.max_retry,
            by_command=scenario.is_closed_loop,
        )
        self._send(Ready())

    def _take_part(self, line: TimeLine) -> None:
        """Let the users go, report while they work, and close the books."""
        scenario = self.scenario
        self._start_us = line.start_us
        self._end_us: int | None = None
        if scenario.is_closed_loop and scenario.duration_s is not None:
            self._end_us = line.start_us + round(scenario.duration_s * 1e6)
        self._recorder = ProducerRecorder(line, scenario.is_closed_loop)
        self._reporter = ProducerReporter(self._required_task().number, self._recorder)
        self._sleep_until(self._start_us)
        self._reporter.begin()
        self._lag.begin()
        self._begun.set()
        reports = 0
        while not self._is_done():
            gevent.sleep(_REPORT_EVERY_S)
            self._reporter.with_latency_counts = reports % _LATENCY_COUNTS_EVERY == 0
            self._report(self._reporter.state())
            reports += 1
        self._over.set()
        # Whatever happens to the server now, what was measured must reach the coordinator.
        with contextlib.suppress(BenchError):
            self._send_what_was_returned()
        wait_s = scenario.drain_timeout_s if self._stop_us is None else _LAST_REPLIES_S
        deadline_us = self.now_us() + round(wait_s * 1e6)
        while (
            any(connection.in_flight for connection in self._connections)
            and self.now_us() < deadline_us
        ):
            gevent.sleep(0.001)
        self._reporter.with_latency_counts = True
        final = self._reporter.final(self._unsent())
        # Batches that no connection took lie between others that were sent. To reach those, the
        # range of what may have been sent covers them, too: unknown, rather than never due.
        stranded = sum(map(len, self._returned))
        final.due += stranded
        final.sent += stranded
        final.clock_error_us = self._clock_error_us()
        self._report(final)
        for connection in self._connections:
            connection.close()

    def _report(self, report: ProducerReport) -> None:
        report.loop_lag_p99_us = self._lag.p99_us()
        self._send(report)

    def _is_done(self) -> bool:
        """Whether all that is to be sent was sent."""
        if self._batches_taken:
            return False
        next_due_us = self._feed.next_due_us()
        if next_due_us is None or self._is_past_stop(next_due_us) or self._reporter.error:
            return True
        if self._stop_us is not None and self.now_us() > self._stop_us + _LAST_REPLIES_S * 1e6:
            return True
        return self._end_us is not None and self.now_us() >= self._end_us

    def _send_what_was_returned(self) -> None:
        """Batches whose users were ended before they were due, and that no other took."""
        if self._returned and not self._reporter.error:
            connection = self.connection()
            while self._returned and not connection.lost:
                connection.send(self._returned.popleft())

    def _unsent(self) -> int:
        if self.scenario.is_closed_loop:
            return 0
        end_us = self.now_us() if self._stop_us is None else self._stop_us
        return self._feed.due_by(end_us - self._start_us)

    def _clock_error_us(self) -> float:
        """Zero where the clock is the coordinator's; else the mapping's error and its drift.

        Without the drift, where the server is gone.
        """
        if self._offset is None:
            return 0.0
        try:
            with open_client(self.url) as client, translated_errors(self.url):
                again = clock_sync.measure_offset(client)
        except BenchError:
            return self._offset.error_us
        return self._offset.error_us + abs(again.offset_us - self._offset.offset_us)

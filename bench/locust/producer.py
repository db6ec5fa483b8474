"""A Locust process as one of the run's producers.

Its users draw from one feed, so that whatever their number, and however Locust distributes them
over processes, every task of the process's share is sent exactly once and in order of due times.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import gevent
from gevent import Greenlet
from gevent.event import Event
from gevent.lock import Semaphore

from bench.clock import host_identity
from bench.errors import BenchError, ServerUnreachable
from bench.ipc.messages import Begin, Failed, Ready, Stop
from bench.locust.gevent_connection import GeventConnection
from bench.locust.loop_lag import LoopLag
from bench.locust.messages import Ack, Assignment, CoordinatorMessage, Hello, ProcessMessage
from bench.locust.phases import (
    Assigned,
    Finished,
    Idle,
    Phase,
    Producing,
    Registered,
    assign,
    begin,
    note_clock,
)
from bench.locust.shared_feed import LAST_REPLIES_US
from bench.measure.reports import ProducerReport
from bench.measure.window import TimeLine
from bench.wire import ids
from bench.wire.frames import Batch
from bench.workload.scenario import Scenario

_REPORT_EVERY_S = 0.25
_LATENCY_COUNTS_EVERY = 4
"""One report in so many carries latency counts."""
_ACK_TIMEOUT_S = 10.0
_CONNECTING_AT_ONCE = 4
"""Users that open their connections at the same time before the run begins: where there are many
users, those in hand must not keep the first tasks waiting."""
_RECONNECT_EVERY_S = 0.05
_RECONNECT_FOR_S = 10.0


class LocustProducer:
    """One Locust process's part in one test, from the test's start to the final report.

    ``send`` sends a message to the coordinator; ``own_url`` is this process's own way to the
    server, None to use the coordinator's.
    """

    def __init__(
        self, test: int, send: Callable[[ProcessMessage], None], own_url: str | None
    ) -> None:
        self._test = test
        self._send_message = send
        self._own_url = own_url
        self._phase: Phase = Idle()
        self._stop_us: int | None = None
        self._about_to_begin = Event()
        self._begun = Event()
        self._over = Event()
        self._acknowledged = Event()
        self._connections: list[GeventConnection] = []
        self._connection_number = 0
        self._connecting = Semaphore(_CONNECTING_AT_ONCE)
        self._supervisor: Greenlet[..., None] | None = None
        self._loop_lag = LoopLag()

    # Messages of the coordinator.

    def receive(self, message: CoordinatorMessage) -> None:
        """Act on a message of the coordinator, in a greenlet of its own where that takes time."""
        if message.test != self._test:
            return
        content = message.message
        if isinstance(content, Assignment):
            self._supervisor = gevent.spawn(self._guarded, self._prepare, content)
        elif isinstance(content, Begin):
            self._supervisor = gevent.spawn(self._guarded, self._produce, content.line)
        elif isinstance(content, Stop):
            self._stop()
        elif isinstance(content, Ack):
            self._acknowledged.set()

    # Calls of users.

    @property
    def scenario(self) -> Scenario:
        """The test's scenario. Raises RuntimeError before the process has its assignment."""
        return self._assigned.scenario

    @property
    def url(self) -> str:
        """This process's way to the server. Raises RuntimeError before the assignment."""
        return self._assigned.url

    def now_us(self) -> int:
        """The time on the run's clock, in µs. Raises RuntimeError before the assignment."""
        return self._assigned.clock.now_us()

    def id_of(self, sequence: int) -> str:
        """The id of a task of this process. Raises RuntimeError before the assignment."""
        start = self._assigned.start
        return ids.format_id(ids.TaskId(start.run, start.number, sequence))

    def enter(self) -> GeventConnection | None:
        """Register a user, and wait until the run begins; for good if it never does.

        Returns a connection for the user, opened before the first task is due; None where there
        was no time for it, or no server, so that the user opens it with its first batch.
        """
        if isinstance(self._phase, Idle):
            self._phase = Registered()
            self._send(Hello(self._test, host_identity()))
        self._about_to_begin.wait()
        connection = None
        with self._connecting:
            if not self._begun.is_set():
                with contextlib.suppress(ServerUnreachable):
                    connection = self.connection()
        self._begun.wait()
        return connection

    def wait_for_the_end(self) -> None:
        """Wait until Locust ends the user, as nothing is left to do."""
        self._over.wait()
        gevent.sleep(3600)

    def connection(self) -> GeventConnection:
        """A new connection for a user. Raises ServerUnreachable."""
        producing = self._producing
        self._connections = [connection for connection in self._connections if not connection.lost]
        self._connection_number += 1
        connection = GeventConnection(
            self.url,
            self._connection_number,
            producing.assigned.renderer,
            producing.recorder,
            producing.assigned.clock,
            in_batches=self.scenario.is_closed_loop,
        )
        self._connections.append(connection)
        return connection

    def reconnect(self) -> GeventConnection:
        """A connection in place of a lost one. Raises ServerUnreachable after a while of trying."""
        reporter = self._producing.reporter
        reporter.reconnects += 1
        deadline_us = self.now_us() + round(_RECONNECT_FOR_S * 1e6)
        while True:
            try:
                return self.connection()
            except ServerUnreachable as error:
                if self.now_us() > deadline_us or self._stop_us is not None:
                    reporter.error = str(error)
                    raise
            gevent.sleep(_RECONNECT_EVERY_S)

    @contextlib.contextmanager
    def next_batch(self, most: int | None = None) -> Iterator[Batch | None]:
        """The next batch to send, with absolute due times; None when nothing is left.

        An open loop yields it when it is due, a closed loop at once. A batch that the user cannot
        send goes to another user: when Locust ends the user while it waits, or when the server is
        gone. Once it may have been sent, it is never sent again. A user without a connection has
        nothing left to do, so it gives its batch back before it waits for the end.
        """
        batches = self._producing.batches
        batch = batches.take(most or self.scenario.pipeline, self.now_us())
        if batch is None:
            yield None
            return
        may_be_sent = False
        failure: BenchError | None = None
        try:
            self._producing.alarm.wait_until(int(batch.due_us[-1]))
            may_be_sent = True
            yield batch
        except BenchError as error:  # there is no connection to send it on
            may_be_sent = False
            failure = error
        finally:
            if may_be_sent:
                batches.release()
            else:
                batches.give_back(batch)
        if failure is not None:
            self.wait_for_the_end()
            raise failure

    # Calls of Locust's hooks.

    def finish(self) -> None:
        """Send what there is, as the process is about to end, and wait until it has arrived."""
        self._stop()
        if self._supervisor is not None and self._begun.is_set():
            self._supervisor.join(LAST_REPLIES_US / 1e6 + 1)
            self._acknowledged.wait(_ACK_TIMEOUT_S)

    def abandon(self) -> None:
        """Give everything up, as the test is over."""
        if self._supervisor is not None:
            self._supervisor.kill(block=False)
        self._loop_lag.end()
        for connection in self._connections:
            connection.close()
        if isinstance(self._phase, Producing | Finished):
            self._producing.alarm.close()

    # The phases.

    @property
    def _assigned(self) -> Assigned:
        if isinstance(self._phase, Assigned):
            return self._phase
        return self._producing.assigned

    @property
    def _producing(self) -> Producing:
        phase = self._phase
        if isinstance(phase, Finished):
            return phase.producing
        if not isinstance(phase, Producing):
            raise RuntimeError("the test has not begun")
        return phase

    def _guarded(self, step: Callable[[Any], None], argument: object) -> None:
        try:
            step(argument)
        except BenchError as error:
            self._send(Failed(str(error), int(error.exit_code)))

    def _prepare(self, assignment: Assignment) -> None:
        self._phase = assign(assignment, self._own_url)
        self._send(Ready())

    def _produce(self, line: TimeLine) -> None:
        """Let the users send, report while they do, and send the final report."""
        producing = self._phase = begin(self._assigned, line)
        if self._stop_us is not None:
            producing.batches.stop(self._stop_us)
        self._about_to_begin.set()
        producing.alarm.wait_until(producing.start_us)
        producing.reporter.begin()
        self._loop_lag.begin(producing.alarm, producing.assigned.clock)
        self._begun.set()
        self._report_until_over(producing)
        self._over.set()
        # Whatever happens to the server now, what was measured must reach the coordinator.
        with contextlib.suppress(BenchError):
            self._send_returned(producing)
        self._await_replies()
        final = self._final_report(producing)
        self._phase = Finished(producing, final)
        self._report(final)
        for connection in self._connections:
            connection.close()

    def _stop(self) -> None:
        if self._stop_us is None:
            self._stop_us = self.now_us() if self._begun.is_set() else 0
            if isinstance(self._phase, Producing):
                self._phase.batches.stop(self._stop_us)

    def _report_until_over(self, producing: Producing) -> None:
        reports = 0
        while not self._is_over(producing):
            gevent.sleep(_REPORT_EVERY_S)
            producing.reporter.with_latency_counts = reports % _LATENCY_COUNTS_EVERY == 0
            producing.reporter.behind_us = producing.batches.behind_us(self.now_us())
            self._report(producing.reporter.state())
            reports += 1
        if self._stop_us is None and producing.batches.is_given_up(self.now_us()):
            producing.reporter.give_up(producing.batches.behind_us(self.now_us()))

    def _is_over(self, producing: Producing) -> bool:
        batches = producing.batches
        has_failed = bool(producing.reporter.error) and not batches.is_held
        return has_failed or batches.is_over(self.now_us())

    def _send_returned(self, producing: Producing) -> None:
        """Send batches whose users were ended before they were due, and that no other took."""
        if not producing.batches.returned_tasks or producing.reporter.error:
            return
        connection = self.connection()
        while not connection.lost and (batch := producing.batches.pop_returned()) is not None:
            connection.send(batch)

    def _await_replies(self) -> None:
        wait_us = LAST_REPLIES_US
        if self._stop_us is None:
            wait_us = max(round(self.scenario.drain_timeout_s * 1e6), wait_us)
        deadline_us = self.now_us() + wait_us
        while any(connection.in_flight for connection in self._connections):
            if self.now_us() >= deadline_us:
                return
            gevent.sleep(0.001)

    def _final_report(self, producing: Producing) -> ProducerReport:
        producing.reporter.with_latency_counts = True
        final = producing.reporter.final(producing.batches.count_unsent(self.now_us()))
        # Batches that no connection took lie between others that were sent. To reach those, the
        # range of what may have been sent covers them, too: unknown, rather than never due.
        stranded = producing.batches.returned_tasks
        final.due += stranded
        final.sent += stranded
        note_clock(final, producing.assigned)
        return final

    def _report(self, report: ProducerReport) -> None:
        report.loop_lag_p99_us = self._loop_lag.p99_us()
        self._send(report)

    def _send(self, message: Hello | Ready | Failed | ProducerReport) -> None:
        self._send_message(ProcessMessage(self._test, message))

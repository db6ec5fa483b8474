"""Watches how a run's tasks are finished by workers that do not report.

A sample of the tasks is traced for latencies. How many were taken and finished in all is computed
from the lengths of the lists. Once those are empty, every task is queried until it has ended, so
that the ledger never rests on a sample.
"""

import contextlib
import functools
import select
from dataclasses import dataclass

import redis

from bench.clock import Clock
from bench.errors import ServerUnreachable
from bench.ipc.child import Control
from bench.ipc.messages import StartObserver
from bench.ipc.progress_board import ProgressBoard
from bench.measure.fine_recorder import fine_recorder
from bench.measure.reports import WorkerReport
from bench.measure.window import TimeLine
from bench.observer.counting import QueueCounter, commands_per_count
from bench.observer.keyspace_events import KeyspaceEvents
from bench.observer.leases import LeaseWatch
from bench.observer.reconcile import Reconciler
from bench.observer.recorder import CompletionRecorder
from bench.observer.registered import RegisteredWorkers
from bench.observer.task_queries import Queries, TaskQueries
from bench.observer.tracer import Tracer
from bench.redisio.connection import ConnectionLost, open_client
from bench.redisio.queue_keys import lengths
from bench.redisio.streams import open_stream
from bench.usage import ProcessUsage, peak_memory_bytes

MAX_QUERIES_PER_S = 20_000
"""Bounds the share of the server's time that queries take."""
ROUND_US = 1_000
COUNT_EVERY_US = 10_000
RECONNECT_US = 50_000
REQUERY_EVERY_US = 100_000
_REPORT_EVERY_US = 250_000


@dataclass(frozen=True)
class ObserverParts:
    """What an observer works with."""

    queries: Queries
    recorder: CompletionRecorder
    counter: QueueCounter
    tracer: Tracer
    reconciler: Reconciler
    commands_per_count: int
    registered: RegisteredWorkers
    leases: LeaseWatch


def connect(
    start: StartObserver, line: TimeLine, clock: Clock, progress_board: ProgressBoard
) -> ObserverParts:
    """The parts of an observer on a real server. Raises ServerUnreachable."""
    scenario = start.scenario
    layout, queues = scenario.wire_layout, list(scenario.queues)
    client = open_client(start.url)
    connection = functools.partial(open_stream, start.url)
    queries = TaskQueries(connection, layout, queues, scenario.seen_by)
    method = "keyspace events" if start.by_events else "polling"
    recorder = CompletionRecorder(line, method, start.latency_bounds_us)
    recorder.fine = fine_recorder(scenario.fine_objectives, queues)
    events = KeyspaceEvents(start.url, layout, queues, start.run) if start.by_events else None
    read_lengths = functools.partial(lengths, client, layout, queues)
    return ObserverParts(
        queries=queries,
        recorder=recorder,
        counter=QueueCounter(read_lengths, progress_board, recorder),
        tracer=Tracer(start, line.start_us, clock, progress_board, queries, recorder, events),
        reconciler=Reconciler(start, progress_board, queries, recorder),
        commands_per_count=commands_per_count(layout, queues),
        registered=RegisteredWorkers(client, layout, queues),
        leases=LeaseWatch(client, layout, queues, start.run),
    )


class Observer:
    """The observer of one run. Raises redis-py's errors."""

    def __init__(self, name: str, clock: Clock, control: Control, parts: ObserverParts) -> None:
        self._name = name
        self._clock = clock
        self._control = control
        self._parts = parts
        self._recorder = parts.recorder
        self._counter = parts.counter
        self._tracer = parts.tracer
        self._reconciler = parts.reconciler
        self._usage = ProcessUsage()
        self._revision = 0
        self._is_connected = True
        self._next_round_us = 0
        self._free_us = 0
        """When the budget allows the next query."""
        self._next_requery_us = 0
        self._next_count_us = 0
        self._next_report_us = 0

    def run(self) -> WorkerReport:
        """Watch until told to stop; then query all tasks that have not ended, and report."""
        while not self._control.stopped:
            self.turn(self._clock.now_us())
            self._report_if_due()
            self._await(min(self._next_count_us, self._next_report_us, self._next_round_us))
        return self.finish()

    def turn(self, now_us: int) -> None:
        """Count and query what is due at that moment."""
        self._tracer.admit()
        if now_us >= self._next_count_us:
            self._next_count_us = now_us + COUNT_EVERY_US
            with contextlib.suppress(redis.exceptions.RedisError):
                self._counter.count(now_us)
                self._parts.registered.look(now_us)
                self._parts.leases.look(now_us)
        if now_us < self._next_round_us:
            return
        if not self._is_connected and not self._reconnected():
            self._next_round_us = now_us + RECONNECT_US
            return
        try:
            queried = self._tracer.turn() + self._reconcile(now_us)
        except ConnectionLost:
            self._is_connected = False
            return
        self._free_us = now_us + queried * 1_000_000 // MAX_QUERIES_PER_S
        self._next_round_us = max(now_us + ROUND_US, self._free_us)

    def finish(self) -> WorkerReport:
        """Query everything that is not known yet, and return the final report."""
        with contextlib.suppress(redis.exceptions.RedisError, ConnectionLost):
            self._query_the_rest()
        report = self.report(full=True)
        report.final = True
        return report

    def report(self, full: bool) -> WorkerReport:
        """The state so far; sets and histograms only in the full kind."""
        self._revision += 1
        self._recorder.set_commands(
            self._parts.queries.queried
            + self._counter.polls * self._parts.commands_per_count
            + self._parts.registered.commands
            + self._parts.leases.commands
        )
        report = self._recorder.report(full)
        report.name = self._name
        report.revision = self._revision
        report.made_us = self._clock.now_us()
        report.in_flight = self._in_flight(report.made_us)
        report.cpu_s = self._usage.cpu_s()
        report.elapsed_s = self._usage.elapsed_s()
        report.peak_memory_bytes = peak_memory_bytes()
        return report

    def _await(self, until_us: int) -> None:
        """Wait until then, or until a message of the run or an event of the server arrives."""
        timeout_s = max(until_us - self._clock.now_us(), 0) / 1e6
        reading = [self._control.fileno()]
        events = self._tracer.events if self._is_connected else None
        if events is not None:
            reading.append(events.fileno())
        readable = select.select(reading, [], [], timeout_s)[0]
        if reading[0] in readable:
            self._control.read()
        if events is not None and reading[1] in readable:
            self._next_round_us = min(self._next_round_us, self._free_us)

    def _reconcile(self, now_us: int) -> int:
        """Query tasks once the queues have been quiet; return the number of tasks queried."""
        if not self._counter.is_quiet(now_us):
            return 0
        queried = self._reconciler.query_next()
        if not queried and now_us >= self._next_requery_us:
            self._next_requery_us = now_us + REQUERY_EVERY_US
            queried = self._reconciler.query_unfinished()
        return queried

    def _query_the_rest(self) -> None:
        """Query what was never queried, and once more what had not ended.

        Sends reports meanwhile, so that the run knows that the observer is still working.
        """
        self._counter.count(self._clock.now_us())
        self._tracer.finish()
        while self._reconciler.query_next():
            self._report_if_due()
        self._reconciler.query_all_unfinished(self._report_if_due)
        self._reconciler.record_states(self._report_if_due)
        self._recorder.set_counter_rules(self._parts.registered.rules)
        self._recorder.set_expired(self._parts.leases.expired)
        self._recorder.are_outcomes_known = self._reconciler.are_outcomes_known

    def _reconnected(self) -> bool:
        with contextlib.suppress(ServerUnreachable, ConnectionLost):
            self._tracer.reconnect()
            self._is_connected = True
        return self._is_connected

    def _in_flight(self, now_us: int) -> int:
        """Number of tasks that may still end.

        While lists hold tasks, that is their number. Until every task has been queried it is 1, as
        a placeholder. After that it is the tasks that have not ended, including those that wait for
        their next attempt.
        """
        queued = self._counter.on_lists
        if queued or not self._counter.is_quiet(now_us):
            return max(queued, 1)
        return self._reconciler.open_count if self._reconciler.are_outcomes_known else 1

    def _report_if_due(self) -> None:
        now_us = self._clock.now_us()
        if now_us >= self._next_report_us:
            self._next_report_us = now_us + _REPORT_EVERY_US
            self._control.send(self.report(full=False))

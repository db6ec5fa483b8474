"""Watches a run's tasks being finished by workers that tell us nothing.

Single tasks are traced for their latencies; how many have been taken and finished in all is read
off the lengths of the lists; and once those are empty every single task is asked whether it has
ended, until it has: the ledger never rests on a sample.
"""

import contextlib
import select

import redis

from bench.clock import Clock
from bench.errors import ServerUnreachable
from bench.ipc.child import Control
from bench.ipc.messages import StartObserver
from bench.ipc.progress_board import ProgressBoard
from bench.measure.recorder import TimeLine
from bench.measure.reports import WorkerReport
from bench.observer.keyspace_events import KeyspaceEvents
from bench.observer.reconcile import Reconciler
from bench.observer.recorder import CompletionRecorder
from bench.observer.task_queries import TaskQueries
from bench.observer.tracer import Tracer
from bench.redisio.connection import ConnectionLost, open_client
from bench.redisio.queue_keys import lengths
from bench.usage import ProcessUsage, peak_memory_bytes
from bench.wire.layout import KeyRole

MAX_QUERIES_PER_S = 20_000
"""So that looking stays a small part of what the server does."""
_ROUND_US = 1_000
_COUNT_EVERY_US = 10_000
_REPORT_EVERY_US = 250_000
_AGAIN_EVERY_US = 100_000
_RECONNECT_US = 50_000
_QUIET_FOR_US = 300_000
"""How long the lists must have been empty, and nothing enqueued, before all tasks are asked."""


class Observer:
    """One run's. Raises ServerUnreachable when it cannot connect."""

    def __init__(
        self,
        task: StartObserver,
        line: TimeLine,
        clock: Clock,
        control: Control,
        progress_board: ProgressBoard,
    ) -> None:
        self._name = task.name
        self._clock = clock
        self._control = control
        self._progress_board = progress_board
        self._layout = task.scenario.wire_layout
        self._queues = list(task.scenario.queues)
        self._client = open_client(task.url)
        self._queries = TaskQueries(task.url, self._layout, self._queues, task.scenario.seen_by)
        method = "keyspace events" if task.by_events else "polling"
        self._recorder = CompletionRecorder(line, method)
        self._tracer = Tracer(
            task, line.start_us, clock, progress_board, self._queries, self._recorder
        )
        self._reconciler = Reconciler(task, progress_board, self._queries, self._recorder)
        self._successes_before = self._count_successes() or 0
        self._usage = ProcessUsage()
        self._revision = 0
        self._counts = 0
        # A transaction's two words, and a ZCARD for each set; LLEN is never counted as a task's.
        queue_keys = [key for queue in self._queues for key in self._layout.queue_keys(queue)]
        self._commands_a_count = 2 + sum(key.is_sorted_set for key in queue_keys)
        self._queued = 0
        self._enqueued = 0
        self._quiet_since_us: int | None = None
        """Since when the lists have been empty, and nothing new came."""
        self._is_connected = True
        self._next_round_us = 0
        self._free_us = 0
        """When the budget allows the next look."""
        self._next_again_us = 0
        self._next_count_us = 0
        self._next_report_us = 0

    def run(self) -> WorkerReport:
        """Watch until told to stop; then look at every task that is still out, and report."""
        while not self._control.stopped:
            self._turn(self._clock.now_us())
            self._report_if_due()
            self._await(min(self._next_count_us, self._next_report_us, self._next_round_us))
        with contextlib.suppress(redis.exceptions.RedisError, ConnectionLost):
            self._finish()
        report = self._report(full=True)
        report.final = True
        return report

    def _await(self, until_us: int) -> None:
        """Let time pass, unless the run or the server has something to say."""
        timeout_s = max(until_us - self._clock.now_us(), 0) / 1e6
        speaking: list[Control | KeyspaceEvents] = [self._control]
        events = self._tracer.events if self._is_connected else None
        if events is not None:
            speaking.append(events)
        readable = select.select(speaking, [], [], timeout_s)[0]
        if self._control in readable:
            self._control.read()
        if events in readable:
            self._next_round_us = min(self._next_round_us, self._free_us)

    def _turn(self, now_us: int) -> None:
        self._tracer.admit()
        if now_us >= self._next_count_us:
            self._next_count_us = now_us + _COUNT_EVERY_US
            with contextlib.suppress(redis.exceptions.RedisError):
                self._count(now_us)
        if now_us < self._next_round_us:
            return
        if not self._is_connected and not self._reconnected():
            self._next_round_us = now_us + _RECONNECT_US
            return
        try:
            queried = self._tracer.turn() + self._reconcile(now_us)
        except ConnectionLost:
            self._is_connected = False
            return
        self._free_us = now_us + queried * 1_000_000 // MAX_QUERIES_PER_S
        self._next_round_us = max(now_us + _ROUND_US, self._free_us)

    def _reconcile(self, now_us: int) -> int:
        """Once the lists have been empty for a while; return how many tasks were asked."""
        if not self._is_quiet(now_us):
            return 0
        queried = self._reconciler.query_next()
        if not queried and now_us >= self._next_again_us:
            self._next_again_us = now_us + _AGAIN_EVERY_US
            queried = self._reconciler.query_unfinished()
        return queried

    def _finish(self) -> None:
        """What is still out, asked once more; what was never asked, asked. Reports tell the run
        that this goes on."""
        self._count(self._clock.now_us())
        self._tracer.finish()
        while self._reconciler.query_next():
            self._report_if_due()
        self._reconciler.query_all_unfinished()
        self._reconciler.record_states()
        successes = self._count_successes()
        if successes is not None:
            self._recorder.set_counted_successes(successes - self._successes_before)
        self._recorder.is_settled = self._reconciler.is_complete

    def _reconnected(self) -> bool:
        with contextlib.suppress(ServerUnreachable, ConnectionLost):
            self._tracer.reconnect()
            self._is_connected = True
        return self._is_connected

    def _count(self, now_us: int) -> None:
        """Tasks taken and finished, from what the lists still hold. Raises redis-py's errors.

        What is enqueued is read before the lists: both counts are rather too small than too large,
        until the next time.
        """
        enqueued = self._progress_board.enqueued
        held = lengths(self._client, self._layout, self._queues)
        self._counts += 1
        self._queued = sum(held.values())
        started = max(enqueued - held[KeyRole.PENDING], 0)
        self._recorder.counted(started, max(enqueued - self._queued, 0), now_us)
        if self._queued or enqueued > self._enqueued:
            self._quiet_since_us = None
        elif self._quiet_since_us is None:
            self._quiet_since_us = now_us
        self._enqueued = enqueued

    def _count_successes(self) -> int | None:
        """By the queues' own counters, ever; None where there are none."""
        pairs = [pair for queue in self._queues if (pair := self._layout.successes(queue))]
        if not pairs:
            return None
        values = self._client.mget([key for pair in pairs for key in pair])
        numbers = [int(value or 0) for value in values]
        return sum(numbers[::2]) - sum(numbers[1::2])

    def _is_quiet(self, now_us: int) -> bool:
        since_us = self._quiet_since_us
        return since_us is not None and now_us - since_us >= _QUIET_FOR_US

    def _in_hand(self, now_us: int) -> int:
        """Tasks that somebody may still finish: those on lists; then at least one until all were
        asked; then those that had not ended, be it that they wait for their next attempt."""
        if self._queued or not self._is_quiet(now_us):
            return max(self._queued, 1)
        return self._reconciler.open_count if self._reconciler.is_complete else 1

    def _report_if_due(self) -> None:
        now_us = self._clock.now_us()
        if now_us >= self._next_report_us:
            self._next_report_us = now_us + _REPORT_EVERY_US
            self._control.send(self._report(full=False))

    def _report(self, full: bool) -> WorkerReport:
        self._revision += 1
        self._recorder.set_commands(self._queries.queried + self._counts * self._commands_a_count)
        report = self._recorder.report(full)
        report.name = self._name
        report.revision = self._revision
        report.made_us = self._clock.now_us()
        report.in_flight_tasks = self._in_hand(report.made_us)
        report.cpu_s = self._usage.cpu_s()
        report.elapsed_s = self._usage.elapsed_s()
        report.peak_memory_bytes = peak_memory_bytes()
        return report

"""Sends tasks when they are due (open loop), or as fast as replies come (closed loop).

Runs in a process of its own. In an open loop, everything that is due is sent once per tick, in
batches of at most ``pipeline`` tasks. Nothing is skipped, however late it is, and each task keeps
its due time, until the time for what is late is over (``bench.workload.overrun``); what is left
then is counted as not sent. Whatever can be done at another time is done in the pauses between:
preparing the next tasks, and counting what has become of the last ones.
"""

from dataclasses import replace
from pathlib import Path
from typing import Generic

import numpy as np

from bench.clock import Clock
from bench.errors import ServerUnreachable
from bench.ipc.child import Control
from bench.ipc.messages import StartProducer
from bench.ipc.progress_board import ProgressBoard
from bench.measure.fine_recorder import fine_recorder
from bench.measure.reports import ProducerReport
from bench.measure.send_times import SendTimes
from bench.measure.window import TimeLine
from bench.producer.durable_recorder import DurableRecorder
from bench.producer.held_times import HeldTimes
from bench.producer.lookahead import Lookahead
from bench.producer.recorder import ProducerRecorder
from bench.producer.reporter import ProducerReporter
from bench.producer.sinks import Prepared, Sink
from bench.redisio.backlog import BacklogReader
from bench.redisio.connection import ConnectionLost
from bench.workload.feed import Feed
from bench.workload.outages import longest_outage_s
from bench.workload.overrun import ON_TIME_US, Overrun
from bench.workload.tick import tick_us

_WORK_IN_PAUSE_US = 150
"""Least pause in which work is done ahead; a piece of it takes about as long."""
_COUNT_EVERY_US = 5_000
"""How often notes are counted in a pause. What is done seldom finds nothing that it needs in the
processor's caches, and takes many times as long."""
_REPORT_EVERY_US = 250_000
_NOTE_EVERY_US = 5_000
"""How often progress is noted where nobody but the run reads it, should this process die: finding
out what was answered takes a few per cent of a core if it is done for every batch."""
_LONGEST_BURST_US = 50_000
"""How long what is late is sent for before replies and messages are looked at again."""
_BACKLOG_POLL_US = 500
_RECONNECT_EVERY_US = 20_000
_RECONNECT_FOR_US = 10_000_000
"""How long to try to open a connection again, beyond the outages that are planned."""
_LEAST_REPLIES_US = 5_000_000
"""How long to wait for replies, if the time for draining is shorter: a server that is behind has
megabytes to read before it answers, and without an answer nothing is known of a task."""
_LAST_REPLIES_US = 1_000_000
"""How long to wait for replies once the run is told to stop."""


class Producer(Generic[Prepared]):
    """One producer: a feed of tasks, a sink that sends them, a recorder of what became of them."""

    def __init__(
        self,
        start: StartProducer,
        sink: Sink[Prepared],
        line: TimeLine,
        clock: Clock,
        control: Control,
    ) -> None:
        self._scenario = start.scenario
        self._sink = sink
        self._start_us = line.start_us
        scenario = start.scenario
        self._backlog = BacklogReader(start.url, scenario.wire_layout, list(scenario.queues))
        self._clock = clock
        self._control = control
        self._control_descriptor = control.fileno()
        self._feed = Feed(start.scenario, start.number)
        peak_per_s = start.scenario.peak_per_s / start.scenario.producers
        self._lookahead = Lookahead(self._feed, line.start_us, peak_per_s, sink.prepare)
        self._overrun = Overrun.of(scenario)
        self._outage_us = round(longest_outage_s(scenario) * 1e6)
        self._held_times = HeldTimes(line) if scenario.faults else None
        fine = fine_recorder(scenario.fine_objectives, scenario.queues)
        recorder = ProducerRecorder if scenario.ack is None else DurableRecorder
        self._tick_us = tick_us(scenario)
        send_times = SendTimes.of(scenario, start.number, self._tick_us, line.start_us)
        self._recorder = recorder(
            line, scenario.is_closed_loop, fine, self._held_times, send_times=send_times
        )
        # The example function of runqy's guide enqueues one task at a time.
        self._pipeline = 1 if start.scenario.producer == "snippet" else start.scenario.pipeline
        self._number = start.number
        self._progress_board = (
            None
            if start.progress_board is None
            else ProgressBoard(Path(start.progress_board), start.scenario.producers)
        )
        self._reporter = ProducerReporter(
            start.number, self._recorder, start.with_latency_counts, start.latency_bounds_us
        )
        self._note_every_us = 0 if start.scenario.is_observed else _NOTE_EVERY_US
        self._due_until_us: int | None = None
        """When the run told this producer to stop; None where it has not."""
        self._next_note_us = 0
        self._next_count_us = 0
        self._next_report_us = 0

    def run(self) -> ProducerReport:
        """Send all tasks, wait for their replies, and return the final report."""
        while not self._control.stopped and self._clock.now_us() < self._start_us:
            self._wait(self._start_us)
        self._reporter.begin()
        try:
            if self._scenario.is_closed_loop:
                self._run_closed_loop()
            else:
                self._run_open_loop()
            self._await_replies()
        except ServerUnreachable as error:
            self._reporter.error = str(error)
        finally:
            self._backlog.close()
        return self._final_report()

    def _run_open_loop(self) -> None:
        next_tick_us = self._start_us
        while not self._control.stopped and (due_us := self._lookahead.next_due_us()) is not None:
            now_us = self._clock.now_us()
            if self._overrun.is_over(now_us - self._start_us, due_us - self._start_us):
                self._reporter.give_up(now_us - due_us)
                return
            if self._held_times is not None and due_us > now_us - ON_TIME_US:
                self._held_times.end(now_us)
            pause_us = max(due_us, next_tick_us) - now_us
            if pause_us > 0:
                if not (pause_us >= _WORK_IN_PAUSE_US and self._work_ahead(now_us)):
                    self._wait(now_us + pause_us)
            elif self._sink.is_congested:
                self._note_held(now_us)
                self._wait(now_us + _REPORT_EVERY_US)
            else:
                next_tick_us = now_us + self._tick_us
                self._send_due(now_us)
        if self._control.stopped:
            self._end_early()

    def _end_early(self) -> None:
        """Send what fell due while the run was telling this producer to stop; no more falls due."""
        self._due_until_us = self._clock.now_us()
        if not self._sink.is_congested:
            self._send_due(self._due_until_us)

    def _note_held(self, now_us: int) -> None:
        """Note that the server takes nothing now."""
        if self._held_times is not None:
            self._held_times.begin(now_us)

    def _work_ahead(self, now_us: int) -> bool:
        """Do a piece of work that is better done now than at a tick; whether there was any.

        Not while a reply is awaited, whose arrival would be noted late.
        """
        if self._recorder.in_flight:
            return False
        if not self._lookahead.is_full:
            self._lookahead.prepare_more()
        elif now_us >= self._next_count_us:
            self._next_count_us = now_us + _COUNT_EVERY_US
            self._recorder.count()
        else:
            return False
        return True

    def _send_due(self, now_us: int) -> None:
        """Send everything that is due by then, in buffers of the pipeline's depth; usually one.

        Where that is so much that it takes long, the rest waits until replies were looked at.
        """
        lookahead = self._lookahead
        while (due_us := lookahead.next_due_us()) is not None and due_us <= now_us:
            self._send(*lookahead.take(now_us, self._pipeline))
            if self._sink.is_congested:
                return
            if (took_until_us := self._clock.now_us()) - now_us > _LONGEST_BURST_US:
                self._wait(took_until_us)
                return

    def _run_closed_loop(self) -> None:
        duration_s = self._scenario.duration_s
        end_us = None if duration_s is None else self._start_us + round(duration_s * 1e6)
        room = self._pipeline * (self._scenario.in_flight - 1)
        while not self._control.stopped and self._feed.next_due_us() is not None:
            now_us = self._clock.now_us()
            if end_us is not None and now_us >= end_us:
                return
            if self._recorder.in_flight > room or self._sink.is_congested:
                self._wait(now_us + _REPORT_EVERY_US)
            elif self._is_backlogged():
                self._await_workers(end_us)
            else:
                batch = self._feed.take(self._pipeline)
                batch = replace(batch, due_us=np.full(len(batch), now_us))
                self._send(self._sink.prepare(batch), 0, len(batch))

    def _send(self, prepared: Prepared, start: int, stop: int) -> None:
        if self._progress_board is not None:
            self._progress_board.will_send(self._number, stop - start)
        try:
            self._sink.send(prepared, start, stop, self._recorder)
        except ConnectionLost:
            self._reconnect()
        self._tell()

    def _tell(self) -> None:
        """Tell the run and an observer how far this is, where that has become due."""
        now_us = self._clock.now_us()
        if now_us >= self._next_note_us:
            self._next_note_us = now_us + self._note_every_us
            self._note_progress()
        if now_us >= self._next_report_us:
            self._next_report_us = now_us + _REPORT_EVERY_US
            if now_us >= self._start_us:
                self._reporter.behind_us = self._behind_us(now_us)
                self._control.send(self._reporter.state())

    def _behind_us(self, now_us: int) -> int:
        """How long the next task has been due by now; zero if it is not, or none is left."""
        due_us = None if self._scenario.is_closed_loop else self._lookahead.next_due_us()
        return 0 if due_us is None else max(now_us - due_us, 0)

    def _note_progress(self) -> None:
        """Note on the board what was answered."""
        recorder, board = self._recorder, self._progress_board
        unconfirmed = recorder.take_unconfirmed()
        if board is None:
            return
        if unconfirmed:
            board.exclude(self._number, unconfirmed)
        board.note(
            self._number, recorder.sent_count, recorder.answered_before, recorder.enqueued_count
        )

    def _is_backlogged(self) -> bool:
        limit, length = self._scenario.max_backlog, self._sink.last_list_length
        return limit is not None and length is not None and length > limit

    def _await_workers(self, end_us: int | None) -> None:
        """Read the lengths of the lists until the longest is within the limit again."""
        limit = self._scenario.max_backlog or 0
        while not self._control.stopped:
            now_us = self._clock.now_us()
            longest = self._backlog.longest()
            is_over = end_us is not None and now_us >= end_us
            if is_over or (longest is not None and longest <= limit):
                self._sink.last_list_length = longest
                return
            self._wait(now_us + (_RECONNECT_EVERY_US if longest is None else _BACKLOG_POLL_US))

    def _await_replies(self) -> None:
        wait_us = max(round(self._scenario.drain_timeout_s * 1e6), _LEAST_REPLIES_US)
        wait_us += self._outage_us
        deadline_us = self._clock.now_us() + wait_us
        while self._recorder.in_flight and (now_us := self._clock.now_us()) < deadline_us:
            if self._control.stopped:
                deadline_us = min(deadline_us, now_us + _LAST_REPLIES_US)
            self._wait(min(deadline_us, now_us + _REPORT_EVERY_US))

    def _wait(self, until_us: int) -> None:
        """Take replies and messages until then, or until the first of them has come."""
        until_us = min(until_us, self._next_report_us)
        try:
            if self._sink.wait(until_us, self._recorder, self._control_descriptor):
                self._control.read()
        except ConnectionLost:
            self._reconnect()
        self._tell()

    def _reconnect(self) -> None:
        """Go on with a new connection. Tasks in flight become unknown, and are never sent again.

        Raises ServerUnreachable when no connection can be opened for a while.
        """
        self._recorder.connection_lost()
        self._note_held(self._clock.now_us())
        deadline_us = self._clock.now_us() + _RECONNECT_FOR_US + self._outage_us
        while True:
            try:
                self._sink.reconnect()
            except ServerUnreachable:
                now_us = self._clock.now_us()
                if now_us >= deadline_us or self._control.stopped:
                    raise
                self._control.wait(_RECONNECT_EVERY_US / 1e6)
                self._tell()
            else:
                self._reporter.reconnects += 1
                return

    def _final_report(self) -> ProducerReport:
        """The final report, including the tasks that were due by the end and not sent."""
        unsent = 0
        if not self._scenario.is_closed_loop:
            unsent = self._lookahead.due_by(self._due_until_us or self._clock.now_us())
        report = self._reporter.final(unsent)
        if self._held_times is not None:
            report.held_us = self._held_times.after_start(self._clock.now_us())
            report.own_lag = self._held_times.own_lag()
        self._note_progress()  # tasks that were not answered by now never will be
        return report

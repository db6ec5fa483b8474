"""One run, from a scenario to a record: prepare, start, watch, drain, collect, save for later.

This is the only place where the parts meet. It takes a URL and never starts a server.
"""

import contextlib
import datetime
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import redis

from bench.clock import Offset, RunClock, host_identity
from bench.ipc import remote
from bench.ipc.messages import Begin, StartProducer, Stop
from bench.measure.bits import Bits
from bench.measure.ledger import Counts
from bench.measure.progress import Progress, progress_of
from bench.measure.recorder import TimeLine, time_line
from bench.measure.reports import ProducerReport, WorkerReport
from bench.records.run_record import RecordWarning, RunRecord
from bench.redisio import clock_sync, queue_keys, server_info
from bench.redisio.connection import open_client, translated_errors
from bench.run.build_record import CollectedRun, build_record
from bench.run.cleanup import Cleanup
from bench.run.draining import Draining
from bench.run.fleet import Fleet, ProcessHandle
from bench.run.server_sampler import INTERVAL_US, ServerSampler
from bench.run.subprocesses import SubprocessFleet
from bench.run.workers import Workers
from bench.wire import ids
from bench.wire.layout import KeyRole
from bench.workload.scenario import Scenario

START_DELAY_US = 300_000
"""From the order to begin until the first task is due: enough for every process to hear it."""
MOST_WARMUP_S = 10.0
ProgressCallback = Callable[[Progress, Sequence[ProducerReport], Sequence[WorkerReport]], None]
"""Told how it goes, with the newest reports of everybody."""
MOST_WARMUP_SHARE = 0.25
_LISTEN_S = 0.1
_COLLECT_TIMEOUT_S = 15.0
_INTERRUPTED_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class RunRequest:
    """What to run, and on which server."""

    url: str
    scenario: Scenario
    command: str
    """How the user asked for it, without secrets."""
    owns_server: bool = False
    """Whether the server goes away after the run, so that nothing need be removed."""
    allow_shared: bool = False
    keep: bool = False
    with_latency_counts: bool = False
    """Whether reports should carry latencies by queue while the run lasts."""


def execute(
    request: RunRequest,
    on_progress: Callable[[Progress], None],
    should_stop: Callable[[], bool],
) -> RunRecord:
    """Run a scenario with processes of its own, and return what was measured, also when it was
    cut short.

    ``should_stop`` is asked often; once it says yes, the run ends as soon as it can. Raises
    ServerUnreachable, UsageError or MeasurementError when the run could not begin.
    """
    with SubprocessFleet() as children:
        return execute_with(
            children, request, lambda progress, _, __: on_progress(progress), should_stop
        )


def execute_with(
    fleet: Fleet,
    request: RunRequest,
    on_progress: ProgressCallback,
    should_stop: Callable[[], bool],
    should_end: Callable[[], bool] = lambda: False,
) -> RunRecord:
    """The same with producers and workers from elsewhere.

    ``should_end`` ends a run that has no end of its own; that is no interruption.
    """
    with open_client(request.url) as client:
        run = _Run(request, client, fleet, on_progress, should_stop, should_end)
        with translated_errors(request.url):
            run.prepare()
        try:
            run.start()
            run.watch()
            run.drain()
            run.collect()
            record = build_record(run.collected())
        except BaseException:
            run.clean_up({})
            raise
        # What was measured is worth more than a clean server: a failure here is a warning.
        problem = run.clean_up(record.queues)
        if problem is None:
            return record
        return msgspec.structs.replace(record, warnings=[*record.warnings, problem])


@dataclass
class _Run:
    request: RunRequest
    client: redis.Redis
    fleet: Fleet
    on_progress: ProgressCallback
    should_stop: Callable[[], bool]
    should_end: Callable[[], bool]
    number: int = field(default_factory=ids.new_run)
    clock: RunClock = field(default_factory=RunClock)
    interruptions: list[str] = field(default_factory=list)
    drain_timed_out: bool = False
    usage_after: server_info.ServerUsage | None = None
    _pending: dict[int, Bits] = field(default_factory=dict)
    _active: dict[int, Bits] = field(default_factory=dict)
    drain_started_s: float | None = None
    _remote: dict[str, WorkerReport] = field(default_factory=dict)
    _next_sample_us: int = 0
    _next_remote_us: int = 0
    _next_progress_us: int = 0

    def prepare(self) -> None:
        """Everything that can fail, before anything is sent."""
        self.scenario = self.request.scenario
        self.layout = self.scenario.wire_layout
        queues = list(self.scenario.queues)
        self._cleanup = Cleanup(self.client, self.layout, queues)
        if not self.request.allow_shared:
            self._cleanup.require_empty_queues()
        self.server = server_info.describe(self.client, self.request.url)
        self.offset: Offset = clock_sync.measure_offset(self.client)
        self.clock = RunClock(self.offset.offset_us)
        self.sampler = ServerSampler(self.client, self.layout, queues)
        self._draining = Draining(self.client, self.layout, queues, self.clock)
        producers = self.fleet.gather(self.scenario, self.should_stop)
        self.scenario = msgspec.structs.replace(self.scenario, producers=producers)
        self.workers_side = Workers(
            self.fleet,
            self.request.url,
            self.scenario,
            self.number,
            self.offset.offset_us,
            self.request.with_latency_counts,
            self.request.owns_server,
            self.request.allow_shared,
        )
        for number in range(self.scenario.producers):
            task = StartProducer(
                self.request.url,
                self.scenario,
                self.number,
                number,
                self.offset.offset_us,
                self.request.with_latency_counts,
                self.workers_side.progress_board,
            )
            self.fleet.start_producer(f"producer {number}", task)
        self.workers_side.start(self.client)
        self.fleet.await_ready(self.should_stop)
        self._cleanup.prepare(self.clock.now_us() // 1_000_000)
        self.usage_before = server_info.read_usage(self.client)

    def start(self) -> None:
        """Give everybody the same time line."""
        self.started_at = datetime.datetime.now(datetime.UTC)
        self.line: TimeLine = time_line(
            self.clock.now_us() + START_DELAY_US, self.scenario.warmup_s, self.most_warmup_s
        )
        info = remote.RunInfo(
            line=self.line,
            queues=list(self.scenario.queues),
            host=host_identity(),
            offset_us=self.offset.offset_us,
            with_latency_counts=self.request.with_latency_counts,
        )
        if self.scenario.external_workers:
            with translated_errors(self.request.url):
                remote.announce(self.client, self.number, info)
        for producer in self.fleet.producers:
            producer.send(Begin(self.line))
        self.workers_side.begin(self.line)

    @property
    def most_warmup_s(self) -> float:
        """The bound on a warm-up that is still to be found."""
        planned_s = self.scenario.planned_duration_s
        if planned_s is None:  # bounded by a count of tasks: nobody knows how long that takes
            return MOST_WARMUP_S
        return min(MOST_WARMUP_S, MOST_WARMUP_SHARE * planned_s)

    @property
    def _members(self) -> list[ProcessHandle[ProducerReport] | ProcessHandle[WorkerReport]]:
        return [*self.fleet.producers, *self.fleet.workers]

    def watch(self) -> None:
        """Until all producers have sent all that was due, or somebody stops the run."""
        ending = False
        while not all(child.is_done for child in self.fleet.producers):
            if self.should_end() and not ending:
                ending = True
                for child in self.fleet.producers:
                    child.send(Stop())
            if self.should_stop():
                self._interrupt("the run was interrupted before its end")
                return
            trouble = self._trouble()
            if trouble is not None:
                self._interrupt(trouble)
                return
            self._turn("enqueueing")

    def _trouble(self) -> str | None:
        """Why there is no point in going on, in words."""
        exit_reasons = [child.exit_reason() for child in self._members]
        return next(
            (exit_reason for exit_reason in exit_reasons if exit_reason),
            self.workers_side.idleness(self._producer_reports(), self._worker_reports()),
        )

    def _interrupt(self, reason: str) -> None:
        self.interruptions.append(reason)
        for child in self.fleet.producers:
            child.send(Stop())
        self._until(
            lambda: all(child.is_done for child in self.fleet.producers),
            _INTERRUPTED_TIMEOUT_S,
            "stopping",
        )

    def drain(self) -> None:
        """Until every task that was enqueued has been finished, within the time-out."""
        if self.interruptions or not self.scenario.has_workers:
            return
        self.drain_started_s = (self.clock.now_us() - self.line.start_us) / 1e6
        self.workers_side.begin_after_fill(self.line)
        in_time = self._until(self._is_drained, self.scenario.drain_timeout_s, "draining")
        if self.should_stop():
            self.interruptions.append("the run was interrupted while its queues were drained")
        elif not in_time:
            busy = any(
                each.in_flight_tasks or each.waiting_retry for each in self._worker_reports()
            )
            self.drain_timed_out = busy or not self._draining.is_empty()
        elif (trouble := self._trouble()) is not None:
            self.interruptions.append(trouble)

    def _is_drained(self) -> bool:
        if self.should_stop() or self._trouble() is not None:
            return True
        awaits_workers = self.scenario.external_workers and not self._remote
        return self._draining.is_over(
            self._producer_reports(), self._worker_reports(), awaits_workers
        )

    def collect(self) -> None:
        """Stop the workers, and take everybody's final report and what is left in the lists."""
        with contextlib.suppress(redis.exceptions.RedisError):
            # Before an observer looks at every task once more.
            self.usage_after = server_info.read_usage(self.client)
        self._stop(self.workers_side.servers)
        # Before an observer's last look: a task that ends in between is then found in both.
        self._find_remaining()
        self._stop(self.workers_side.observers)
        self.duration_s = (self.clock.now_us() - self.line.start_us) / 1e6
        for child in self._members:
            exit_reason = child.exit_reason()
            if exit_reason is None and not child.is_done:
                exit_reason = f"{child.name} sent no final report within {_COLLECT_TIMEOUT_S:.0f} s"
            if exit_reason is not None and exit_reason not in self.interruptions:
                self.interruptions.append(exit_reason)
        self.interruptions += [each.error for each in self._producer_reports() if each.error]

    def _stop(self, workers: Sequence[ProcessHandle[WorkerReport]]) -> None:
        """Tell them, and wait for their final reports for as long as they have any news."""
        for worker in workers:
            worker.send(Stop())
        deadline_s, news = 0.0, -1
        while not all(worker.is_done for worker in workers):
            heard = sum(worker.report.revision for worker in workers if worker.report is not None)
            if heard != news:
                deadline_s, news = time.monotonic() + _COLLECT_TIMEOUT_S, heard
            if time.monotonic() > deadline_s:
                return
            self._turn("stopping")

    def _find_remaining(self) -> None:
        role = (self.client, self.layout, list(self.scenario.queues))
        try:
            self._pending = queue_keys.find(*role, KeyRole.PENDING, self.number)
            self._active = queue_keys.find(*role, KeyRole.ACTIVE, self.number)
        except redis.exceptions.RedisError:
            self._note_silence()

    def _note_silence(self) -> None:
        silence = "the server stopped answering: what is left in its queues is not known"
        if silence not in self.interruptions:
            self.interruptions.append(silence)

    def collected(self) -> CollectedRun:
        """All that was seen, for the record."""
        clock_error_us = 0.0
        try:
            self._poll_remote()
            errors_us = [report.clock_error_us for report in self._remote.values()]
            errors_us += [report.clock_error_us for report in self._producer_reports()]
            clock_error_us = clock_sync.error_us(self.client, self.offset, errors_us)
        except redis.exceptions.RedisError:
            self._note_silence()
        self._show("stopping")
        return CollectedRun(
            run=self.number,
            started_at=self.started_at.isoformat(timespec="milliseconds"),
            duration_s=self.duration_s,
            command=self.request.command,
            scenario=self.scenario,
            server=self.server,
            line=self.line,
            most_warmup_s=self.most_warmup_s,
            drain_started_s=self.drain_started_s,
            producers=self._producer_reports(),
            workers=self._worker_reports(),
            has_remote_workers=bool(self._remote),
            pending=self._pending,
            active=self._active,
            samples=self.sampler.samples,
            usage_before=self.usage_before,
            usage_after=self.usage_after,
            clock_error_us=clock_error_us,
            interruptions=self.interruptions,
            drain_timed_out=self.drain_timed_out,
        )

    def clean_up(self, counts: Mapping[str, Counts]) -> RecordWarning | None:
        """Remove what the run wrote, unless it was asked to leave it or the server goes away.

        ``counts`` is what became of each queue's tasks, where that is known.
        """
        if self.request.owns_server:
            return None
        sent = {report.number: report.sent for report in self._producer_reports()}
        problem = self._cleanup.clean_up(
            self.number, sent, self.clock.now_us() // 1_000_000, counts, keep=self.request.keep
        )
        return problem or (None if self.request.keep else self.workers_side.still_held(counts))

    def _until(self, condition: Callable[[], bool], timeout_s: float, phase: str) -> bool:
        """Keep listening until the condition holds; whether it did in time."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline:
                return False
            self._turn(phase)
        return True

    def _turn(self, phase: str) -> None:
        """Hear the processes, look at the server, and tell how it goes."""
        self.fleet.receive(_LISTEN_S)
        now_us = self.clock.now_us()
        if now_us >= max(self._next_sample_us, self.line.start_us):
            offset_us = now_us - self.line.start_us
            self._next_sample_us = self.line.start_us + INTERVAL_US * (offset_us // INTERVAL_US + 1)
            self.sampler.sample(offset_us)
        if self.scenario.external_workers and now_us >= self._next_remote_us:
            self._next_remote_us = now_us + INTERVAL_US // 4
            # A server that does not answer now leaves the newest reports as they are.
            with contextlib.suppress(redis.exceptions.RedisError):
                self._poll_remote()
        if now_us >= self._next_progress_us:
            self._next_progress_us = now_us + INTERVAL_US // 4
            self._show(phase)

    def _show(self, phase: str) -> None:
        progress = self._progress(phase, self.clock.now_us())
        self.on_progress(progress, self._producer_reports(), self._worker_reports())

    def _progress(self, phase: str, now_us: int) -> Progress:
        return progress_of(
            phase,
            (now_us - self.line.start_us) / 1e6,
            self.scenario,
            self._producer_reports(),
            self._worker_reports(),
            self.sampler.backlog,
        )

    def _poll_remote(self) -> None:
        if self.scenario.external_workers:
            for report in remote.collect(self.client, self.number):
                self._remote[report.name] = report

    def _producer_reports(self) -> list[ProducerReport]:
        return [child.report for child in self.fleet.producers if child.report is not None]

    def _worker_reports(self) -> list[WorkerReport]:
        own = [child.report for child in self.fleet.workers if child.report is not None]
        return [*own, *self._remote.values()]

"""What the run does while its processes work: it takes their reports, samples the server, shows
the progress, and decides when enqueueing and draining are over."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import redis

from bench.faults.injector import Injector
from bench.ipc import remote
from bench.ipc.messages import SendReport, Stop
from bench.measure.leases import Leases
from bench.measure.progress import Progress, progress_of
from bench.measure.report_checks import ReportLimits, require_whole
from bench.measure.reports import ProducerReport, WorkerReport
from bench.measure.stopping import UntilResult
from bench.records.run_record import RunRecord
from bench.redisio.other_layouts import other_layout_note
from bench.run.fleet import ProcessHandle, StopRequested
from bench.run.live_figures import LiveFigures
from bench.run.server_sampler import BACKLOG_INTERVAL_US, INTERVAL_US
from bench.run.standstill import StandstillWatch
from bench.run.start import ActiveRun
from bench.workload import outages
from bench.workload.guards import Aborted

ProgressCallback = Callable[[Progress, Sequence[ProducerReport], Sequence[WorkerReport]], None]
"""Called a few times a second with the progress and the newest report of every process."""
_AWAITING = ("enqueueing", "draining")
"""Phases in which workers are to take tasks."""
_LISTEN_S = 0.1
"""How long to wait for messages at most before looking at everything else."""
_LEAST_LISTEN_S, _LISTEN_SHARE = 0.002, 0.1
"""While queues are drained: at least this long, and this share of the time that it has taken. So a
run ends soon after its last task, and does not ask a server all the time how long its lists are."""
_RATE_KNOWN_S = 1.25
"""How long a drain must have lasted until it is told how long it will take."""
_SENT_SINCE = 1 << 24
"""More tasks than a producer sends until its next report."""
INTERRUPTED_TIMEOUT_S = 5.0
"""How long processes of a run that is cut short may take to send their final reports."""
_REPORT_EVERY_US = INTERVAL_US // 4


@dataclass(frozen=True)
class RunCallbacks:
    """What the caller of a run wants to know and to decide while it lasts."""

    on_progress: ProgressCallback
    should_stop: StopRequested
    """Whether the run is to be cut short."""
    should_end: Callable[[], bool] = lambda: False
    """Whether a run without a planned end has come to its end; that is no interruption."""
    on_measured: Callable[[RunRecord], None] = lambda _: None
    """Gets the record of the run before anything is removed from its server."""


@dataclass
class RunState:
    """Everything that changes while a run lasts."""

    interruptions: list[str] = field(default_factory=list)
    """Why the run ended early or lacks a part, one sentence each."""
    aborted: Aborted | None = None
    """The guard that ended the run; None while none has."""
    ends_as_precise: bool = False
    """Whether the run has ended before its duration, as its figures were precise enough."""
    enqueued_until_us: int = 0
    """When enqueueing ended or was cut short, in µs after the run's start."""
    drain_started_s: float | None = None
    """Seconds after the run's start; None where the run was not drained."""
    drain_waited_for: str = ""
    """What a drain was waiting for when it timed out; empty if it did not."""
    leases: Leases | None = None
    """Leases on tasks while the queues are drained; None where there are none."""
    remote_reports: dict[str, WorkerReport] = field(default_factory=dict)
    """The newest report of each remote worker, by its name."""
    remote_faults: dict[str, str] = field(default_factory=dict)
    """Why a report of a remote worker was left out, by its name."""
    next_ask_us: int = 0
    next_sample_us: int = 0
    next_poll_us: int = 0
    next_progress_us: int = 0

    @property
    def is_cut_short(self) -> bool:
        """Whether the run has ended early, or lacks a part."""
        return bool(self.interruptions) or self.aborted is not None

    def interrupt(self, reason: str) -> None:
        """Note why the run is not whole; each reason once."""
        if reason not in self.interruptions:
            self.interruptions.append(reason)


class Supervisor:
    """Watches one run from its start until its queues are drained."""

    def __init__(
        self, running: ActiveRun, callbacks: RunCallbacks, injector: Injector | None = None
    ) -> None:
        self.running = running
        self.injector = injector or Injector((), None, running.offset_us)
        self._returns = 0
        """How often the server had come back when connections to it were last replaced."""
        self.prepared = running.prepared
        self.state = RunState()
        self._callbacks = callbacks
        self._scenario = running.prepared.scenario
        self._live = LiveFigures(self._scenario)

    @property
    def processes(self) -> list[ProcessHandle[ProducerReport] | ProcessHandle[WorkerReport]]:
        """All processes that the run has started or gathered."""
        return [*self.prepared.fleet.producers, *self.prepared.fleet.workers]

    @property
    def until_result(self) -> UntilResult | None:
        """What came of ``--until``; None for a run without."""
        if self.state.ends_as_precise:
            return self._live.until.result("precision")
        return self._live.until.result("cut short" if self.state.is_cut_short else "duration")

    def producer_reports(self) -> list[ProducerReport]:
        """The newest report of each producer that has sent one."""
        producers = self.prepared.fleet.producers
        return [producer.report for producer in producers if producer.report is not None]

    def worker_reports(self) -> list[WorkerReport]:
        """The newest report of each worker and observer that has sent one."""
        workers = self.prepared.fleet.workers
        own = [worker.report for worker in workers if worker.report is not None]
        return [*own, *self.state.remote_reports.values()]

    def watch(self) -> None:
        """Return when all producers have sent everything that was due, or the run is cut short."""
        is_ending = False
        standstill = StandstillWatch(self._scenario, self.prepared.clock)
        while not self._have_producers_finished():
            if not is_ending and (self._callbacks.should_end() or self._live.until.is_reached):
                is_ending = True
                self.state.ends_as_precise = self._live.until.is_reached
                self._stop_producers()
            if self._callbacks.should_stop():
                self.state.interrupt("the run was interrupted before its end")
                self._cut_short()
                return
            if self.state.aborted is not None:
                self._cut_short()
                return
            failure = self._failure() or standstill.message(
                self.producer_reports(),
                self.worker_reports(),
                is_disturbed=self.injector.is_under_way,
            )
            if failure is not None:
                self.state.interrupt(failure)
                self._cut_short()
                return
            self.turn("enqueueing")
        self.state.enqueued_until_us = self.running.offset_us()
        self.injector.enqueueing_over()

    def drain(self) -> None:
        """Return when every task that was enqueued has ended, or the time for that is over."""
        if self.state.is_cut_short or not self._scenario.has_workers:
            return
        self.state.drain_started_s = self.running.offset_us() / 1e6
        self.prepared.workers.begin_after_fill(self.running.line)
        in_time = self.until(self._is_drained_or_asks, self._scenario.drain_timeout_s, "draining")
        if self._callbacks.should_stop():
            self.state.interruptions.append("the run was interrupted while its queues were drained")
        elif self.state.aborted is not None:
            return
        elif not in_time:
            self.state.drain_waited_for = self._waits_for()
            self.state.leases = self.prepared.draining.leases()
        elif (failure := self._failure()) is not None:
            self.state.interruptions.append(failure)

    def until(self, condition: Callable[[], bool], timeout_s: float, phase: str) -> bool:
        """Keep the run going until the condition holds; return whether it did in time."""
        deadline_us = self.prepared.clock.now_us() + round(timeout_s * 1e6)
        while not condition():
            if self.prepared.clock.now_us() > deadline_us:
                return False
            self.turn(phase)
        return True

    def turn(self, phase: str) -> None:
        """Take the processes' messages for a moment, then do what has become due."""
        self.prepared.fleet.receive(self.injector.until_next_s(self._patience_s(phase)))
        self.injector.inject_due()
        self.replace_connections()
        is_away = self.injector.is_server_away  # it would keep the run waiting
        now_us, state = self.prepared.clock.now_us(), self.state
        start_us = self.running.line.start_us
        if now_us >= max(state.next_sample_us, start_us):
            offset_us = now_us - start_us
            state.next_sample_us = start_us + INTERVAL_US * (offset_us // INTERVAL_US + 1)
            if not is_away:
                self.prepared.sampler.sample(offset_us)
            self.prepared.machine.sample(offset_us)
            if phase == "draining" and not is_away:
                state.leases = self.prepared.draining.leases()
        if self._scenario.faults and now_us >= start_us and not is_away:
            self.prepared.sampler.count_backlog(now_us - start_us)
        if now_us >= state.next_poll_us and not is_away:
            state.next_poll_us = now_us + _REPORT_EVERY_US
            # A server that does not answer now leaves the newest reports as they are.
            with contextlib.suppress(redis.exceptions.RedisError):
                self.prepared.marker.renew(now_us)
                self.poll_remote_reports()
        if now_us >= state.next_progress_us:
            state.next_progress_us = now_us + _REPORT_EVERY_US
            self.show(phase)

    def replace_connections(self) -> None:
        """Open the run's own connections again where the server has been away."""
        if self._returns != self.injector.returns:
            self._returns = self.injector.returns
            self.prepared.client.connection_pool.disconnect()

    def _patience_s(self, phase: str) -> float:
        """How long to wait for messages now."""
        began_s = self.state.drain_started_s
        if phase != "draining" or began_s is None:
            return BACKLOG_INTERVAL_US / 1e6 if self._scenario.faults else _LISTEN_S
        took_s = self.running.offset_us() / 1e6 - began_s
        return min(max(_LEAST_LISTEN_S, _LISTEN_SHARE * took_s), _LISTEN_S)

    def show(self, phase: str) -> None:
        """Look whether a guard holds, and pass the progress on to the caller."""
        producers, workers = self.producer_reports(), self.worker_reports()
        progress = progress_of(
            phase,
            self.running.offset_us() / 1e6,
            self._scenario,
            producers,
            workers,
            self.prepared.sampler.backlog,
        )
        progress = replace(
            progress,
            leases=self.state.leases,
            drain_left_s=self._drain_left_s(phase),
            states=self.prepared.sampler.states,
            unserved=self.prepared.workers.note if phase in _AWAITING else "",
        )
        progress = self._live.extended(progress, producers, workers)
        if phase in _AWAITING and self.state.aborted is None:
            self.state.aborted = self.prepared.guards.held(progress, producers, workers)
        self._callbacks.on_progress(progress, producers, workers)

    def _drain_left_s(self, phase: str) -> float | None:
        began_s = self.state.drain_started_s
        if phase != "draining" or began_s is None:
            return None
        if self.running.offset_us() / 1e6 < began_s + _RATE_KNOWN_S:
            return None  # the rate of the last second is still that beside enqueueing
        ends_s = began_s + self._scenario.drain_timeout_s
        return max(ends_s - self.running.offset_us() / 1e6, 0.0)

    def poll_remote_reports(self) -> None:
        """Read the reports of remote workers. Raises redis-py's errors."""
        if self._scenario.external_workers:
            found = remote.collect(self.prepared.client, self.prepared.run_id, self._limits())
            for report in found.reports:
                self.state.remote_reports[report.name] = report
            self.state.remote_faults |= found.unreadable

    def settle_remote_reports(self) -> None:
        """At the end, leave out the reports of remote workers that cannot be counted."""
        limits, state = self._limits(), self.state
        for name, report in list(state.remote_reports.items()):
            try:
                require_whole(report, limits)
            except ValueError as error:
                state.remote_faults[name] = str(error)
                del state.remote_reports[name]
        for name, reason in state.remote_faults.items():
            state.interrupt(
                f"a report of worker {name} was left out, because {reason}: use workers of this "
                "version, and let nothing else write to the keys of the run"
            )

    def _limits(self) -> ReportLimits:
        """What bounds the reports of workers, by what producers have reported so far."""
        sent: dict[int, int] = {}
        for number, producer in enumerate(self.prepared.fleet.producers):
            report = producer.report
            noted = 0 if report is None else report.sent
            is_final = report is not None and report.final
            sent[number] = noted if is_final else 2 * noted + _SENT_SINCE
        bounds = len(self.prepared.request.latency_bounds_us)
        queues, slices = list(self._scenario.queues), self.running.line.slices
        return ReportLimits(queues, slices, sent, bounds)

    def _have_producers_finished(self) -> bool:
        return all(producer.is_done for producer in self.prepared.fleet.producers)

    def _stop_producers(self) -> None:
        for producer in self.prepared.fleet.producers:
            producer.send(Stop())

    def _cut_short(self) -> None:
        self.injector.close()  # what is under way would keep the processes from ending
        self.state.enqueued_until_us = self.running.offset_us()
        self._stop_producers()
        self.until(self._have_producers_finished, INTERRUPTED_TIMEOUT_S, "stopping")

    def _failure(self) -> str | None:
        """Why going on is pointless, as a sentence, or None."""
        network = self.prepared.network
        if network is not None and (exit_reason := network.control.exit_reason()):
            return exit_reason  # and why the others fail, too
        exit_reasons = [process.exit_reason() for process in self.processes]
        return next(
            (exit_reason for exit_reason in exit_reasons if exit_reason), self._no_worker_message()
        )

    def _no_worker_message(self) -> str | None:
        """A sentence once no worker has taken a task for too long, or None."""
        message = self.prepared.workers.no_worker_message(
            self.producer_reports(),
            self.worker_reports(),
            is_disturbed=self.injector.is_under_way or bool(self.prepared.workers.killed),
        )
        if message is None:
            return None
        note = self.prepared.layout_note
        with contextlib.suppress(redis.exceptions.RedisError):  # a worker may have registered since
            note = other_layout_note(self.prepared.client, self._scenario.wire_layout)
        return f"{message}; {note}" if note else message

    def _is_drained_or_asks(self) -> bool:
        """Whether the drain is over. If it may be, as the lists are empty, ask the workers."""
        if self._is_drained():
            return True
        now_us, state = self.prepared.clock.now_us(), self.state
        if self.prepared.draining.was_empty and now_us >= state.next_ask_us:
            state.next_ask_us = now_us + round(self._patience_s("draining") * 1e6)
            for worker in self.prepared.workers.own:
                worker.send(SendReport())
        return False

    def _is_drained(self) -> bool:
        is_cut_short = self._callbacks.should_stop() or self.state.aborted is not None
        if is_cut_short or self._failure() is not None:
            return True
        if self.injector.is_server_away:
            return False
        awaits_workers = self._scenario.external_workers and not self.state.remote_reports
        working, killed = self._working_and_killed()
        return self.prepared.draining.is_over(
            self.producer_reports(),
            working,
            awaits_workers,
            killed,
            fails_over=outages.fails_over(self._scenario.faults),
        )

    def _working_and_killed(self) -> tuple[list[WorkerReport], list[WorkerReport]]:
        """The newest reports of workers that go on, and the last ones of those that were ended."""
        working = list(self.state.remote_reports.values())
        killed: list[WorkerReport] = []
        for worker in self.prepared.fleet.workers:
            if (report := worker.report) is not None:
                (killed if worker.ends_by_plan else working).append(report)
        return working, killed

    def _waits_for(self) -> str:
        """What is left to wait for in a drain; empty for nothing."""
        reports, killed = self._working_and_killed()
        held = sum(report.in_flight + report.waiting_retry for report in reports)
        if held:
            return f"workers that reported {held:,} tasks in flight or waiting for a retry"
        may_stay = bool(killed) or (bool(reports) and outages.fails_over(self._scenario.faults))
        is_empty = self.prepared.draining.is_empty(with_active=not may_stay)
        return "" if is_empty else "the queues' lists to be empty"

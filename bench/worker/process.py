"""``python -m bench.worker.process``: a worker as a process that a run starts."""

import functools
import sys
import time
from collections.abc import Callable, Sequence

from bench.clock import Clock, RunClock
from bench.errors import ServerUnreachable
from bench.ipc.child import Control, run_child
from bench.ipc.messages import ParentMessage, StartWorker
from bench.measure.fine_recorder import fine_recorder
from bench.measure.reports import WorkerReport
from bench.redisio.connection import ANSWER_TIMEOUT_S, open_client
from bench.redisio.streams import open_stream
from bench.usage import ProcessUsage, peak_memory_bytes
from bench.worker.batch import TaskRecorder, WorkerSettings
from bench.worker.difficulties import Difficulties
from bench.worker.loop import LAST_ANSWER_TIMEOUT_S, RECONNECT_US, WorkerLoop
from bench.worker.recorder import WorkerRecorder
from bench.worker.server_calls import REFUSED_FOR_US
from bench.worker.slot_states import SlotStates
from bench.worker.stop_requests import StopRequest
from bench.worker.worker import Worker
from bench.workload.resolve import parent_queue
from bench.workload.scenario import Scenario

_REPORT_EVERY_US = 250_000


class OneRun:
    """The lookup of a worker that serves one run: every task goes to its recorder."""

    def __init__(self, recorder: TaskRecorder) -> None:
        self._recorder = recorder

    def split(self, task_ids: Sequence[bytes]) -> list[tuple[TaskRecorder, Sequence[int]]]:
        """All the ids together: the recorder itself passes over those of others."""
        return [(self._recorder, range(len(task_ids)))]


def settings_of(scenario: Scenario) -> WorkerSettings:
    """A worker's settings for a scenario."""
    return WorkerSettings(
        queues=scenario.service_weights,
        layout=scenario.wire_layout,
        concurrency=scenario.concurrency,
        prefetch=scenario.prefetch,
        service_time=scenario.service_time,
        failure_rate=scenario.failure_rate,
        retry_delay_us=round(scenario.retry_delay_s * 1e6),
        priority=scenario.priority,
        store_results=scenario.store_results,
        seed=scenario.seed,
    )


class _Reporter:
    """Sends a worker's reports to the run."""

    def __init__(
        self, name: str, recorder: WorkerRecorder, worker: Worker, control: Control, clock: Clock
    ) -> None:
        self._name = name
        self._recorder = recorder
        self._worker = worker
        self._control = control
        self._clock = clock
        self._usage = ProcessUsage()
        self._revision = 0
        self._next_report_us = 0

    def send_if_due(self) -> int:
        """Send a light report when it is time to, or asked for; return when the next one is due."""
        now_us = self._clock.now_us()
        if now_us >= self._next_report_us or self._control.is_report_asked:
            self._control.is_report_asked = False
            self._next_report_us = now_us + _REPORT_EVERY_US
            self._control.send(self._report(full=False))
        return self._next_report_us

    def send_final(self) -> None:
        """Send the full report, after which nothing more comes."""
        report = self._report(full=True)
        report.final = True
        self._control.send(report)

    def _report(self, full: bool) -> WorkerReport:
        self._revision += 1
        report = self._recorder.report(full)
        report.name = self._name
        report.revision = self._revision
        report.made_us = self._clock.now_us()
        report.in_flight = self._worker.in_flight
        report.waiting_retry = self._worker.waiting_retry
        report.cpu_s = self._usage.cpu_s()
        report.elapsed_s = self._usage.elapsed_s()
        report.peak_memory_bytes = peak_memory_bytes()
        note_difficulties(report, self._worker.difficulties)
        return report


def note_difficulties(report: WorkerReport, difficulties: Difficulties) -> None:
    """Put into a report what kept the worker from its work so far."""
    report.refusals = dict(difficulties.refusals)
    report.unserved = dict(difficulties.unserved)
    report.reconnects = difficulties.reconnects


def serve(message: ParentMessage, control: Control) -> None:
    """Connect, wait for the run to begin, serve until told to stop, and send the final report."""
    if not isinstance(message, StartWorker):
        return
    scenario, clock = message.scenario, RunClock(message.offset_us)
    settings = settings_of(scenario)
    begin = control.await_begin()
    if begin is None:
        return
    recorder = WorkerRecorder(
        message.run,
        begin.line,
        list(scenario.queues),
        message.with_latency_counts,
        message.latency_bounds_us,
    )
    recorder.fine = fine_recorder(scenario.fine_objectives, scenario.queues)
    recorder.states = SlotStates()
    worker = Worker(settings, OneRun(recorder), clock, states=recorder.states)
    reporter = _Reporter(message.name, recorder, worker, control, clock)
    if not control.stopped:  # the message to stop may have come with the one to begin

        def connected() -> WorkerLoop:
            return WorkerLoop(
                message.name,
                parent_queue(scenario),
                settings.layout,
                worker,
                clock,
                open_client(message.url, _answer_timeout_s(scenario)),
                functools.partial(open_stream, message.url),
                functools.partial(open_client, message.url, LAST_ANSWER_TIMEOUT_S),
            )

        loop = patiently(connected, control, REFUSED_FOR_US / 1e6 if scenario.faults else 0.0)

        def on_control() -> StopRequest:
            control.read()
            return StopRequest.ORDERLY if control.stopped else StopRequest.NONE

        loop.run(control.fileno(), on_control, reporter.send_if_due)
    reporter.send_final()


def patiently(
    connected: Callable[[], WorkerLoop], control: Control, patience_s: float
) -> WorkerLoop:
    """What ``connected`` returns: called again for so long while there is no server, as where a
    fault has taken it away just when a worker starts.

    Raises ServerUnreachable when that time is over, or the worker is told to stop.
    """
    give_up_s = time.monotonic() + patience_s
    while True:
        try:
            return connected()
        except ServerUnreachable:
            if control.stopped or time.monotonic() >= give_up_s:
                raise
        control.wait(RECONNECT_US / 1e6)


def _answer_timeout_s(scenario: Scenario) -> float:
    """How long a heartbeat may keep the worker from its tasks where the server is to be away."""
    return LAST_ANSWER_TIMEOUT_S if scenario.faults else ANSWER_TIMEOUT_S


def main() -> int:
    """Be the process that a run has started; its exit code."""
    return run_child(serve)


if __name__ == "__main__":
    sys.exit(main())

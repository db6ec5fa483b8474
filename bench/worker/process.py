"""``python -m bench.worker.process``: a worker as a process that a run starts."""

import sys
from collections.abc import Sequence

import redis

from bench.clock import Clock, RunClock
from bench.ipc.child import Control, run_child
from bench.ipc.messages import ParentMessage, StartWorker
from bench.measure.reports import WorkerReport
from bench.redisio.connection import open_client
from bench.usage import ProcessUsage, peak_memory_bytes
from bench.wire.layout import Layout
from bench.worker.batch import TaskRecorder, WorkerSettings
from bench.worker.loop import WorkerLoop
from bench.worker.recorder import WorkerRecorder
from bench.worker.worker import Worker
from bench.workload.resolve import parent_queue
from bench.workload.scenario import Scenario

_REPORT_EVERY_US = 250_000


class OneRun:
    """A tracker for a worker that serves one run: all tasks are taken to be of it."""

    def __init__(self, recorder: TaskRecorder) -> None:
        self._recorder = recorder

    def split(self, task_ids: Sequence[bytes]) -> list[tuple[TaskRecorder, Sequence[int]]]:
        """One part with all the ids; those of others are told apart when they are read."""
        return [(self._recorder, range(len(task_ids)))]


def settings_of(scenario: Scenario, url: str) -> WorkerSettings:
    """A worker's settings as the scenario has them."""
    layout = scenario.wire_layout
    return WorkerSettings(
        queues=scenario.queues,
        layout=layout,
        concurrency=scenario.concurrency,
        prefetch=scenario.prefetch,
        service_time=scenario.service_time,
        failure_rate=scenario.failure_rate,
        retry_delay_us=round(scenario.retry_delay_s * 1e6),
        priority=scenario.priority,
        store_results=scenario.store_results,
        seed=scenario.seed,
        can_pop_many=can_pop_many(url, layout),
    )


def can_pop_many(url: str, layout: Layout) -> bool:
    """Whether the server knows the command by which the layout pops many ids at once.

    Raises ServerUnreachable.
    """
    command = layout.pop_many_command
    if command is None:
        return False
    with open_client(url) as client:
        try:
            known = client.execute_command("COMMAND", "INFO", command)
        except redis.exceptions.ResponseError:
            return False
    return any(known.values() if isinstance(known, dict) else known)


class _RunWorker:
    """Connects a worker's loop to the run's channel."""

    def __init__(self, task: StartWorker, control: Control, clock: Clock) -> None:
        self._task = task
        self._control = control
        self._clock = clock
        self._usage = ProcessUsage()
        self._recorder: WorkerRecorder | None = None
        self._worker: Worker | None = None
        self._revision = 0
        self._next_report_us = 0

    def serve(self) -> None:
        task = self._task
        settings = settings_of(task.scenario, task.url)
        begin = self._control.await_begin()
        if begin is None:
            return
        self._usage = ProcessUsage()
        self._recorder = WorkerRecorder(
            task.run, begin.line, list(task.scenario.queues), task.with_latency_counts
        )
        self._worker = Worker(settings, OneRun(self._recorder), self._clock)
        if not self._control.stopped:  # the order to stop may have come with that to begin
            parent = parent_queue(task.scenario)
            loop = WorkerLoop(task.url, task.name, parent, settings, self._worker, self._clock)
            loop.run(self._control.fileno(), self._read_control, self._report_if_due)
        report = self._report(full=True)
        report.final = True
        self._control.send(report)

    def _read_control(self) -> bool:
        self._control.read()
        return self._control.stopped

    def _report_if_due(self) -> int:
        now_us = self._clock.now_us()
        if now_us >= self._next_report_us:
            self._next_report_us = now_us + _REPORT_EVERY_US
            self._control.send(self._report(full=False))
        return self._next_report_us

    def _report(self, full: bool) -> WorkerReport:
        if self._recorder is None or self._worker is None:
            raise RuntimeError("there is nothing to report before the run begins")
        self._revision += 1
        report = self._recorder.report(full)
        report.name = self._task.name
        report.revision = self._revision
        report.made_us = self._clock.now_us()
        report.in_flight_tasks = self._worker.in_flight
        report.waiting_retry = self._worker.waiting_retry
        report.cpu_s = self._usage.cpu_s()
        report.elapsed_s = self._usage.elapsed_s()
        report.peak_memory_bytes = peak_memory_bytes()
        return report


def serve(task: ParentMessage, control: Control) -> None:
    """Connect, wait for the run to begin, serve until told to stop, and send the final report."""
    if isinstance(task, StartWorker):
        _RunWorker(task, control, RunClock(task.offset_us)).serve()


if __name__ == "__main__":
    sys.exit(run_child(serve))

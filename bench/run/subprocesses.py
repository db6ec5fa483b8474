"""The processes that a run starts itself. None of them outlives the run."""

import contextlib
import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import IO, ClassVar, Generic, TypeVar

from bench.errors import MeasurementError, error_for
from bench.ipc.channel import ChannelClosed, Reader, Writer
from bench.ipc.messages import (
    Begin,
    ChildMessage,
    Failed,
    ParentMessage,
    Ready,
    StartMessage,
    StartObserver,
)
from bench.ipc.progress_board import ProgressBoard
from bench.machine import ProcessCpu
from bench.measure.reports import ProducerReport, WorkerReport
from bench.processes import folders, forked, start
from bench.processes.forked import ForkServer
from bench.processes.start import GroupLeader
from bench.run import process_modules
from bench.run.external_worker import ExternalWorker
from bench.secrets import hide, url_secrets
from bench.watcher import control
from bench.watcher.control import MachineWatcher
from bench.workload.scenario import Scenario

READY_TIMEOUT_S = 30.0
SILENT_AFTER_S = 30.0
"""How long a process may send nothing before the run goes on without it. It is longer than any
call to a server that does not answer."""
_END_TIMEOUT_S = 5.0

Report = TypeVar("Report", ProducerReport, WorkerReport)


@dataclass
class ChildProcess(Generic[Report]):
    """A producer, worker or observer as a child process, and its newest report."""

    name: str
    process: GroupLeader
    reader: Reader[ChildMessage]
    writer: Writer
    errors: IO[bytes]
    secrets: frozenset[str]
    cpu: ProcessCpu
    is_ready: bool = False
    report: Report | None = None
    failure: Failed | None = None
    gone: bool = False
    heard_s: float | None = None
    """When it last sent a message, once its work has begun: it then sends several a second."""
    given_up: str = ""
    """Why the run has killed it; empty if it has not."""
    ends_by_plan: bool = False
    """Whether a fault of the plan has sent it a signal that ends it: its end is no failure."""
    is_stalled: bool = False
    """Whether a fault of the plan has stopped it: its silence is no failure."""

    @property
    def is_done(self) -> bool:
        """Whether nothing more will come: it has sent its final report, or it is gone."""
        return self.gone or (self.report is not None and self.report.final)

    @property
    def cpu_s(self) -> float:
        """Its CPU time so far, in seconds; once it has ended, when it was last read."""
        return self.cpu.used_s()

    def send(self, message: ParentMessage) -> None:
        """Send it a message, which is lost where the process is gone."""
        if isinstance(message, Begin):
            self.heard_s = time.monotonic()
        with contextlib.suppress(ChannelClosed):
            self.writer.write(message)

    @property
    def is_running(self) -> bool:
        """Whether it has not ended, and no fault of the plan has sent it a signal that ends it."""
        return not (self.gone or self.ends_by_plan)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal of the plan of faults."""
        if number is signal.SIGCONT:
            self.heard_s = None if self.heard_s is None else time.monotonic()
            self.is_stalled = False
        elif number is signal.SIGSTOP:
            self.is_stalled = True
        else:
            self.ends_by_plan = True  # first: it may be noticed at once
        self.process.signal_group(number)

    def give_up(self, reason: str) -> None:
        """Kill it, unless it has ended: it has not answered, and must not act any more."""
        if not self.gone:
            self.given_up = reason
            self.process.end()
            self.gone = True

    def check(self) -> None:
        """Kill it where it has been silent for too long."""
        is_expected = self.heard_s is not None and not (self.is_done or self.is_stalled)
        if is_expected and time.monotonic() - (self.heard_s or 0.0) > SILENT_AFTER_S:
            self.give_up(
                f"{self.name} sent no report for {SILENT_AFTER_S:.0f} s and was killed: check "
                "whether it was stopped, or the machine was suspended or short of memory"
            )

    def exit_reason(self) -> str | None:
        """How it ended before its final report, as a sentence, or None."""
        if self.ends_by_plan or (self.report is not None and self.report.final):
            return None
        if self.failure is not None:
            return f"{self.name}: {self.failure.message}"
        if not self.gone:
            return None
        if self.given_up:
            return self.given_up
        self.errors.seek(0)
        text = hide(self.errors.read().decode(errors="replace"), self.secrets)
        lines = text.strip().splitlines()
        last = f": {lines[-1]}" if lines else ""
        code = self.process.wait()
        how = f"with exit code {code}" if code >= 0 else f"by {signal.Signals(-code).name}"
        return f"{self.name} ended {how} before its final report{last}"


@dataclass
class SubprocessFleet:
    """All processes of a run, as children of this one or of a fork server. Leaving the context
    ends them all."""

    forks: bool = False
    """Whether processes are forked where they can be; else each is an interpreter of its own."""
    producers: list[ChildProcess[ProducerReport]] = field(default_factory=list)
    _workers: list[ChildProcess[WorkerReport]] = field(default_factory=list)
    external_processes: list[ExternalWorker] = field(default_factory=list)
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _server: ForkServer | None = None
    is_local: ClassVar[bool] = True

    def __enter__(self) -> "SubprocessFleet":
        return self

    def __exit__(self, *_: object) -> None:
        for child in self.all:
            _end(child)
        for external_worker in self.external_processes:
            external_worker.end()
        self._stack.close()

    @property
    def all(self) -> "Sequence[ChildProcess[ProducerReport] | ChildProcess[WorkerReport]]":
        """The run's own processes, without external workers."""
        return [*self.producers, *self._workers]

    @property
    def workers(self) -> "Sequence[ChildProcess[WorkerReport] | ExternalWorker]":
        """The run's own workers and observers, and external workers."""
        return [*self._workers, *self.external_processes]

    def gather(self, scenario: Scenario, should_stop: Callable[[], bool]) -> int:
        """The scenario's number of producers, as all of them are started here."""
        return scenario.producers

    def start_producer(self, name: str, message: StartMessage) -> None:
        """Start a producer with this message."""
        self.producers.append(self._start(name, process_modules.PRODUCER, message))

    def start_worker(self, name: str, message: StartMessage) -> None:
        """Start a worker or an observer with this message."""
        is_observer = isinstance(message, StartObserver)
        module = process_modules.OBSERVER if is_observer else process_modules.WORKER
        self._workers.append(self._start(name, module, message))

    def _start(self, name: str, module: str, message: StartMessage) -> "ChildProcess[Report]":
        errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the child
        (to_read, to_write), (from_read, from_write) = start.pipe(), start.pipe()
        try:
            process = self._process(module, errors, (to_read, from_write))
        finally:
            os.close(to_read)
            os.close(from_write)
        if not isinstance(message, StartObserver):
            start.pin(process.pid, message.cores)
        reader: Reader[ChildMessage] = Reader(from_read, ChildMessage)  # type: ignore[arg-type]
        child: ChildProcess[Report] = ChildProcess(
            name,
            process,
            reader,
            Writer(to_write),
            errors,
            url_secrets(message.url),
            ProcessCpu(process.pid),
        )
        child.send(message)
        return child

    def _process(self, module: str, errors: IO[bytes], descriptors: tuple[int, int]) -> GroupLeader:
        if self.forks and self._server is None:  # only now: before, a run may be refused
            modules = process_modules.IMPORTED_FIRST
            self._server = self._stack.enter_context(forked.serving(modules))
        if self._server is not None:
            return self._server.fork(module, errors, descriptors)
        return start.start(
            start.python(module, *map(str, descriptors)),
            stderr=errors,
            environment=start.python_environment(),
            descriptors=descriptors,
        )

    def start_watcher(self) -> MachineWatcher:
        """Start the process that watches the machine; it ends with the fleet."""
        errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the child
        (to_read, to_write), (from_read, from_write) = start.pipe(), start.pipe()
        try:
            process = self._process(control.MODULE, errors, (to_read, from_write))
        finally:
            os.close(to_read)
            os.close(from_write)
        watcher = MachineWatcher(process, (from_read, to_write), errors)
        self._stack.callback(watcher.close)
        return watcher

    def make_progress_board(self, producers: int) -> str | None:
        """Make the file in which producers note their progress; it is deleted with the fleet."""
        path = self._stack.enter_context(folders.held("progress")) / "board"
        ProgressBoard.make(path, producers)
        return str(path)

    def add_external_worker(self, external_worker: ExternalWorker) -> None:
        """Add an external worker, which ends with the fleet."""
        self.external_processes.append(external_worker)

    def await_ready(self, should_stop: Callable[[], bool]) -> None:
        """Wait until all processes are connected. Raises the error with which any failed."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        while not all(child.is_ready for child in self.all) and not should_stop():
            self.receive(0.1)
            for child in self.all:
                if child.failure is not None:
                    raise error_for(child.failure.exit_code, child.failure.message)
                if child.gone:
                    raise MeasurementError(child.exit_reason() or f"{child.name} ended")
            for external_worker in self.external_processes:
                if (exit_reason := external_worker.exit_reason()) is not None:
                    raise MeasurementError(exit_reason)
            if time.monotonic() > deadline:
                raise MeasurementError(f"a process was not ready within {READY_TIMEOUT_S:.0f} s")

    def receive(self, seconds: float) -> None:
        """Take messages of the processes; return after that time, or once a message has come."""
        children = {child.reader.fileno(): child for child in self.all if not child.gone}
        for descriptor in select.select(list(children), [], [], seconds)[0]:
            _receive_from(children[descriptor])
        for child in children.values():
            child.check()


def _receive_from(child: "ChildProcess[ProducerReport] | ChildProcess[WorkerReport]") -> None:
    try:
        messages = child.reader.read()
    except ChannelClosed:
        child.gone = True
        return
    child.heard_s = time.monotonic() if child.heard_s is not None else None
    for message in messages:
        if isinstance(message, Ready):
            child.is_ready = True
        elif isinstance(message, Failed):
            child.failure = message
        elif child.report is None or message.revision > child.report.revision:
            _keep_seconds(child.report, message)
            child.report = message  # each kind of child sends its own kind of report


def _keep_seconds(
    earlier: ProducerReport | WorkerReport | None, newer: ProducerReport | WorkerReport
) -> None:
    """Keep the latencies of earlier seconds, of which a light report has only the last few: they
    are all that is left of a worker that dies."""
    if isinstance(earlier, WorkerReport) and isinstance(newer, WorkerReport):
        newer.e2e_by_second = {**earlier.e2e_by_second, **newer.e2e_by_second}


def _end(child: "ChildProcess[ProducerReport] | ChildProcess[WorkerReport]") -> None:
    """Close the child's input, which ends it; kill it where that does not."""
    for end in (child.writer, child.reader):
        end.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.process.wait(_END_TIMEOUT_S)
    child.process.end()
    child.errors.close()

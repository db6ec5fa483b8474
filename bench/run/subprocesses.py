"""The processes that a run starts: begun, listened to, stopped, and never left behind."""

import contextlib
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Generic, TypeVar

from bench.errors import BenchError, ExitCode, MeasurementError, ServerUnreachable, UsageError
from bench.ipc.channel import ChannelClosed, Reader, Writer
from bench.ipc.messages import ChildMessage, Failed, ParentMessage, Ready, StartObserver
from bench.ipc.progress_board import ProgressBoard
from bench.measure.reports import ProducerReport, WorkerReport
from bench.run.external_worker import ExternalWorker
from bench.workload.scenario import Scenario

READY_TIMEOUT_S = 30.0
_END_TIMEOUT_S = 5.0

Report = TypeVar("Report", ProducerReport, WorkerReport)


@dataclass
class ChildProcess(Generic[Report]):
    """A process, and the newest that it said."""

    name: str
    process: subprocess.Popen[bytes]
    reader: Reader[ChildMessage]
    writer: Writer
    errors: IO[bytes]
    is_ready: bool = False
    report: Report | None = None
    failure: Failed | None = None
    gone: bool = False

    @property
    def is_done(self) -> bool:
        """Whether nothing more will come: the final report is here, or the process is gone."""
        return self.gone or (self.report is not None and self.report.final)

    def send(self, send: ParentMessage) -> None:
        """Tell it something; one that is gone hears nothing."""
        with contextlib.suppress(ChannelClosed):
            self.writer.write(send)

    def exit_reason(self) -> str | None:
        """How it died before its final report, in words, or None."""
        if self.report is not None and self.report.final:
            return None
        if self.failure is not None:
            return f"{self.name}: {self.failure.message}"
        if not self.gone:
            return None
        self.errors.seek(0)
        lines = self.errors.read().decode(errors="replace").strip().splitlines()
        last = f": {lines[-1]}" if lines else ""
        return f"{self.name} died with exit code {self.process.wait()}{last}"


@dataclass
class SubprocessFleet:
    """All of a run's processes. Used as a context manager, none survives it."""

    producers: list[ChildProcess[ProducerReport]] = field(default_factory=list)
    _workers: list[ChildProcess[WorkerReport]] = field(default_factory=list)
    external_processes: list[ExternalWorker] = field(default_factory=list)
    _folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> "SubprocessFleet":
        return self

    def __exit__(self, *_: object) -> None:
        for child in self.all:
            _end(child)
        for external_worker in self.external_processes:
            external_worker.end()
        if self._folder is not None:
            self._folder.cleanup()

    @property
    def all(self) -> "Sequence[ChildProcess[ProducerReport] | ChildProcess[WorkerReport]]":
        """Our own processes."""
        return [*self.producers, *self._workers]

    @property
    def workers(self) -> "Sequence[ChildProcess[WorkerReport] | ExternalWorker]":
        """Ours and somebody else's."""
        return [*self._workers, *self.external_processes]

    def gather(self, scenario: Scenario, should_stop: Callable[[], bool]) -> int:
        """As many producers as the scenario says: all of them are started here."""
        return scenario.producers

    def start_producer(self, name: str, task: ParentMessage) -> None:
        """Start a producer, and give it its task."""
        self.producers.append(_start(name, "bench.producer.process", task))

    def start_worker(self, name: str, task: ParentMessage) -> None:
        """Start a worker, and give it its task."""
        is_observer = isinstance(task, StartObserver)
        module = "bench.observer.process" if is_observer else "bench.worker.process"
        self._workers.append(_start(name, module, task))

    def make_progress_board(self, producers: int) -> str | None:
        """A new one, gone with the processes."""
        self._folder = tempfile.TemporaryDirectory(prefix="bench-board-")
        path = Path(self._folder.name) / "board"
        ProgressBoard.make(path, producers)
        return str(path)

    def add_external_worker(self, external_worker: ExternalWorker) -> None:
        """Take somebody else's worker on."""
        self.external_processes.append(external_worker)

    def await_ready(self, should_stop: Callable[[], bool]) -> None:
        """Wait until all are connected. Raises the error that one of them failed with."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        while not all(child.is_ready for child in self.all) and not should_stop():
            self.receive(0.1)
            for child in self.all:
                if child.failure is not None:
                    raise _error_of(child.failure)
                if child.gone:
                    raise MeasurementError(child.exit_reason() or f"{child.name} ended")
            exit_reasons = [
                exit_reason
                for external_worker in self.external_processes
                if (exit_reason := external_worker.exit_reason())
            ]
            if exit_reasons:
                raise MeasurementError(exit_reasons[0])
            if time.monotonic() > deadline:
                raise MeasurementError(f"a process was not ready within {READY_TIMEOUT_S:.0f} s")

    def receive(self, seconds: float) -> None:
        """Take what the processes say, for at most that long; return when something was said."""
        speaking = {child.reader.fileno(): child for child in self.all if not child.gone}
        for descriptor in select.select(list(speaking), [], [], seconds)[0]:
            _receive_from(speaking[descriptor])


def _start(name: str, module: str, task: ParentMessage) -> "ChildProcess[Report]":
    errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the child
    process = subprocess.Popen(
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        start_new_session=True,  # Ctrl-C reaches the run, which tells its children
        env={**os.environ, **_SINGLE_THREADED},
    )
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the pipes were asked for")
    reader: Reader[ChildMessage] = Reader(process.stdout.fileno(), ChildMessage)  # type: ignore[arg-type]
    child: ChildProcess[Report] = ChildProcess(
        name, process, reader, Writer(process.stdin.fileno()), errors
    )
    child.send(task)
    return child


_SINGLE_THREADED = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""numpy's linear algebra would start a thread a core, with memory for each, for nothing."""


def _receive_from(child: "ChildProcess[ProducerReport] | ChildProcess[WorkerReport]") -> None:
    try:
        messages = child.reader.read()
    except ChannelClosed:
        child.gone = True
        return
    for message in messages:
        if isinstance(message, Ready):
            child.is_ready = True
        elif isinstance(message, Failed):
            child.failure = message
        elif child.report is None or message.revision > child.report.revision:
            child.report = message  # each kind of child sends its own


def _end(child: "ChildProcess[ProducerReport] | ChildProcess[WorkerReport]") -> None:
    """Close its input, which ends it; kill it if it does not."""
    for pipe in (child.process.stdin, child.process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    try:
        child.process.wait(_END_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        child.process.kill()
        child.process.wait()
    child.errors.close()


def _error_of(failure: Failed) -> BenchError:
    kinds: dict[int, type[BenchError]] = {
        ExitCode.USAGE: UsageError,
        ExitCode.UNREACHABLE: ServerUnreachable,
    }
    return kinds.get(failure.exit_code, MeasurementError)(failure.message)

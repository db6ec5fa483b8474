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
from bench.load.channel import ChannelClosed, Reader, Writer
from bench.load.hired import Hired
from bench.load.observing.board import Board
from bench.load.orders import Failed, Message, ObserverTask, Order, Ready
from bench.measure.reports import ProducerReport, WorkerReport
from bench.workload.scenario import Scenario

READY_TIMEOUT_S = 30.0
_END_TIMEOUT_S = 5.0

Report = TypeVar("Report", ProducerReport, WorkerReport)


@dataclass
class Child(Generic[Report]):
    """A process, and the newest that it said."""

    name: str
    process: subprocess.Popen[bytes]
    reader: Reader[Message]
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

    def order(self, order: Order) -> None:
        """Tell it something; one that is gone hears nothing."""
        with contextlib.suppress(ChannelClosed):
            self.writer.write(order)

    def death(self) -> str | None:
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
class Children:
    """All of a run's processes. Used as a context manager, none survives it."""

    producers: list[Child[ProducerReport]] = field(default_factory=list)
    _workers: list[Child[WorkerReport]] = field(default_factory=list)
    hired: list[Hired] = field(default_factory=list)
    _folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> "Children":
        return self

    def __exit__(self, *_: object) -> None:
        for child in self.all:
            _end(child)
        for hired in self.hired:
            hired.end()
        if self._folder is not None:
            self._folder.cleanup()

    @property
    def all(self) -> "Sequence[Child[ProducerReport] | Child[WorkerReport]]":
        """Our own processes."""
        return [*self.producers, *self._workers]

    @property
    def workers(self) -> "Sequence[Child[WorkerReport] | Hired]":
        """Ours and somebody else's."""
        return [*self._workers, *self.hired]

    def gather(self, scenario: Scenario, should_stop: Callable[[], bool]) -> int:
        """As many producers as the scenario says: all of them are started here."""
        return scenario.producers

    def start_producer(self, name: str, task: Order) -> None:
        """Start a producer, and give it its task."""
        self.producers.append(_start(name, "bench.load.producer_process", task))

    def start_worker(self, name: str, task: Order) -> None:
        """Start a worker, and give it its task."""
        is_observer = isinstance(task, ObserverTask)
        module = "observing.observer_process" if is_observer else "worker_process"
        self._workers.append(_start(name, f"bench.load.{module}", task))

    def make_board(self, producers: int) -> str | None:
        """A new one, gone with the processes."""
        self._folder = tempfile.TemporaryDirectory(prefix="bench-board-")
        path = Path(self._folder.name) / "board"
        Board.make(path, producers)
        return str(path)

    def hire(self, hired: Hired) -> None:
        """Take somebody else's worker on."""
        self.hired.append(hired)

    def await_ready(self, should_stop: Callable[[], bool]) -> None:
        """Wait until all are connected. Raises the error that one of them failed with."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        while not all(child.is_ready for child in self.all) and not should_stop():
            self.listen(0.1)
            for child in self.all:
                if child.failure is not None:
                    raise _error_of(child.failure)
                if child.gone:
                    raise MeasurementError(child.death() or f"{child.name} ended")
            deaths = [death for hired in self.hired if (death := hired.death())]
            if deaths:
                raise MeasurementError(deaths[0])
            if time.monotonic() > deadline:
                raise MeasurementError(f"a process was not ready within {READY_TIMEOUT_S:.0f} s")

    def listen(self, seconds: float) -> None:
        """Take what the processes say, for at most that long; return when something was said."""
        speaking = {child.reader.fileno(): child for child in self.all if not child.gone}
        for descriptor in select.select(list(speaking), [], [], seconds)[0]:
            _hear(speaking[descriptor])


def _start(name: str, module: str, task: Order) -> "Child[Report]":
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
    reader: Reader[Message] = Reader(process.stdout.fileno(), Message)  # type: ignore[arg-type]
    child: Child[Report] = Child(name, process, reader, Writer(process.stdin.fileno()), errors)
    child.order(task)
    return child


_SINGLE_THREADED = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""numpy's linear algebra would start a thread a core, with memory for each, for nothing."""


def _hear(child: "Child[ProducerReport] | Child[WorkerReport]") -> None:
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


def _end(child: "Child[ProducerReport] | Child[WorkerReport]") -> None:
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

"""Locust's processes as a run's producers, beside workers that the run starts itself."""

import functools
import time
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import gevent
from gevent.event import Event

from bench.clock import host_identity
from bench.errors import MeasurementError, UsageError, error_for
from bench.ipc.messages import (
    Begin,
    Failed,
    ParentMessage,
    Ready,
    StartMessage,
    StartProducer,
    Stop,
)
from bench.locust.messages import Ack, Assignment, CoordinatorMessage, Hello, ProcessMessage
from bench.measure.report_checks import ProducerLimits, require_producer
from bench.measure.reports import ProducerReport, WorkerReport
from bench.run.external_worker import ExternalWorker
from bench.run.subprocesses import READY_TIMEOUT_S, ChildProcess, SubprocessFleet
from bench.watcher.control import MachineWatcher
from bench.workload.scenario import Scenario

LOCAL = "local"
"""Locust's name for its only process, where it has no workers."""
_STRAGGLER_S = 2.0
"""How long to wait for a process's Hello once Locust has spawned all users."""
_PAUSE_S = 0.0005
_MOST_PER_S = 10_000_000
"""More tasks than any process sends in a second, as a bound of what a report may count."""


@dataclass
class LocustProcess:
    """One of Locust's processes as a producer."""

    client: str
    """Locust's name for the process."""
    post: Callable[[CoordinatorMessage], None]
    test: int
    host: str
    name: str = ""
    is_ready: bool = False
    report: ProducerReport | None = None
    failure: Failed | None = None
    is_missing: bool = False
    given_up: str = ""
    """Why the run goes on without it; empty if it does not."""
    ends_by_plan: ClassVar[bool] = False
    """No fault strikes producers."""
    _start: StartProducer | None = None
    _slices: int = 0
    _begun_s: float = 0.0

    @property
    def is_done(self) -> bool:
        """Whether nothing more will come: it has sent its final report, or it is gone."""
        return self.is_missing or (self.report is not None and self.report.final)

    @property
    def cpu_s(self) -> float:
        """Its CPU time by its newest report; zero for this very process, or on another machine."""
        is_other = self.client != LOCAL and self.host == host_identity()
        return self.report.cpu_s if is_other and self.report is not None else 0.0

    def send(self, message: ParentMessage) -> None:
        """Pass a message of the run on to the process."""
        if isinstance(message, Begin):
            self._slices, self._begun_s = message.line.slices, time.monotonic()
        if isinstance(message, Begin | Stop):
            self.post(CoordinatorMessage(self.test, message))
        elif isinstance(message, StartProducer):
            self._start = message
            assignment = Assignment(message, host_identity(), self.client == LOCAL)
            self.post(CoordinatorMessage(self.test, assignment))

    def exit_reason(self) -> str | None:
        """How it ended before its final report, as a sentence, or None."""
        if self.report is not None and self.report.final:
            return None
        if self.failure is not None:
            return f"{self.name}: {self.failure.message}"
        if self.given_up:
            return self.given_up
        if self.is_missing:
            return f"{self.name}, Locust's {self.client}, went away before its final report"
        return None

    def give_up(self, reason: str) -> None:
        """Go on without it: it is Locust's to end."""
        self.is_missing = True
        self.given_up = reason

    def receive_message(self, message: Ready | Failed | ProducerReport) -> None:
        """Take a message of the process. Reports may come twice, or late."""
        if isinstance(message, Ready):
            self.is_ready = True
        elif isinstance(message, Failed):
            self.failure = message
        elif self.report is None or message.revision > self.report.revision:
            if self.client != LOCAL and (fault := self._fault(message)):
                self.give_up(
                    f"a report of {self.name}, Locust's {self.client}, was left out, because "
                    f"{fault}: use workers of this version, and let nothing else reach Locust's "
                    "master"
                )
                return
            # Only some reports carry latency counts.
            if self.report is not None and not message.latency_counts:
                message.latency_counts = self.report.latency_counts
            if self.client == LOCAL:  # this very process, which the run counts already
                message.peak_memory_bytes = 0
            self.report = message
            if message.final:
                self.post(CoordinatorMessage(self.test, Ack()))

    def _fault(self, report: ProducerReport) -> str:
        """Why a report cannot be this producer's, as a clause; empty if it can."""
        if self._start is None or not self._begun_s:
            return "the run had not begun"
        scenario = self._start.scenario
        most_sent = int(_MOST_PER_S * (time.monotonic() - self._begun_s + 1))
        if scenario.tasks is not None:
            most_sent = min(most_sent, scenario.tasks)
        limits = ProducerLimits(
            self._start.number,
            list(scenario.queues),
            self._slices,
            most_sent,
            len(self._start.latency_bounds_us),
        )
        try:
            require_producer(report, limits)
        except ValueError as error:
            return str(error)
        return ""


@dataclass
class LocustFleet:
    """A fleet whose producers are Locust's processes, with workers as in any run."""

    test: int
    post: Callable[[str, CoordinatorMessage], None]
    """Sends a message to the process of that name."""
    expected: Callable[[], Sequence[str]]
    """Names of the processes that Locust has."""
    subprocesses: SubprocessFleet
    """The workers that the run starts."""
    all_spawned: Event = field(default_factory=Event)
    """Set once Locust has started all users."""
    _present: dict[str, LocustProcess] = field(default_factory=dict)
    _producers: list[LocustProcess] = field(default_factory=list)
    _changed: Event = field(default_factory=Event)
    is_local: ClassVar[bool] = False

    @property
    def producers(self) -> Sequence[LocustProcess]:
        """The processes that were assigned as producers, in the order of their numbers."""
        return self._producers

    @property
    def workers(self) -> "Sequence[ChildProcess[WorkerReport] | ExternalWorker]":
        """The workers that the run started."""
        return self.subprocesses.workers

    @property
    def external_processes(self) -> Sequence[ExternalWorker]:
        """The external workers that the run started."""
        return self.subprocesses.external_processes

    def add_external_worker(self, external_worker: ExternalWorker) -> None:
        """Add an external worker, which ends with the fleet."""
        self.subprocesses.add_external_worker(external_worker)

    def start_watcher(self) -> MachineWatcher:
        """Start the process that watches the machine on which the run is led."""
        return self.subprocesses.start_watcher()

    def make_progress_board(self, producers: int) -> str | None:
        """None, as producers may be on other hosts."""
        return None

    def receive_message(self, client: str, message: ProcessMessage) -> None:
        """Take a message of a process; ignore it where it belongs to another test."""
        if message.test != self.test:
            return
        content = message.message
        if isinstance(content, Hello):
            self._present.setdefault(
                client,
                LocustProcess(
                    client, functools.partial(self.post, client), self.test, content.host
                ),
            )
        elif client in self._present:
            self._present[client].receive_message(content)
        self._changed.set()

    def keep_only(self, clients: Container[str]) -> None:
        """Mark the producers as missing whose Locust processes are not among these clients."""
        for process in self._producers:
            if process.client not in clients:
                process.is_missing = True
                self._changed.set()

    def gather(self, scenario: Scenario, should_stop: Callable[[], bool]) -> int:
        """Wait for the first user of each process; return the number of processes with users.

        A process without a user is left out once Locust has started all users. Raises
        MeasurementError where no process has a user.
        """
        if scenario.ack is not None:
            raise UsageError("ack: Locust's users do not wait for it; use bench run without Locust")
        give_up_s = time.monotonic() + READY_TIMEOUT_S
        deadline_s = give_up_s
        while not should_stop() and time.monotonic() < deadline_s:
            if set(self._present) >= set(self.expected()) and self._present:
                break
            if self.all_spawned.is_set() and deadline_s == give_up_s:
                deadline_s = time.monotonic() + _STRAGGLER_S
            self._changed.clear()
            self._changed.wait(0.1)
        if not self._present:
            raise MeasurementError("no Locust process has a user: start at least one with -u")
        return len(self._present)

    def start_producer(self, name: str, message: StartProducer) -> None:
        """Assign the next process with users as this producer."""
        process = next(
            process for process in self._present.values() if process not in self._producers
        )
        process.name = name
        self._producers.append(process)
        process.send(message)

    def start_worker(self, name: str, message: StartMessage) -> None:
        """Start a worker or an observer with this message."""
        self.subprocesses.start_worker(name, message)

    def await_ready(self, should_stop: Callable[[], bool]) -> None:
        """Wait until all processes are connected. Raises the error with which any failed."""
        self.subprocesses.await_ready(should_stop)
        deadline_s = time.monotonic() + READY_TIMEOUT_S
        while not all(process.is_ready for process in self._producers) and not should_stop():
            for process in self._producers:
                if process.failure is not None:
                    raise error_for(process.failure.exit_code, process.failure.message)
                if process.is_missing:
                    raise MeasurementError(process.exit_reason() or f"{process.name} went away")
            if time.monotonic() > deadline_s:
                raise MeasurementError(f"a process was not ready within {READY_TIMEOUT_S:.0f} s")
            self._changed.clear()
            self._changed.wait(0.1)

    def receive(self, seconds: float) -> None:
        """Let other greenlets run, and take messages of the workers, for at most that long."""
        if self.subprocesses.workers:
            self.subprocesses.receive(seconds)
            let_others_run()
        else:
            gevent.sleep(seconds)


def let_others_run() -> None:
    """Let everything else run that has something to do, and whatever is due within a millisecond.

    The run's own steps take milliseconds: without pauses between them, they add up to time in
    which no user of this process can send. ``gevent.sleep(0)`` would not do, as it does not let
    the event loop look at its timers and sockets.
    """
    gevent.sleep(_PAUSE_S)

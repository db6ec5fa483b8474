"""Locust's processes as a run's producers, beside workers that the run starts itself."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import gevent
from gevent.event import Event

from bench.clock import host_identity
from bench.errors import BenchError, ExitCode, MeasurementError, ServerUnreachable, UsageError
from bench.ipc.messages import Begin, Failed, ParentMessage, Ready, StartProducer, Stop
from bench.locust.messages import Ack, Assignment, CoordinatorMessage, Hello, WorkerMessage
from bench.measure.reports import ProducerReport, WorkerReport
from bench.run.external_worker import ExternalWorker
from bench.run.subprocesses import READY_TIMEOUT_S, ChildProcess, SubprocessFleet
from bench.workload.scenario import Scenario

LOCAL = "local"
"""Locust's name for its only process, where it has no workers."""
_STRAGGLER_S = 2.0
"""Once all users are there: how long a process that has none may still turn up."""


@dataclass
class LocustProcess:
    """One of Locust's processes, as a producer. ``client`` is Locust's name for it."""

    client: str
    post: Callable[[CoordinatorMessage], None]
    test: int
    host: str
    name: str = ""
    is_ready: bool = False
    report: ProducerReport | None = None
    failure: Failed | None = None
    is_missing: bool = False

    @property
    def is_done(self) -> bool:
        """Whether nothing more will come."""
        return self.is_missing or (self.report is not None and self.report.final)

    def send(self, message: ParentMessage) -> None:
        """Pass a message of the run on to the process."""
        if isinstance(message, Begin | Stop):
            self.post(CoordinatorMessage(self.test, message))
        elif isinstance(message, StartProducer):
            self.post(CoordinatorMessage(self.test, Assignment(message, host_identity())))

    def exit_reason(self) -> str | None:
        """How it was lost before its final report, or None."""
        if self.report is not None and self.report.final:
            return None
        if self.failure is not None:
            return f"{self.name}: {self.failure.message}"
        if self.is_missing:
            return f"{self.name}, Locust's {self.client}, went away before its final report"
        return None

    def receive_message(self, message: Ready | Failed | ProducerReport) -> None:
        """Take what it says. Reports may come twice, or late."""
        if isinstance(message, Ready):
            self.is_ready = True
        elif isinstance(message, Failed):
            self.failure = message
        elif self.report is None or message.revision > self.report.revision:
            if (
                self.report is not None and not message.latency_counts
            ):  # only some reports carry them
                message.latency_counts = self.report.latency_counts
            if self.client == LOCAL:  # this very process, which the run counts already
                message.peak_memory_bytes = 0
            self.report = message
            if message.final:
                self.post(CoordinatorMessage(self.test, Ack()))


@dataclass
class LocustFleet:
    """A fleet whose producers are Locust's processes.

    ``send(client, order)`` sends; ``expected()`` names the processes that Locust has, and
    ``all_spawned`` is set once it has started all users.
    """

    test: int
    post: Callable[[str, CoordinatorMessage], None]
    expected: Callable[[], Sequence[str]]
    children: SubprocessFleet
    all_spawned: Event = field(default_factory=Event)
    _present: dict[str, LocustProcess] = field(default_factory=dict)
    _producers: list[LocustProcess] = field(default_factory=list)
    _changed: Event = field(default_factory=Event)

    @property
    def producers(self) -> Sequence[LocustProcess]:
        """Those that were given a task, in the order of their numbers."""
        return self._producers

    @property
    def workers(self) -> "Sequence[ChildProcess[WorkerReport] | ExternalWorker]":
        """Those that this run started."""
        return self.children.workers

    @property
    def external_processes(self) -> Sequence[ExternalWorker]:
        """None: there is nobody to observe them."""
        return self.children.external_processes

    def add_external_worker(self, external_worker: ExternalWorker) -> None:
        """Take somebody else's worker on."""
        self.children.add_external_worker(external_worker)

    def make_progress_board(self, producers: int) -> str | None:
        """None: they may be on other hosts."""
        return None

    def receive_message(self, client: str, message: WorkerMessage) -> None:
        """Take a message of one of the processes."""
        if message.test != self.test:
            return
        content = message.message
        if isinstance(content, Hello):
            self._present.setdefault(
                client,
                LocustProcess(
                    client, lambda each: self.post(client, each), self.test, content.host
                ),
            )
        elif client in self._present:
            self._present[client].receive_message(content)
        self._changed.set()

    def lose(self, client: str) -> None:
        """Locust has not heard of a process for too long."""
        process = self._present.get(client)
        if process is not None:
            process.is_missing = True
            self._changed.set()

    def gather(self, scenario: Scenario, should_stop: Callable[[], bool]) -> int:
        """Wait for the processes' first users. One that has none once all are there is left out."""
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

    def start_producer(self, name: str, task: StartProducer) -> None:
        """The next process that is there becomes this producer."""
        taken = {process.client for process in self._producers}
        process = next(each for client, each in self._present.items() if client not in taken)
        process.name = name
        self._producers.append(process)
        process.send(task)

    def start_worker(self, name: str, task: ParentMessage) -> None:
        """As any run does."""
        self.children.start_worker(name, task)

    def await_ready(self, should_stop: Callable[[], bool]) -> None:
        """Wait until all are connected. Raises the error that one of them failed with."""
        self.children.await_ready(should_stop)
        deadline_s = time.monotonic() + READY_TIMEOUT_S
        while not all(process.is_ready for process in self._producers) and not should_stop():
            for process in self._producers:
                if process.failure is not None:
                    raise _error_of(process.failure)
                if process.is_missing:
                    raise MeasurementError(process.exit_reason() or f"{process.name} went away")
            if time.monotonic() > deadline_s:
                raise MeasurementError(f"a process was not ready within {READY_TIMEOUT_S:.0f} s")
            self._changed.clear()
            self._changed.wait(0.1)

    def receive(self, seconds: float) -> None:
        """Let everything else run for a while, and take what the workers say."""
        if self.children.workers:
            self.children.receive(seconds)
        else:
            gevent.sleep(seconds)


def _error_of(failure: Failed) -> BenchError:
    kinds: dict[int, type[BenchError]] = {
        ExitCode.USAGE: UsageError,
        ExitCode.UNREACHABLE: ServerUnreachable,
    }
    return kinds.get(failure.exit_code, MeasurementError)(failure.message)

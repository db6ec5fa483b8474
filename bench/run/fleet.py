"""The processes of a run, wherever they are: started by the run, or by Locust."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from bench.ipc.messages import ParentMessage, StartMessage, StartProducer
from bench.measure.reports import ProducerReport, WorkerReport
from bench.run.external_worker import ExternalWorker
from bench.watcher.control import MachineWatcher
from bench.workload.scenario import Scenario

StopRequested = Callable[[], bool]
"""Whether the caller wants the run to be cut short; called often."""
Report_co = TypeVar("Report_co", ProducerReport, WorkerReport, covariant=True)


class ProcessHandle(Protocol[Report_co]):
    """A producer, worker or observer, as the run sees it."""

    @property
    def name(self) -> str:
        """The name that warnings use."""
        ...

    @property
    def report(self) -> Report_co | None:
        """Its newest report; None before the first."""
        ...

    @property
    def is_done(self) -> bool:
        """Whether nothing more will come: it has sent its final report, or it is gone."""
        ...

    @property
    def cpu_s(self) -> float:
        """Its CPU time so far, in seconds, of this machine: zero if it is on another one."""
        ...

    def send(self, message: ParentMessage) -> None:
        """Send it a message, which is lost where the process is gone."""
        ...

    def exit_reason(self) -> str | None:
        """How it ended before its final report, as a sentence, or None."""
        ...

    @property
    def ends_by_plan(self) -> bool:
        """Whether a fault of the plan has sent it a signal that ends it: its end is no failure."""
        ...

    def give_up(self, reason: str) -> None:
        """End it where the run can: it has not answered, and must not act any more.

        ``reason`` is a sentence, which ``exit_reason`` returns from then on.
        """
        ...


class Fleet(Protocol):
    """All processes of a run."""

    @property
    def is_local(self) -> bool:
        """Whether all of its processes are children of the run, and get messages at once."""
        ...

    @property
    def producers(self) -> Sequence[ProcessHandle[ProducerReport]]:
        """The processes that enqueue."""
        ...

    @property
    def workers(self) -> Sequence[ProcessHandle[WorkerReport]]:
        """The workers and observers that the run started."""
        ...

    def gather(self, scenario: Scenario, should_stop: StopRequested) -> int:
        """Wait for the producers that Locust starts; return the number of producers."""
        ...

    def start_producer(self, name: str, message: StartProducer) -> None:
        """Start the next producer with this message, or give the message to one that has joined."""
        ...

    def start_worker(self, name: str, message: StartMessage) -> None:
        """Start a worker or an observer with this message."""
        ...

    def start_watcher(self) -> MachineWatcher | None:
        """Start the process that watches the machine, which ends with the fleet."""
        ...

    def make_progress_board(self, producers: int) -> str | None:
        """Make the file in which producers note their progress; None where they cannot."""
        ...

    @property
    def external_processes(self) -> Sequence[ExternalWorker]:
        """The external workers that the run starts; they are among the workers."""
        ...

    def add_external_worker(self, external_worker: ExternalWorker) -> None:
        """Add an external worker. Raises UsageError where there can be none."""
        ...

    def await_ready(self, should_stop: StopRequested) -> None:
        """Wait until all processes are connected. Raises the error with which any failed."""
        ...

    def receive(self, seconds: float) -> None:
        """Take messages of the processes; return after that time, or once a message has come."""
        ...

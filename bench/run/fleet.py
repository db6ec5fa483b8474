"""Who works for a run, wherever they are: the run's own processes, or those of a load generator."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from bench.ipc.messages import ParentMessage, StartProducer
from bench.measure.reports import ProducerReport, WorkerReport
from bench.run.external_worker import ExternalWorker
from bench.workload.scenario import Scenario

StopRequested = Callable[[], bool]
"""Whether the caller wants the run to be cut short; called often."""
Report_co = TypeVar("Report_co", ProducerReport, WorkerReport, covariant=True)


class ProcessHandle(Protocol[Report_co]):
    """A producer or a worker, as the run sees it."""

    @property
    def name(self) -> str:
        """What warnings call it."""
        ...

    @property
    def report(self) -> Report_co | None:
        """The newest that it said of itself."""
        ...

    @property
    def is_done(self) -> bool:
        """Whether nothing more will come: the final report is here, or it is gone."""
        ...

    def send(self, send: ParentMessage) -> None:
        """Tell it something; one that is gone hears nothing."""
        ...

    def exit_reason(self) -> str | None:
        """How it died before its final report, in words, or None."""
        ...


class Fleet(Protocol):
    """All of a run's members."""

    @property
    def producers(self) -> Sequence[ProcessHandle[ProducerReport]]:
        """Those who enqueue."""
        ...

    @property
    def workers(self) -> Sequence[ProcessHandle[WorkerReport]]:
        """Those who serve, as far as the run started them."""
        ...

    def gather(self, scenario: Scenario, should_stop: StopRequested) -> int:
        """How many producers there will be; waits for those that others start."""
        ...

    def start_producer(self, name: str, task: StartProducer) -> None:
        """Give the next producer its task."""
        ...

    def start_worker(self, name: str, task: ParentMessage) -> None:
        """Start a worker, and give it its task."""
        ...

    def make_progress_board(self, producers: int) -> str | None:
        """The file of a board on which its producers will note their progress, or None where they
        cannot."""
        ...

    @property
    def external_processes(self) -> Sequence[ExternalWorker]:
        """Somebody else's workers, as far as the run starts them; they are among the workers."""
        ...

    def add_external_worker(self, external_worker: ExternalWorker) -> None:
        """Take somebody else's worker on. Raises UsageError where there can be none."""
        ...

    def await_ready(self, should_stop: StopRequested) -> None:
        """Wait until all are connected. Raises the error that one of them failed with."""
        ...

    def receive(self, seconds: float) -> None:
        """Take what the members say, for at most that long; return when something was said."""
        ...

"""The workers of a run as what a plan of faults strikes."""

import signal
from collections.abc import Callable, Sequence
from typing import Protocol

from bench.faults.targets import FaultFailed
from bench.measure.reports import WorkerReport
from bench.run.external_worker import ExternalWorker
from bench.run.fleet import ProcessHandle
from bench.run.subprocesses import ChildProcess


class WorkerStarter(Protocol):
    """The workers of a run, and how one more is started."""

    @property
    def serving(self) -> Sequence[ProcessHandle[WorkerReport]]:
        """The processes that work on tasks, in the order in which they were started."""
        ...


_Struck = ChildProcess[WorkerReport] | ExternalWorker
_STRUCK = (ChildProcess, ExternalWorker)


class WorkerFaults:
    """The run's workers by number: the first to be started are 1, 2, …; one that is started in
    place of another has its number.

    ``start_another`` starts a worker that serves at once.
    """

    def __init__(
        self,
        workers: WorkerStarter,
        start_another: Callable[[], ProcessHandle[WorkerReport]],
    ) -> None:
        self._workers = workers
        self._start_another = start_another
        self._numbered: list[_Struck] = []
        self._stalled: dict[int | None, list[_Struck]] = {}

    def stall(self, number: int | None) -> None:
        """Stop the processes of workers. Raises FaultFailed."""
        chosen = self._running(number)
        self._stalled[number] = chosen
        for worker in chosen:
            worker.signal(signal.SIGSTOP)

    def resume(self, number: int | None) -> None:
        """Let workers go on that a stall of the same number has stopped."""
        for worker in self._stalled.pop(number, []):
            if worker.is_running:
                worker.signal(signal.SIGCONT)

    def kill(self, number: int | None, with_signal: signal.Signals) -> None:
        """Send workers a signal that ends them. Raises FaultFailed."""
        for worker in self._running(number):
            worker.signal(with_signal)

    def start(self, number: int | None) -> None:
        """Start the worker with that number, which was killed or is one more; None for the first
        one that was killed, or else one more. Raises FaultFailed, UsageError, MeasurementError and
        OSError."""
        numbered = self._all()
        dead = [place for place, worker in enumerate(numbered) if not worker.is_running]
        place = (dead[0] if dead else len(numbered)) if number is None else number - 1
        if place not in (*dead, len(numbered)):
            raise FaultFailed(f"worker {number} is running, or there is no worker before it")
        started = self._start_another()
        if isinstance(started, _STRUCK):
            numbered[place : place + 1] = [started]

    def _all(self) -> list[_Struck]:
        """The newest process of each number."""
        if not self._numbered:
            self._numbered = [
                worker for worker in self._workers.serving if isinstance(worker, _STRUCK)
            ]
        return self._numbered

    def _running(self, number: int | None) -> list[_Struck]:
        """The workers with that number, or all. Raises FaultFailed where none of them runs."""
        numbered = self._all()
        if number is not None and number > len(numbered):
            raise FaultFailed(f"the run has no worker {number} of its own")
        chosen = numbered if number is None else [numbered[number - 1]]
        running = [worker for worker in chosen if worker.is_running]
        if not running:
            which = "no worker of its own" if number is None else f"no worker {number}"
            raise FaultFailed(f"the run has {which} that is running")
        return running

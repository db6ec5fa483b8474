"""The workers of a run as what faults strike: who has which number, and who cannot be struck."""

import shlex
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import psutil
import pytest

from bench.faults.targets import FaultFailed
from bench.run.external_worker import ExternalWorker, WorkerCommand
from bench.run.worker_faults import WorkerFaults

SLEEPER = tuple(shlex.split(f"{sys.executable} -c 'import time; time.sleep(100)'"))


@dataclass
class Workers:
    """Processes that sleep, as a run's workers."""

    serving: list[ExternalWorker] = field(default_factory=list)

    def start_another(self) -> ExternalWorker:
        worker = ExternalWorker("worker", WorkerCommand(SLEEPER, {}, "redis://127.0.0.1:1/0"))
        worker.start()
        self.serving.append(worker)
        return worker


@pytest.fixture
def workers() -> Iterator[Workers]:
    started = Workers()
    started.start_another()
    started.start_another()
    yield started
    for worker in started.serving:
        worker.end()


def faults_of(workers: Workers) -> WorkerFaults:
    return WorkerFaults(workers, workers.start_another)


def status(worker: ExternalWorker) -> str:
    assert worker.process is not None
    return str(psutil.Process(worker.process.pid).status())


def await_end(worker: ExternalWorker) -> None:
    assert worker.process is not None
    worker.process.wait(20)


def test_one_that_was_killed_is_started_again_with_its_number(workers: Workers) -> None:
    faults = faults_of(workers)
    faults.kill(1, signal.SIGKILL)
    await_end(workers.serving[0])
    assert workers.serving[0].exit_reason() is None
    assert workers.serving[0].is_done
    with pytest.raises(FaultFailed, match="no worker 1 that is running"):
        faults.kill(1, signal.SIGKILL)
    faults.start(None)
    faults.kill(1, signal.SIGKILL)
    await_end(workers.serving[2])
    assert workers.serving[1].is_running


def test_one_more_has_the_next_number(workers: Workers) -> None:
    faults = faults_of(workers)
    faults.start(3)
    faults.kill(3, signal.SIGTERM)
    await_end(workers.serving[2])
    assert [each.is_running for each in workers.serving] == [True, True, False]


@pytest.mark.parametrize("number", [1, 2, 4])
def test_one_that_runs_is_not_started_and_none_is_left_out(workers: Workers, number: int) -> None:
    with pytest.raises(FaultFailed, match=f"worker {number}"):
        faults_of(workers).start(number)
    assert len(workers.serving) == 2


def test_a_worker_that_is_not_there_cannot_be_struck(workers: Workers) -> None:
    with pytest.raises(FaultFailed, match="no worker 3"):
        faults_of(workers).stall(3)


def test_all_are_stopped_and_go_on_but_for_one_that_was_killed_meanwhile(workers: Workers) -> None:
    faults = faults_of(workers)
    faults.stall(None)
    deadline_s = time.monotonic() + 20
    while {status(each) for each in workers.serving} != {psutil.STATUS_STOPPED}:
        assert time.monotonic() < deadline_s
    faults.kill(2, signal.SIGKILL)
    faults.resume(None)
    await_end(workers.serving[1])
    while status(workers.serving[0]) == psutil.STATUS_STOPPED:
        assert time.monotonic() < deadline_s


def test_without_workers_none_can_be_struck() -> None:
    nobody = Workers()
    with pytest.raises(FaultFailed, match="no worker of its own"):
        faults_of(nobody).kill(None, signal.SIGKILL)

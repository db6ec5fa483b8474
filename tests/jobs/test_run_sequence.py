"""How a job's runs follow each other, and how each of its ends is saved."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from bench.errors import BenchError, UsageError
from bench.jobs import run_sequence
from bench.jobs.run_sequence import JobEnd, RunSequence
from bench.jobs.runs import RunInterrupted

FILE = Path("job.json")


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """A job whose runs have numbers."""

    made: tuple[int, ...] = ()
    ended: str = ""
    is_complete: bool = False


class Job:
    """Three runs; notes what is saved and shown."""

    def __init__(self, run: Callable[[int], None] = lambda _: None, *, saves: int = 99) -> None:
        self.run, self.saves = run, saves
        self.saved: list[Count] = []
        self.shown: list[int | None] = []

    def save(self, record: Count, path: Path) -> None:
        assert path == FILE
        if len(self.saved) == self.saves:
            raise UsageError("the disk is full")
        self.saved.append(record)

    def with_run(self, record: Count, step: int) -> Count:
        self.run(step)
        return msgspec.structs.replace(record, made=(*record.made, step))

    def measure(self, record: Count, should_stop: Callable[[], bool]) -> JobEnd[Count]:
        steps: RunSequence[Count, int] = RunSequence(
            lambda now: len(now.made) + 1 if len(now.made) < 3 else None,
            self.with_run,
            lambda now: msgspec.structs.replace(now, ended="finished", is_complete=True),
            self.save,
        )
        return run_sequence.measure(
            steps, record, FILE, should_stop, lambda _record, step: self.shown.append(step)
        )


def test_every_run_is_shown_before_it_is_made_and_saved_after_it() -> None:
    job = Job()
    end = job.measure(Count(), lambda: False)
    assert end.failure is None
    assert [each.made for each in job.saved] == [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3)]
    assert job.shown == [1, 2, 3, None]
    assert job.saved[-1] == end.record
    assert (end.record.ended, end.record.is_complete) == ("finished", True)


def test_a_job_goes_on_after_the_runs_that_it_has() -> None:
    job = Job()
    job.measure(Count(made=(1, 2)), lambda: False)
    assert job.shown == [3, None]


def test_a_job_that_is_stopped_between_two_runs_saves_what_it_has() -> None:
    job = Job()
    end = job.measure(Count(), lambda: len(job.shown) == 2)
    assert (end.record.made, end.record.ended, end.record.is_complete) == (
        (1, 2),
        "interrupted",
        False,
    )
    assert job.saved[-1] == end.record
    assert end.failure is None


@pytest.mark.parametrize(
    ("error", "ended", "has_failure"),
    [(RunInterrupted(), "interrupted", False), (BenchError("no server"), "failed", True)],
)
def test_a_run_that_ends_the_job_leaves_what_was_made_before(
    error: Exception, ended: str, has_failure: bool
) -> None:
    def run(step: int) -> None:
        if step == 2:
            raise error

    job = Job(run)
    end = job.measure(Count(), lambda: False)
    assert (end.record.made, end.record.ended) == ((1,), ended)
    assert job.saved[-1] == end.record
    assert (end.failure is not None) == has_failure


def test_an_error_of_saving_ends_the_job_and_is_the_one_that_is_told() -> None:
    job = Job(saves=2)
    end = job.measure(Count(), lambda: False)
    assert end.record.made == (1, 2)
    assert "the disk is full" in str(end.failure)

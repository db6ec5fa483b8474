"""Makes the runs of a job one by one. Its record, which is also its state, is saved after each."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Literal, TypeVar

import msgspec

from bench.errors import BenchError
from bench.jobs import runs

Ending = Literal["finished", "budget", "interrupted", "failed"]
"""Why no further run is made, as the field ``ended`` of every job's record says it."""
RecordT = TypeVar("RecordT", bound=msgspec.Struct)
StepT = TypeVar("StepT")


@dataclass(frozen=True)
class RunSequence(Generic[RecordT, StepT]):
    """What one kind of job does, of which ``StepT`` names a run."""

    next_step: Callable[[RecordT], StepT | None]
    """Returns the next run; None where none is left, or none fits the budget."""
    with_run: Callable[[RecordT, StepT], RecordT]
    """Makes a run and returns the record with it, or with why there is none. Raises RunInterrupted,
    and the error of a run after which no other one can be made."""
    ending: Callable[[RecordT], RecordT]
    """Returns the record without a next run, with why it ends and whether it is complete."""
    save: Callable[[RecordT, Path], None]


@dataclass(frozen=True)
class JobEnd(Generic[RecordT]):
    """A record to which no run is added now. ``failure`` is the error that ended the job early."""

    record: RecordT
    failure: BenchError | None = None


def measure(
    sequence: RunSequence[RecordT, StepT],
    record: RecordT,
    path: Path,
    should_stop: Callable[[], bool],
    watch: Callable[[RecordT, StepT | None], None],
) -> JobEnd[RecordT]:
    """Make all remaining runs and return the record, which is saved at ``path`` after each.

    It ends early once ``should_stop`` returns True, and with an error of ``with_run``. ``watch``
    takes the record so far and the run that is about to be made, None after the last one.
    """
    sequence.save(record, path)
    try:
        while (step := sequence.next_step(record)) is not None:
            if should_stop():
                raise runs.RunInterrupted
            watch(record, step)
            record = sequence.with_run(record, step)
            sequence.save(record, path)
    except runs.RunInterrupted:
        record = msgspec.structs.replace(record, ended="interrupted")
        sequence.save(record, path)
        return JobEnd(record)
    except BenchError as failure:
        record = msgspec.structs.replace(record, ended="failed")
        with contextlib.suppress(BenchError):  # as where the failure is that of saving
            sequence.save(record, path)
        return JobEnd(record, failure)
    record = sequence.ending(record)
    sequence.save(record, path)
    watch(record, None)
    return JobEnd(record)

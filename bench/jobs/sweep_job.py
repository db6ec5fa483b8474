"""Makes the trials of a sweep one by one. The record is saved after each."""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from bench.analysis.sweep import has_time, next_trial, trial_row
from bench.errors import BenchError, MeasurementError, RunAborted
from bench.jobs import runs
from bench.records import run_record, sweep_record
from bench.records.sweep_record import SweepRecord, SweepTrial

Ending = Literal["finished", "budget", "interrupted", "failed"]
OnSweepTrial = Callable[[SweepRecord, tuple[int, int] | None], None]
"""Takes the record so far and the trial that is under way, None after the last one."""


def trials_folder(path: Path) -> Path:
    """The folder with the trials' records of the sweep record at ``path``."""
    return path.with_name(f"{path.stem}-trials")


@dataclass(frozen=True)
class SweepEnd:
    """A sweep to which no trial is added now. ``failure`` is the error that ended it early."""

    record: SweepRecord
    failure: BenchError | None = None


def measure(
    record: SweepRecord,
    path: Path,
    url: str | None,
    should_stop: Callable[[], bool],
    watch: OnSweepTrial,
) -> SweepEnd:
    """Make all remaining trials that fit the budget and return the record, saved after each.

    ``url`` is an existing server, or None to start one for each trial. It ends early once
    ``should_stop`` returns True, and with the error of a trial that could not begin.
    """
    sweep_record.save(record, path)
    try:
        while (trial := next_trial(record)) is not None:
            if should_stop():
                raise runs.RunInterrupted
            if record.trials and not has_time(record, trial[0]):
                return SweepEnd(_ended(record, path, "budget"))
            watch(record, trial)
            record = _with_trial(record, trial, path, url, should_stop, watch)
            sweep_record.save(record, path)
    except runs.RunInterrupted:
        return SweepEnd(_ended(record, path, "interrupted"))
    except BenchError as failure:
        with contextlib.suppress(BenchError):  # as where the failure is that of saving
            record = _ended(record, path, "failed")
        return SweepEnd(record, failure)
    record = _ended(msgspec.structs.replace(record, is_complete=True), path, "finished")
    watch(record, None)
    return SweepEnd(record)


def _ended(record: SweepRecord, path: Path, how: Ending) -> SweepRecord:
    ended = msgspec.structs.replace(record, ended=how)
    sweep_record.save(ended, path)
    return ended


def _with_trial(
    record: SweepRecord,
    trial: tuple[int, int],
    path: Path,
    url: str | None,
    should_stop: Callable[[], bool],
    watch: OnSweepTrial,
) -> SweepRecord:
    level, repetition = trial
    file = trials_folder(path) / f"{len(record.trials) + 1:03d}-level-{level + 1:02d}.json"
    _forget(file)
    began_s = time.monotonic()
    options = runs.RunOptions(arguments_of(record, trial), file, url)
    try:
        run = runs.make(options, should_stop, lambda: watch(record, trial))
    except RunAborted:
        if url is not None or not file.exists():
            raise  # the next trial would load the same server again
        run = run_record.load(file)
    except MeasurementError as error:
        if not any(each.file for each in record.trials):
            raise  # the other trials would fail as well
        failed = SweepTrial(
            level=level,
            repetition=repetition,
            seed=_seed(record, repetition),
            took_s=time.monotonic() - began_s,
            problem=str(error),
        )
        return msgspec.structs.replace(record, trials=[*record.trials, failed])
    row = trial_row(record, trial, run, time.monotonic() - began_s, file.name)
    if not record.environment:
        record = msgspec.structs.replace(record, environment=run.environment, server=run.server)
    return msgspec.structs.replace(record, trials=[*record.trials, row])


def _forget(file: Path) -> None:
    """Remove what an interrupted trial has left, which would pass for the result of this one."""
    with contextlib.suppress(OSError):  # the run tells why it cannot write there
        file.unlink()


def arguments_of(record: SweepRecord, trial: tuple[int, int]) -> list[str]:
    """Arguments of ``bench run`` for a trial. All trials of a repetition draw by the same seed."""
    level, repetition = trial
    settings = record.levels[level].settings
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
    return [*record.words, *flags, f"--seed={_seed(record, repetition)}"]


def _seed(record: SweepRecord, repetition: int) -> int:
    return record.scenario.seed + repetition - 1

"""Makes the trials of a sweep one by one. The record is saved after each."""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from bench.analysis.sweep import has_time, next_trial, trial_row
from bench.errors import MeasurementError, RunAborted
from bench.jobs import run_sequence, runs
from bench.jobs.run_sequence import Ending, JobEnd, RunSequence
from bench.records import run_record, sweep_record
from bench.records.sweep_record import SweepRecord, SweepTrial

OnSweepTrial = Callable[[SweepRecord, tuple[int, int] | None], None]
"""Takes the record so far and the trial that is under way, None after the last one."""


def trials_folder(path: Path) -> Path:
    """The folder with the trials' records of the sweep record at ``path``."""
    return path.with_name(f"{path.stem}-trials")


def measure(
    record: SweepRecord,
    path: Path,
    url: str | None,
    should_stop: Callable[[], bool],
    watch: OnSweepTrial,
) -> JobEnd[SweepRecord]:
    """Make all remaining trials that fit the budget and return the record, saved after each.

    ``url`` is an existing server, or None to start one for each trial. It ends early once
    ``should_stop`` returns True, and with the error of a trial that could not begin.
    """

    def with_trial(now: SweepRecord, trial: tuple[int, int]) -> SweepRecord:
        return _with_trial(now, trial, path, url, should_stop, watch)

    steps = RunSequence(_next_in_time, with_trial, _ending, sweep_record.save)
    return run_sequence.measure(steps, record, path, should_stop, watch)


def _next_in_time(record: SweepRecord) -> tuple[int, int] | None:
    """The next trial that fits the budget; the first one is made in any case."""
    trial = next_trial(record)
    if trial is None or (record.trials and not has_time(record, trial[0])):
        return None
    return trial


def _ending(record: SweepRecord) -> SweepRecord:
    is_complete = next_trial(record) is None
    ended: Ending = "finished" if is_complete else "budget"
    return msgspec.structs.replace(record, is_complete=is_complete, ended=ended)


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

"""Makes the runs of ``bench chaos`` one by one. The record is saved after each."""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from bench.analysis.chaos import next_run, run_row, spreads
from bench.errors import BenchError, MeasurementError, UsageError
from bench.jobs import runs
from bench.records import chaos_record
from bench.records.chaos_record import ChaosCase, ChaosRecord, ChaosRun, LeftOut

Ending = Literal["finished", "interrupted", "failed"]
OnRun = Callable[[ChaosRecord, tuple[ChaosCase, int] | None], None]
"""Takes the record so far and the run that is under way, None after the last one."""


def runs_folder(path: Path) -> Path:
    """The folder with the run records of the record at ``path``."""
    return path.with_name(f"{path.stem}-runs")


@dataclass(frozen=True)
class ChaosEnd:
    """A record to which no run is added now. ``failure`` is the error that ended it early."""

    record: ChaosRecord
    failure: BenchError | None = None


def measure(
    record: ChaosRecord,
    path: Path,
    url: str | None,
    should_stop: Callable[[], bool],
    watch: OnRun,
) -> ChaosEnd:
    """Make all remaining runs and return the record, which is saved after each.

    ``url`` is an existing server, or None to start one for each run. It ends early once
    ``should_stop`` returns True, and with the error of a run that could not begin.
    """
    chaos_record.save(record, path)
    try:
        while (step := next_run(record)) is not None:
            if should_stop():
                raise runs.RunInterrupted
            watch(record, step)
            record = _with_run(record, step, path, url, should_stop, watch)
            chaos_record.save(record, path)
    except runs.RunInterrupted:
        return ChaosEnd(_ended(record, path, "interrupted"))
    except BenchError as failure:
        with contextlib.suppress(BenchError):  # as where the failure is that of saving
            record = _ended(record, path, "failed")
        return ChaosEnd(record, failure)
    record = _ended(msgspec.structs.replace(record, is_complete=True), path, "finished")
    watch(record, None)
    return ChaosEnd(record)


def _ended(record: ChaosRecord, path: Path, how: Ending) -> ChaosRecord:
    ended = msgspec.structs.replace(record, ended=how)
    chaos_record.save(ended, path)
    return ended


def _with_run(
    record: ChaosRecord,
    step: tuple[ChaosCase, int],
    path: Path,
    url: str | None,
    should_stop: Callable[[], bool],
    watch: OnRun,
) -> ChaosRecord:
    case, number = step
    seed = record.scenario.seed + number - 1
    file = runs_folder(path) / f"{case.name}-{number:02d}.json"
    began_s = time.monotonic()
    options = runs.RunOptions(_arguments(record, case, seed), file, url)
    try:
        run = runs.make(options, should_stop, lambda: watch(record, step))
    except UsageError as error:
        if not case.starts_topology:
            raise  # all other runs would be refused as well
        left_out = LeftOut(name=case.name, reason=str(error), is_asked=case.is_asked)
        return msgspec.structs.replace(record, left_out=[*record.left_out, left_out])
    except MeasurementError as error:
        if not any(each.file for each in record.runs):
            raise  # it would fail with any fault
        failed = ChaosRun(
            name=case.name,
            number=number,
            seed=seed,
            took_s=time.monotonic() - began_s,
            problem=str(error),
        )
        return msgspec.structs.replace(record, runs=[*record.runs, failed])
    row = run_row(case, number, run, time.monotonic() - began_s, file.name)
    if not record.environment:
        record = msgspec.structs.replace(record, environment=run.environment, server=run.server)
    record = msgspec.structs.replace(record, runs=[*record.runs, row])
    return msgspec.structs.replace(record, spreads=spreads(record))


def _arguments(record: ChaosRecord, case: ChaosCase, seed: int) -> list[str]:
    """Arguments of ``bench run`` for a run with this fault."""
    return [
        *record.words,
        *case.arguments,
        f"--seed={seed}",
        f"--faults={case.plan}",
        *(f"--slo={each}" for each in case.run_slo),
    ]

"""Makes the runs of ``bench chaos`` one by one. The record is saved after each."""

import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from bench.analysis.chaos import next_run, run_row, spreads
from bench.errors import MeasurementError, UsageError
from bench.jobs import run_sequence, runs
from bench.jobs.run_sequence import JobEnd, RunSequence
from bench.records import chaos_record
from bench.records.chaos_record import ChaosCase, ChaosRecord, ChaosRun, LeftOut

OnRun = Callable[[ChaosRecord, tuple[ChaosCase, int] | None], None]
"""Takes the record so far and the run that is under way, None after the last one."""


def runs_folder(path: Path) -> Path:
    """The folder with the run records of the record at ``path``."""
    return path.with_name(f"{path.stem}-runs")


def measure(
    record: ChaosRecord,
    path: Path,
    url: str | None,
    should_stop: Callable[[], bool],
    watch: OnRun,
) -> JobEnd[ChaosRecord]:
    """Make all remaining runs and return the record, which is saved after each.

    ``url`` is an existing server, or None to start one for each run. It ends early once
    ``should_stop`` returns True, and with the error of a run that could not begin.
    """

    def with_run(now: ChaosRecord, step: tuple[ChaosCase, int]) -> ChaosRecord:
        return _with_run(now, step, path, url, should_stop, watch)

    steps = RunSequence(next_run, with_run, _ending, chaos_record.save)
    return run_sequence.measure(steps, record, path, should_stop, watch)


def _ending(record: ChaosRecord) -> ChaosRecord:
    return msgspec.structs.replace(record, is_complete=True, ended="finished")


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

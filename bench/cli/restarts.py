"""``bench run --restarts N``: the same run several times, each with processes of its own."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench import files
from bench.analysis.fault_spread import fault_spreads
from bench.analysis.restarts import spreads
from bench.cli.messages import notify
from bench.errors import ExitCode
from bench.records import restarts_record, run_record, timestamps
from bench.records.restarts_record import RestartsRecord, StartedRun
from bench.records.run_record import RunRecord

RunOnce = Callable[[Path, int], tuple[RunRecord, bool]]
"""Measures once, as the run of this number from 1, and saves the record there; returns it, and
whether the run was interrupted."""


def run_restarts(
    run_once: RunOnce, starts: int, path: Path, *, is_quiet: bool
) -> tuple[RestartsRecord, ExitCode]:
    """Measure ``starts`` times, and save every run beside the record of all of them.

    A run that is interrupted or ended by a guard ends them. Returns the record of all, and the
    gravest exit code of any run.
    """
    started_at, began_s = timestamps.now(), time.monotonic()
    finished: list[RunRecord] = []
    runs: list[StartedRun] = []
    code, is_interrupted = ExitCode.PASSED, False
    while len(finished) < starts and not is_interrupted and code is not ExitCode.ABORTED:
        file = file_of_start(path, len(finished) + 1)
        record, is_interrupted = run_once(file, len(finished) + 1)
        finished.append(record)
        runs.append(
            StartedRun(
                file=str(file),
                verdict=record.verdict,
                seed=record.scenario.seed,
                inversions=record.inversions,
                slo=record.slo,
            )
        )
        made = RestartsRecord(
            started_at=started_at,
            duration_s=time.monotonic() - began_s,
            command=record.command,
            starts=starts,
            is_complete=len(finished) == starts and not is_interrupted,
            scenario=record.scenario,
            environment=record.environment,
            server=record.server,
            runs=runs,
            spreads=spreads(finished),
            faults=fault_spreads(finished),
        )
        files.save(path, restarts_record.encode(made))  # a later start may fail
        code = ExitCode.INTERRUPTED if is_interrupted else _graver(code, record)
        if not is_quiet:
            notify(f"start {len(finished)} of {starts}: {record.verdict.replace('_', ' ')}, {file}")
    return made, code


def file_of_start(path: Path, number: int) -> Path:
    """Returns the file of the record of a start, the first of which has number 1."""
    return path.with_name(f"{path.stem}-{number}.json")


def show(record: RestartsRecord, path: Path, *, as_json: bool) -> None:
    """Print the report, or the record as JSON."""
    if as_json:
        sys.stdout.write(restarts_record.encode(record).decode())
        return
    from bench.reports.restarts import print_restarts  # noqa: PLC0415 - rarely needed

    print_restarts(record, path)


def _graver(code: ExitCode, record: RunRecord) -> ExitCode:
    """The graver of two codes: a guard that held, an invalid measurement, a missed objective,
    something left."""
    order = (
        *(ExitCode.ABORTED, ExitCode.INVALID, ExitCode.SLO_MISSED),
        *(ExitCode.UNREACHABLE, ExitCode.PASSED),
    )
    return min(code, run_record.exit_code(record), key=order.index)

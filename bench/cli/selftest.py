"""``bench selftest``: what this machine measures of what is known."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bench import files, result_files, units
from bench.cli.command_line import command_line
from bench.cli.interrupts import interruptible
from bench.cli.measuring import RecordFlags
from bench.cli.messages import notify
from bench.errors import ExitCode
from bench.records import selftest_record, timestamps
from bench.records.selftest_record import SelftestRecord
from bench.reports.selftest import print_selftest
from bench.reports.selftest_progress import selftest_view


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class SelftestFlags(RecordFlags):
    """How thorough it is, and where the result goes."""

    quick: Annotated[
        bool, Parameter(help="Plant fewer delays and repeat less: half a minute, not two.")
    ] = False


def selftest(*, how: SelftestFlags | None = None) -> int:
    """Plant known delays, losses and doubles on this machine, and show what is measured of them.

    It has a server of its own. Exits 0 when everything that was planted was measured within the
    stated error, 4 when something was not, and 3 when the machine was too busy to tell.
    """
    from bench.analysis.selftest import exit_code  # noqa: PLC0415 - a help needs no statistics
    from bench.selftest import job, steps  # noqa: PLC0415 - nor connections
    from bench.selftest.plan import FULL, QUICK  # noqa: PLC0415

    how = how or SelftestFlags()
    result_files.use(how.results)
    path = how.output or result_files.new_file("selftest")
    files.require_file(path, "it is saved after each step")
    files.require_writable(path)
    plan = QUICK if how.quick else FULL
    record = SelftestRecord(started_at=timestamps.now(), command=command_line(), is_quick=how.quick)
    view = selftest_view([*steps.STEPS], plan.planned_s, is_quiet=how.hides_progress)
    if not how.hides_progress:
        notify(f"planned: {units.format_duration(plan.planned_s)} on an idle machine")
    with interruptible() as should_stop, view as watch:
        end = job.measure(record, path, plan, should_stop, watch, steps.STEPS)
    code = exit_code(end.record)
    if end.record.steps and how.shows_report(path, code):
        _show(end.record, path, as_json=how.json)
    if end.failure is not None:
        raise end.failure
    if code is ExitCode.INTERRUPTED:
        notify(f"interrupted: {path} has the steps that were carried out")
    return code


def _show(record: SelftestRecord, path: Path, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(selftest_record.encode(record).decode())
    else:
        print_selftest(record, path)

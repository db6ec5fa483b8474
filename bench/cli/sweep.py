"""``bench sweep``: one scenario at several loads or settings: latency against load as a curve."""

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from bench import files, result_files
from bench.analysis.sweep import exit_code, spent_s
from bench.cli.arguments import WHOLE, read_flag, require_nothing_else
from bench.cli.field_flags import FieldFlags, flags_for
from bench.cli.groups import COMMON, OUTPUT, SEARCH
from bench.cli.interrupts import interruptible
from bench.cli.measuring import MeasuringFlags
from bench.cli.messages import notify
from bench.cli.options import ServerFlags
from bench.cli.sweep_plan import SweepRequest, planned
from bench.errors import ExitCode, UsageError, quoted
from bench.inert import visible
from bench.jobs import sweep_job
from bench.jobs.run_sequence import JobEnd
from bench.records import sweep_record
from bench.records.sweep_record import SweepRecord
from bench.reports.sweep_progress import opening, sweep_view
from bench.workload import library
from bench.workload.fields import FIELDS
from bench.workload.quantities import read_duration

_DEFAULT_BUDGET = "1h"
_SPACINGS = ("linear", "geometric")
_CHOSEN = {
    "until": "all trials have one length, so that they can be compared",
    "faults": "a sweep shows latency when nothing disturbs it; 'bench chaos' makes faults",
}
"""Field of the scenario to the reason why the command line cannot give it."""


@flags_for(FIELDS.values(), library.DEFAULT, hidden=_CHOSEN)
class _SweptFields(FieldFlags):
    """Overrides of single fields of the scenario that all levels have."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class SweepFields(_SweptFields):
    """Fields of the scenario, of which the rate may have several values."""

    rate: Annotated[
        str | None,
        Parameter(
            alias="-r",
            group=COMMON,
            metavar="RATES",
            help="Offered rates: a range with the number of levels, or a list. "
            "Example: 1000/s..20000/s/10",
        ),
    ] = None


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class SweepFlags(MeasuringFlags):
    """Which levels are tried, how often, and where the results go."""

    levels: Annotated[
        list[str] | None,
        Parameter(
            alias="-L",
            group=SEARCH,
            metavar="FIELD=VALUES",
            help="Values of a field of the scenario: a list, or a range of a rate or a whole "
            "number with how many; ';' separates values that hold commas. Given several times, "
            "every combination is tried. Example: prefetch=1,8,64",
        ),
    ] = None
    spacing: Annotated[
        str,
        Parameter(
            group=SEARCH,
            metavar="linear|geometric",
            help="Whether the values of a range are equally far apart, or have equal ratios.",
        ),
    ] = "linear"
    repeat: Annotated[
        int,
        WHOLE,
        Parameter(
            group=SEARCH,
            help="Trials of each level. Every level is tried once, in an order drawn by the seed, "
            "before any is repeated. Example: 5",
        ),
    ] = 1
    budget: Annotated[
        str | None,
        Parameter(
            group=SEARCH,
            metavar="DURATION",
            help="Most time for all trials (1h); with --resume, the time from then on. "
            "Example: 15m",
        ),
    ] = None
    dry_run: Annotated[
        bool,
        Parameter(group=OUTPUT, help="Show the levels and the time that they take; run nothing."),
    ] = False
    resume: Annotated[
        Path | None,
        Parameter(
            group=SEARCH,
            metavar="RECORD",
            help="Record of a sweep to continue, interrupted or out of time. "
            "Example: results/20260101-120000-sweep.json",
        ),
    ] = None


def sweep(
    scenario: str | None = None,
    /,
    *,
    flags: SweepFields | None = None,
    where: ServerFlags | None = None,
    how: SweepFlags | None = None,
) -> int:
    """Run a scenario at several rates or settings, and show latency against load.

    Exits 0 when all trials were made and any of them is valid, 4 when none is, and 3 when the
    budget ended first. A level that is not valid is shown with its verdict: that a queue stops
    keeping up is a result.

    Parameters
    ----------
    scenario
        A built-in scenario ('default' by default) or a TOML file.
    """
    flags, where, how = flags or SweepFields(), where or ServerFlags(), how or SweepFlags()
    url = how.server_url(where)
    if how.resume is not None:
        kept = ("json", "quiet", "budget")
        require_nothing_else(how.resume, scenario, flags, how, kept=kept)
        path, record = how.resume, _continued(sweep_record.load(how.resume), how.budget)
    else:
        record = _new(scenario or library.DEFAULT, flags, url, how)
        if how.dry_run:
            return _show_plan(record, how)
        result_files.use(how.results)
        path = how.output or result_files.new_file("sweep")
    files.require_file(path, "it is saved after each trial")
    files.require_writable(sweep_job.trials_folder(path) / "trial.json")
    if not how.hides_progress:
        sys.stderr.write(visible(opening(record, str(path)), keep="\n") + "\n")
    with interruptible() as should_stop, sweep_view(how.hides_progress) as watch:
        end = sweep_job.measure(record, path, url, should_stop, watch)
    if not how.quiet:
        where.warn_of_password()
    return _ended(end, path, how)


def _ended(end: JobEnd[SweepRecord], path: Path, how: SweepFlags) -> ExitCode:
    """Show what was measured; returns the exit code, and raises the error that ended the sweep."""
    code = exit_code(end.record)
    if end.record.trials and how.shows_report(path, code):
        _show(end.record, path, how)
    if end.failure is not None:
        raise end.failure
    if not end.record.is_complete:
        why = "interrupted" if code is ExitCode.INTERRUPTED else "the budget ended"
        notify(f"{why}; continue with: bench sweep --resume {shlex.quote(str(path))}")
    return code


def _show(record: SweepRecord, path: Path, how: SweepFlags) -> None:
    if how.json:
        sys.stdout.write(sweep_record.encode(record).decode())
        return
    from bench.reports.sweep import print_sweep  # noqa: PLC0415 - only the end needs it

    print_sweep(record, path)


def _show_plan(record: SweepRecord, how: SweepFlags) -> ExitCode:
    if how.json:
        sys.stdout.write(sweep_record.encode(record).decode())
    elif not how.quiet:
        from bench.reports.sweep import print_sweep_plan  # noqa: PLC0415 - likewise

        print_sweep_plan(record)
    return ExitCode.PASSED


def _continued(record: SweepRecord, budget: str | None) -> SweepRecord:
    """Returns a saved sweep with time to go on: that of the flag, else as much as it had."""
    if record.is_complete:
        return record
    more_s = None if budget is None else read_flag("--budget", read_duration, budget)
    limit_s = record.budget_s
    if more_s is not None:
        limit_s = spent_s(record) + more_s
    elif record.ended == "budget":
        limit_s += record.budget_s
    return msgspec.structs.replace(record, budget_s=limit_s, ended="")


def _new(name: str, flags: SweepFields, url: str | None, how: SweepFlags) -> SweepRecord:
    changes = flags.changes()
    for field, why in _CHOSEN.items():
        if field in changes:
            raise UsageError(f"--{field}: {why}; leave it out")
    if how.spacing not in _SPACINGS:
        raise UsageError(f"--spacing: {quoted(how.spacing)} is not linear or geometric")
    request = SweepRequest(
        scenario_name=name,
        changes=changes,
        levels=how.levels or (),
        is_geometric=how.spacing == "geometric",
        repeat=how.repeat,
        budget_s=read_flag("--budget", read_duration, how.budget or _DEFAULT_BUDGET),
        server_flags=how.server_flags(),
        has_server=url is not None,
    )
    return planned(request)

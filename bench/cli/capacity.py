"""``bench capacity``: the highest rate that meets all objectives, per number of workers."""

import secrets
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bench import files, result_files, units
from bench.analysis.capacity.budget import extended
from bench.analysis.capacity.effort import effort_for, held_out_levels
from bench.analysis.capacity.evidence import ending, lacks_time
from bench.cli.arguments import flags_of, read_flag, require_nothing_else, require_within
from bench.cli.capacity_view import opening
from bench.cli.command_line import command_line
from bench.cli.field_flags import FieldFlags, flags_for
from bench.cli.groups import OUTPUT, SEARCH
from bench.cli.interrupts import interruptible
from bench.cli.measuring import MeasuringFlags
from bench.cli.messages import notify
from bench.cli.options import ServerFlags, settled
from bench.errors import ExitCode, UsageError, quoted
from bench.inert import visible
from bench.jobs import capacity_job
from bench.records import capacity_record, timestamps
from bench.records.capacity_record import Axis, CapacityRecord
from bench.reports.capacity import print_capacity
from bench.reports.capacity_progress import search_view
from bench.secrets import holds_secret
from bench.workload import until_checks
from bench.workload.fields import FIELDS
from bench.workload.quantities import read_duration
from bench.workload.scenario_fields import MAX_CONCURRENCY, MOST_WORKERS
from bench.workload.value_type import whole_number

_DEFAULT_SCENARIO = "capacity"
_DEFAULT_BUDGET = "10m"
_CHOSEN = {
    "rate": "the search chooses it",
    "duration": "--budget gives it",
    "stages": "a trial is at one rate",
    "tasks": "--budget gives it",
    "until": "all trials have one length, so that they can be compared",
    "faults": "a rate is sustained when nothing disturbs it; 'bench run' has faults",
}
"""Field of the scenario to the reason why the command line cannot give it."""


@flags_for(FIELDS.values(), _DEFAULT_SCENARIO, hidden=_CHOSEN)
class _SearchedFields(FieldFlags):
    """Overrides of single fields of the scenario that a search varies."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class CapacityFlags(_SearchedFields):
    """Fields of the scenario, and the levels to search."""

    workers: Annotated[
        str | None,
        Parameter(
            group=SEARCH,
            metavar="COUNT,…",
            help="Numbers of worker processes to search. Example: 1,2,4,8",
        ),
    ] = None
    slots: Annotated[
        str | None,
        Parameter(
            group=SEARCH,
            metavar="COUNT,…",
            help="Or numbers of concurrent tasks in one worker. Example: 1,2,4,8",
        ),
    ] = None

    def levels(self) -> tuple[Axis, list[int]]:
        """Returns what is varied, and its values. Raises UsageError for invalid levels."""
        if (self.workers is None) == (self.slots is None):
            raise UsageError("no levels to search: add either --workers 1,2,4 or --slots 1,2,4,8")
        axis: Axis = "workers" if self.workers is not None else "slots"
        return axis, _levels(f"--{axis}", self.workers or self.slots or "")

    def changes(self) -> dict[str, object]:
        """Returns the scenario's fields that were given."""
        given = super().changes()
        return {name: each for name, each in given.items() if name not in ("workers", "slots")}


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class SearchFlags(MeasuringFlags):
    """How to search, and where the results go."""

    budget: Annotated[
        str | None,
        Parameter(
            group=SEARCH,
            metavar="DURATION",
            help="Time for the whole search, which sets the length of its trials (10m); with "
            "--resume, the time from then on. Example: 30m",
        ),
    ] = None
    width: Annotated[
        str,
        Parameter(
            group=SEARCH,
            metavar="SHARE",
            help="How close the two bounds of a rate must be. Example: 2%",
        ),
    ] = "5%"
    resume: Annotated[
        Path | None,
        Parameter(
            group=SEARCH,
            metavar="RECORD",
            help="Record of a search to continue, interrupted or out of time. "
            "Example: results/20260101-120000-capacity.json",
        ),
    ] = None
    quiet: Annotated[
        bool, Parameter(alias="-q", group=OUTPUT, help="Show no progress and no report.")
    ] = False


def capacity(
    scenario: str | None = None,
    /,
    *,
    flags: CapacityFlags | None = None,
    where: ServerFlags | None = None,
    how: SearchFlags | None = None,
) -> int:
    """Find the highest rate that meets all objectives, for each number of workers.

    Exits 0 when any number of workers is proven to sustain a rate, 5 when none does, and 3 when the
    budget ended before either was proven.

    Parameters
    ----------
    scenario
        A built-in scenario ('capacity' by default) or a TOML file. The search chooses the rate and
        the duration.
    """
    flags, where, how = flags or CapacityFlags(), where or ServerFlags(), how or SearchFlags()
    url = how.server_url(where)
    if how.resume is not None:
        require_nothing_else(how.resume, scenario, flags, how, kept=("json", "quiet", "budget"))
        path, record = how.resume, _continued(capacity_record.load(how.resume), how.budget)
    else:
        record = _new(scenario or _DEFAULT_SCENARIO, flags, how)
        result_files.use(how.results)
        path = how.output or result_files.new_file("capacity")
    files.require_file(path, "the search is saved after each trial")
    if not how.hides_progress:
        sys.stderr.write(visible(opening(record, str(path)), keep="\n") + "\n")
    with interruptible() as should_stop, search_view(how.hides_progress) as watch:
        end = capacity_job.measure(record, path, url, should_stop, watch)
    _show(end.record, path, how)
    if end.failure is not None:
        raise end.failure
    if end.record.ended == "interrupted":
        notify(f"interrupted; continue with: bench capacity --resume {shlex.quote(str(path))}")
        return ExitCode.INTERRUPTED
    return _exit_code(end.record)


def _show(record: CapacityRecord, path: Path, how: SearchFlags) -> None:
    """Prints the record or the report, also of a search that ended early once it tried a rate."""
    if not record.is_complete and not record.levels:
        return
    if how.json:
        sys.stdout.write(capacity_record.encode(record).decode())
    elif not how.quiet:
        print_capacity(record, path)


def _exit_code(record: CapacityRecord) -> ExitCode:
    if any(level.lower_per_s is not None for level in record.levels):
        return ExitCode.PASSED
    return ExitCode.INCONCLUSIVE if lacks_time(record) else ExitCode.SLO_MISSED


def _continued(record: CapacityRecord, budget: str | None) -> CapacityRecord:
    """Returns a saved search with time to go on; one that is finished as it is."""
    more_s = None if budget is None else read_flag("--budget", read_duration, budget)
    return record if ending(record) == "finished" else extended(record, more_s)


def _new(name: str, flags: CapacityFlags, how: SearchFlags) -> CapacityRecord:
    axis, asked = flags.levels()
    _require_free(flags.changes())
    scenario, effective = settled(name, flags.changes())
    until_checks.require_none(scenario, until_checks.ONE_LENGTH)
    if scenario.faults:
        raise UsageError(f"faults: {_CHOSEN['faults']}; remove them from the scenario")
    if not scenario.slo:
        raise UsageError("no objective to search for: add one, such as --slo 'e2e.p99 < 50ms'")
    if not scenario.has_workers or scenario.external_workers:
        raise UsageError("the search starts its own workers; remove --external-workers")
    if scenario.is_observed and (axis == "slots" or scenario.worker_command is None):
        raise UsageError(
            "the search starts its own workers; for external ones, give a --worker-command and "
            "levels with --workers"
        )
    changes = {key: value for key, value in effective.items() if key not in ("slo", "abort")}
    server = list(flags_of(how.server_flags()))
    if holds_secret([*flags_of(changes), *server]):
        raise UsageError(
            "the record and process lists would show a secret in these flags: set it in the "
            "environment, which workers inherit"
        )
    budget_s = read_flag("--budget", read_duration, how.budget or _DEFAULT_BUDGET)
    width = read_flag("--width", units.parse_share, how.width)
    return CapacityRecord(
        id=secrets.token_hex(4),
        started_at=timestamps.now(),
        command=command_line(),
        scenario=scenario,
        words=[name, *flags_of(changes), *server],
        axis=axis,
        asked=asked,
        slo=list(scenario.slo),
        effort=effort_for(
            budget_s,
            len(asked),
            len(held_out_levels(asked)),
            width,
        ),
        trials=[],
        levels=[],
        predictions=[],
        scaling=None,
        service=None,
        redis=None,
        environment={},
        server={},
        is_complete=False,
    )


def _levels(flag: str, text: str) -> list[int]:
    written = [whole_number(part.strip()) for part in text.split(",") if part.strip()]
    levels = sorted({number for number in written if number is not None})
    if None in written:
        raise UsageError(
            f"{flag}: {quoted(text)} is not a list of numbers; use for example 1,2,4,8"
        )
    if not levels or levels[0] < 1:
        raise UsageError(
            f"{flag}: {text!r} holds no level, or one below 1; use for example 1,2,4,8"
        )
    require_within(flag, levels[-1], 1, MOST_WORKERS if flag == "--workers" else MAX_CONCURRENCY)
    return levels


def _require_free(given: Mapping[str, object]) -> None:
    for name, why in _CHOSEN.items():
        if name in given:
            raise UsageError(f"--{name}: {why}; leave it out")

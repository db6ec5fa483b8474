"""``bench chaos``: a set of faults, each in a run of its own, and one table at the end."""

import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bench import files, result_files
from bench.cli.arguments import WHOLE, flags_of, read_flag, require_nothing_else, require_within
from bench.cli.chaos_plan import ChaosServer, lease_arguments, planned, without_faults
from bench.cli.command_line import command_line
from bench.cli.field_flags import FieldFlags, flags_for
from bench.cli.groups import OF_FIELDS
from bench.cli.interrupts import interruptible
from bench.cli.measuring import MeasuringFlags
from bench.cli.messages import notify
from bench.cli.options import ServerFlags
from bench.cli.shared_flags import SharedServerFlags
from bench.cli.topology_flags import TopologyFlags
from bench.errors import ExitCode, UsageError
from bench.inert import visible
from bench.jobs import chaos_job
from bench.records import chaos_record, timestamps
from bench.records.chaos_record import ChaosRecord
from bench.reports.chaos import print_chaos
from bench.reports.chaos_progress import chaos_view, opening
from bench.secrets import holds_secret
from bench.workload import chaos as faults
from bench.workload.declaration import FieldGroup
from bench.workload.feed import payloads
from bench.workload.fields import FIELDS
from bench.workload.quantities import read_duration

_DEFAULT_SCENARIO = "chaos"
_MOST_REPEAT = 1000
_CHOSEN = {
    "until": "each fault is to happen, so all runs have their whole length",
    "faults": "this command makes its own, which --only chooses from; 'bench run' has others",
}
"""Field of the scenario to the reason why the command line cannot give it."""
_FAULTS = OF_FIELDS[FieldGroup.FAULTS]


@Parameter(name="*")
@flags_for(FIELDS.values(), _DEFAULT_SCENARIO, hidden=_CHOSEN)
class ChaosFields(FieldFlags):
    """Overrides of single fields of the scenario that all runs have."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ChaosFlags(SharedServerFlags, TopologyFlags, MeasuringFlags):
    """Which faults are made, on which server, and where the results go."""

    only: Annotated[
        list[str] | None,
        Parameter(
            group=_FAULTS,
            metavar="NAME,…",
            help="Make only these faults, separated by commas or as repeated flags: "
            f"{', '.join(faults.FAULTS)}. Example: restart,stall",
        ),
    ] = None
    lasts: Annotated[
        str,
        Parameter(
            group=_FAULTS,
            metavar="DURATION",
            help="How long a stall, a pause and a full memory last, and how long a worker that was "
            "killed is away. Example: 500ms",
        ),
    ] = "2s"
    repeat: Annotated[
        int,
        WHOLE,
        Parameter(
            group=_FAULTS,
            help="Number of runs with each fault, each with the next seed; from 6 on, medians have "
            "intervals. Example: 6",
        ),
    ] = 1
    resume: Annotated[
        Path | None,
        Parameter(
            group=_FAULTS,
            metavar="RECORD",
            help="Record of an interrupted command to continue. "
            "Example: results/20260101-120000-chaos.json",
        ),
    ] = None

    @property
    def named(self) -> list[str] | None:
        """The names that were given with --only; None without it."""
        if self.only is None:
            return None
        return [name.strip() for name in ",".join(self.only).split(",") if name.strip()]

    def run_flags(self) -> dict[str, object]:
        """Returns the flags that all runs have beside those of the scenario."""
        given = {"faults_on_shared": self.faults_on_shared, "allow_shared": self.allow_shared}
        return {**self.server_flags(), **{name: True for name, is_set in given.items() if is_set}}


def chaos(
    scenario: str | None = None,
    /,
    *,
    flags: ChaosFields | None = None,
    where: ServerFlags | None = None,
    how: ChaosFlags | None = None,
) -> int:
    """Make a set of faults, each in a run of its own, and show what each one costs.

    Exits 0 when every fault was made and measured and every objective met, 5 when an objective was
    missed, and 4 when a run could not be measured. Tasks that a fault explains as lost are no
    failure without an objective: --slo 'lost == 0'.

    Parameters
    ----------
    scenario
        A built-in scenario ('chaos' by default) or a TOML file without faults.
    """
    flags, where, how = flags or ChaosFields(), where or ServerFlags(), how or ChaosFlags()
    url = how.server_url(where)
    if how.resume is not None:
        require_nothing_else(how.resume, scenario, flags, how, kept=("json", "quiet"))
        path, record = how.resume, chaos_record.load(how.resume)
    else:
        record = _new(scenario or _DEFAULT_SCENARIO, flags.changes(), url, how)
        result_files.use(how.results)
        path = how.output or result_files.new_file("chaos")
    files.require_file(path, "it is saved after each run")
    files.require_writable(chaos_job.runs_folder(path) / "run.json")
    if not how.hides_progress:
        sys.stderr.write(visible(opening(record, str(path)), keep="\n") + "\n")
    with interruptible() as should_stop, chaos_view(how.hides_progress) as watch:
        end = chaos_job.measure(record, path, url, should_stop, watch)
    if not how.quiet:
        where.warn_of_password()
    from bench.analysis.chaos import exit_code  # noqa: PLC0415 - a help needs no statistics

    code = exit_code(end.record)
    if end.record.runs and how.shows_report(path, code):
        _show(end.record, path, how)
    if end.failure is not None:
        raise end.failure
    if code is ExitCode.INTERRUPTED:
        notify(f"interrupted; continue with: bench chaos --resume {shlex.quote(str(path))}")
    return code


def _show(record: ChaosRecord, path: Path, how: ChaosFlags) -> None:
    if how.json:
        sys.stdout.write(chaos_record.encode(record).decode())
    else:
        print_chaos(record, path)


def _new(name: str, changes: Mapping[str, object], url: str | None, how: ChaosFlags) -> ChaosRecord:
    """Returns a record without a run. Raises UsageError for what cannot be run."""
    for field, why in _CHOSEN.items():
        if field in changes:
            raise UsageError(f"--{field}: {why}; leave it out")
    require_within("--repeat", how.repeat, 1, _MOST_REPEAT)
    lasts_s = read_flag("--lasts", read_duration, how.lasts)
    how.own_replicas(url, is_distributed=False)
    chosen, effective = without_faults(name, changes)
    payloads(chosen)  # reports an unusable payload file before anything starts
    server = ChaosServer(url, how.topology, how.replicas, how.faults_on_shared)
    objectives = {"slo": changes["slo"]} if "slo" in changes else {}
    plan = planned(name, {**effective, **objectives}, chosen, how.named, lasts_s, server)
    words = [
        *(name, *flags_of({key: each for key, each in effective.items() if key != "seed"})),
        *lease_arguments(name, effective, chosen),
        *flags_of(how.run_flags()),
    ]
    if holds_secret(words):
        raise UsageError(
            "the record and process lists would show a secret in these flags: set it in the "
            "environment, which workers inherit"
        )
    return ChaosRecord(
        started_at=timestamps.now(),
        command=command_line(),
        scenario=chosen,
        words=words,
        repeat=how.repeat,
        run_s=chosen.planned_duration_s or 0.0,
        slo=list(dict.fromkeys(each for case in plan.cases for each in case.slo)),
        cases=list(plan.cases),
        left_out=list(plan.left_out),
        runs=[],
    )

"""``bench ab``: two arms measured alternately in one job, and a decision."""

import contextlib
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bench import files, result_files
from bench.analysis import comparability, metric_values
from bench.cli import ab_revisions
from bench.cli.ab_arms import (
    ReadArm,
    read_arm,
    read_flags,
    require_metrics,
    require_repository_used,
    require_runnable,
)
from bench.cli.ab_view import ab_view, opening
from bench.cli.arguments import WHOLE, read_flag, require_nothing_else, require_within
from bench.cli.command_line import command_line
from bench.cli.compare import SAME, DecisionFlags
from bench.cli.field_flags import ComparedFlags
from bench.cli.gate_outputs import GateOutputs
from bench.cli.groups import ARMS, OUTPUT
from bench.cli.interrupts import interruptible
from bench.cli.measuring import ResultsFlag
from bench.cli.messages import notify
from bench.cli.options import ServerFlags
from bench.errors import ExitCode
from bench.inert import visible
from bench.jobs import ab_conclusion, ab_job, ab_state, arms
from bench.jobs.ab_plan import NOISE_PAIRS, OVERHEAD_S, make_plan
from bench.jobs.ab_state import Job
from bench.jobs.arms import BASE, CANDIDATE
from bench.jobs.runs import RunInterrupted
from bench.records import timestamps
from bench.workload import library
from bench.workload.quantities import read_duration
from bench.workload.scenario import Scenario

_MOST_PAIRS = 1000
"""Each pair is two runs, and has a line in the report."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Arms:
    """The two arms, and how thoroughly they are compared."""

    a: Annotated[
        str,
        Parameter(
            group=ARMS,
            metavar="FLAGS",
            allow_leading_hyphen=True,
            help="Flags of 'bench run' for the base. Example: \"--prefetch 1\"",
        ),
    ] = ""
    b: Annotated[
        str,
        Parameter(
            group=ARMS,
            metavar="FLAGS",
            allow_leading_hyphen=True,
            help="Flags of 'bench run' for the candidate. Example: \"--prefetch 64\"",
        ),
    ] = ""
    base_ref: Annotated[
        str | None,
        Parameter(
            group=ARMS,
            metavar="REVISION",
            help="Run the base from this Git revision of your repository, in a worktree, and the "
            "candidate from the working tree as it stands. In a checkout of bench itself, without "
            "--worker-command: measure the base with that revision of bench. Example: origin/main",
        ),
    ] = None
    candidate_ref: Annotated[
        str | None,
        Parameter(
            group=ARMS,
            metavar="REVISION",
            help="Run the candidate from this revision instead of the working tree. Example: HEAD",
        ),
    ] = None
    setup: Annotated[
        str | None,
        Parameter(
            group=ARMS,
            metavar="COMMAND",
            help="Shell command that prepares the worktree of each revision once. "
            "Example: 'go build -o worker ./cmd/worker'",
        ),
    ] = None
    budget: Annotated[
        str,
        Parameter(
            group=ARMS,
            metavar="DURATION",
            help="Time for the whole job, which sets the length and number of runs. Example: 20m",
        ),
    ] = "5m"
    pairs: Annotated[
        int | None,
        WHOLE,
        Parameter(group=ARMS, help="Number of pairs, regardless of the budget. Example: 8"),
    ] = None
    fixed_pairs: Annotated[
        bool,
        Parameter(
            group=ARMS,
            help="Measure all pairs of the plan, even if the decision is plain after half of them.",
        ),
    ] = False
    keep_void_pairs: Annotated[
        bool,
        Parameter(
            group=ARMS,
            help="Compare every pair, even if the canaries of its two runs show that the machine "
            "changed. Such a pair is otherwise left out and measured again.",
        ),
    ] = False
    noise_pairs: Annotated[
        int,
        WHOLE,
        Parameter(
            group=ARMS, help="Pairs of base runs that are measured first, for the noise. Example: 4"
        ),
    ] = NOISE_PAIRS
    resume: Annotated[
        Path | None,
        Parameter(
            group=ARMS,
            metavar="FOLDER",
            help="Folder of an interrupted job to resume. Example: prefetch-64",
        ),
    ] = None
    results: ResultsFlag = None
    output: Annotated[
        Path | None,
        Parameter(
            alias="-o",
            group=OUTPUT,
            metavar="FOLDER",
            help="Folder for the job's records. Example: prefetch-64",
        ),
    ] = None


def ab(
    scenario: str | None = None,
    /,
    *,
    which: Arms | None = None,
    flags: ComparedFlags | None = None,
    where: ServerFlags | None = None,
    decision: DecisionFlags | None = None,
    outputs: GateOutputs | None = None,
) -> int:
    """Compare two ways to run a scenario, and decide if one is worse.

    The runs of both arms alternate. The job ends early where the decision is plain. Exits 0 when
    the candidate is no worse, 1 for a regression, and 3 when the pairs prove neither.

    Parameters
    ----------
    scenario
        A built-in scenario ('default' by default; 'bench scenarios' lists them) or a TOML file.
        Flags other than --a and --b apply to both arms.
    """
    which, flags, where = which or Arms(), flags or ComparedFlags(), where or ServerFlags()
    decision, outputs = decision or DecisionFlags(), outputs or GateOutputs()
    outputs.require_writable()
    read: Sequence[ReadArm] = ()  # those of a job that is resumed were checked when it began
    with contextlib.ExitStack() as stack:
        if which.resume is not None:
            require_nothing_else(which.resume, scenario, which, flags, where, decision)
            folder = which.resume if which.resume.is_dir() else which.resume.parent
            job = ab_state.load(which.resume)
            revisions = [arm.revision for arm in job.arms]
            ab_revisions.placed(job, stack.enter_context(ab_revisions.checked_out(revisions)))
        else:
            name = scenario or library.DEFAULT
            job, read = _new_job(name, which, flags, where, decision, stack)
            result_files.use(which.results)
            folder = which.output or result_files.new_folder(f"ab-{_title(name)}")
            ab_state.require_none(folder)
        files.require_file(folder / ab_state.STATE, "the job is saved after each run")
        files.require_file(folder / ab_state.GATE, "the comparison is read from there later")
        ab_revisions.set_up(job)
        for each in read:
            require_runnable(each)
        stack.enter_context(ab_revisions.base_installed(job))
        return _finish(job, folder, outputs)


def _finish(job: Job, folder: Path, outputs: GateOutputs) -> int:
    if not outputs.quiet:
        sys.stderr.write(visible(opening(job, str(folder)), keep="\n") + "\n")
    with interruptible() as should_stop:
        try:
            with ab_view(outputs.quiet) as watch:
                ab_job.measure(folder, job, should_stop, watch)
        except RunInterrupted:
            notify(f"interrupted; continue with: bench ab --resume {shlex.quote(str(folder))}")
            return ExitCode.INTERRUPTED
    gate = ab_conclusion.conclude(folder, job)
    return outputs.write(gate, folder, folder / ab_state.GATE)


def _new_job(
    name: str,
    which: Arms,
    flags: ComparedFlags,
    where: ServerFlags,
    decision: DecisionFlags,
    stack: contextlib.ExitStack,
) -> tuple[Job, list[ReadArm]]:
    """Returns the job and its arms, whose revisions are checked out until ``stack`` is closed."""
    written = [read_flags(label, text) for label, text in ((BASE, which.a), (CANDIDATE, which.b))]
    require_within("--noise-pairs", which.noise_pairs, 1, _MOST_PAIRS)
    if which.pairs is not None:
        require_within("--pairs", which.pairs, 1, _MOST_PAIRS)
    flags_of_all = (flags, *(each.own for each in written))
    revisions = ab_revisions.chosen(
        which.base_ref,
        which.candidate_ref,
        which.setup,
        has_worker=any("worker_command" in each.changes() for each in flags_of_all),
    )
    places = stack.enter_context(ab_revisions.checked_out(revisions))
    read = [
        read_arm(each, name, flags, where, place)
        for each, place in zip(written, places, strict=True)
    ]
    job = _job(which, decision, read)
    base, candidate = (each.scenario for each in read)
    return _planned(job, base, candidate, is_fixed="duration" in flags.changes()), read


def _job(which: Arms, decision: DecisionFlags, read: Sequence[ReadArm]) -> Job:
    """Returns a job without a plan. Raises UsageError for arms that cannot be compared."""
    first, second = (each.arm for each in read)
    require_repository_used(read, which.setup)
    base, candidate = (each.scenario for each in read)
    is_project = which.base_ref is not None and first.revision is None
    arms.require_different((first, second), SAME in decision.allowed or is_project)
    gated = decision.gated(base)
    require_metrics(read, gated)
    names = [metric.name for metric in gated]
    differing = [*comparability.intended_differences(base, candidate), *decision.allowed]
    if read[0].server() != read[1].server():
        differing.append("server")
    shown = [metric.name for metric in metric_values.shown_besides(base)]
    return Job(
        started_at=timestamps.now(),
        command=command_line(),
        arms=(first, second),
        gated=names,
        shown=[name for name in shown if name not in names],
        margin=decision.margin_share(),
        budget_s=read_flag("--budget", read_duration, which.budget),
        pairs_asked=which.pairs,
        noise_pairs=which.noise_pairs,
        stops_early=not which.fixed_pairs,
        voids=not which.keep_void_pairs,
        base_ref=which.base_ref,
        setup=which.setup,
        differing=differing,
        plan=None,
    )


def _planned(job: Job, base: Scenario, candidate: Scenario, is_fixed: bool) -> Job:
    """Returns the job with a plan, if the length of a run is known in advance."""
    durations_s = [each.planned_duration_s for each in (base, candidate)]
    known = [duration_s for duration_s in durations_s if duration_s is not None]
    if len(known) == 2:
        may_be_cut = not is_fixed and base.duration_s == candidate.duration_s is not None
        may_be_cut = may_be_cut and base.tasks is None and candidate.tasks is None
        job.plan = make_plan(
            job.budget_s,
            max(known) + OVERHEAD_S,
            base.duration_s if may_be_cut else None,
            len(job.gated),
            job.noise_pairs,
            job.pairs_asked,
        )
    return job


def _title(scenario: str) -> str:
    return Path(scenario).stem

"""``bench ab``: two arms measured alternately in one job, and a decision."""

import contextlib
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

import cyclopts
from cyclopts import Parameter

from bench import files, result_files
from bench.analysis import comparability, metric_values
from bench.cli import run as run_command
from bench.cli.ab_view import ab_view, opening
from bench.cli.arguments import (
    WHOLE,
    flags_of,
    read_flag,
    require_complete,
    require_nothing_else,
    require_within,
)
from bench.cli.command_line import command_line
from bench.cli.compare import SAME, DecisionFlags
from bench.cli.field_flags import ScenarioFlags
from bench.cli.gate_outputs import GateOutputs
from bench.cli.groups import ARMS, OUTPUT
from bench.cli.interrupts import interruptible
from bench.cli.messages import notify
from bench.cli.options import ServerFlags, scenario_from
from bench.cli.refusals import refusal
from bench.cli.run import RunFlags
from bench.errors import ExitCode, UsageError
from bench.inert import visible
from bench.jobs import ab_job, arms
from bench.jobs.ab_job import Job
from bench.jobs.ab_plan import NOISE_PAIRS, OVERHEAD_S, make_plan
from bench.jobs.arms import BASE, CANDIDATE, Arm
from bench.jobs.revision import commit_of, installed
from bench.jobs.runs import RunInterrupted
from bench.records import timestamps
from bench.workload import library
from bench.workload.quantities import read_duration
from bench.workload.scenario import Scenario

_MOST_PAIRS = 1000
"""Each pair is two runs, and has a line in the report."""
_NOT_FOR_ARMS = ("output", "json", "quiet", "keep")


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
            help="Measure the base with bench of this Git revision, installed into an environment "
            "of its own, and the candidate with the running bench. Example: origin/main",
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
    flags: ScenarioFlags | None = None,
    where: ServerFlags | None = None,
    decision: DecisionFlags | None = None,
    outputs: GateOutputs | None = None,
) -> int:
    """Compare two ways to run a scenario, and decide if one is worse.

    The runs of both arms alternate. Exits 0 when the candidate is no worse, 1 for a regression, and
    3 when the pairs prove neither.

    Parameters
    ----------
    scenario
        A built-in scenario ('default' by default; 'bench scenarios' lists them) or a TOML file.
        Flags other than --a and --b apply to both arms.
    """
    which, flags, where = which or Arms(), flags or ScenarioFlags(), where or ServerFlags()
    decision, outputs = decision or DecisionFlags(), outputs or GateOutputs()
    outputs.require_writable()
    with contextlib.ExitStack() as stack:
        if which.resume is not None:
            require_nothing_else(which.resume, scenario, which, flags, where, decision)
            folder = which.resume if which.resume.is_dir() else which.resume.parent
            job = ab_job.load(which.resume)
        else:
            name = scenario or library.DEFAULT
            job = _new_job(name, which, flags, where, decision)
            folder = which.output or result_files.new_folder(f"ab-{_title(name)}")
            ab_job.require_none(folder)
        files.require_file(folder / ab_job.STATE, "the job is saved after each run")
        files.require_file(folder / ab_job.GATE, "the comparison is read from there later")
        stack.enter_context(_base_of(job))
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
    gate = ab_job.conclude(folder, job)
    return outputs.write(gate, folder, folder / ab_job.GATE)


def _new_job(
    name: str, which: Arms, flags: ScenarioFlags, where: ServerFlags, decision: DecisionFlags
) -> Job:
    both = [
        _arm(label, text, name, flags, where)
        for label, text in ((BASE, which.a), (CANDIDATE, which.b))
    ]
    (first, base), (second, candidate) = both
    allows_same = SAME in decision.allowed or which.base_ref is not None
    arms.require_different((first, second), allows_same)
    require_within("--noise-pairs", which.noise_pairs, 1, _MOST_PAIRS)
    if which.pairs is not None:
        require_within("--pairs", which.pairs, 1, _MOST_PAIRS)
    gated = [metric.name for metric in decision.gated(base)]
    differing = [*comparability.intended_differences(base, candidate), *decision.allowed]
    if (first.url, _binary(first)) != (second.url, _binary(second)):
        differing.append("server")
    job = Job(
        started_at=timestamps.now(),
        command=command_line(),
        arms=(first, second),
        gated=gated,
        shown=[
            metric.name for metric in metric_values.shown_besides(base) if metric.name not in gated
        ],
        margin=decision.margin_share(),
        budget_s=read_flag("--budget", read_duration, which.budget),
        pairs_asked=which.pairs,
        noise_pairs=which.noise_pairs,
        base_ref=which.base_ref,
        differing=differing,
        plan=None,
    )
    return _planned(job, base, candidate, is_fixed="duration" in flags.changes())


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


def _arm(
    label: str, text: str, name: str, common: ScenarioFlags, where: ServerFlags
) -> tuple[Arm, Scenario]:
    """Returns an arm and its scenario. Raises UsageError, naming the arm."""
    try:
        own, own_where, how = _read(shlex.split(text))
        changes = {**common.changes(), **own.changes()}
        scenario = scenario_from(name, ScenarioFlags.of(changes))
        url = where.redis_url if own_where.redis_url is None else own_where.redis_url
        own_flags = (*flags_of(changes), *flags_of(how))
        arms.require_no_secret(label, own_flags, url)
        arm = Arm(label=label, text=text, arguments=(name, *own_flags), url=url)
        ServerFlags(redis_url=arm.resolved_url()).url()  # reports what cannot be read
    except cyclopts.CycloptsError as error:
        raise UsageError(f"arm {label}: {refusal(error, 'run', ())}") from None
    except (ValueError, UsageError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(
            reason if reason.startswith("arm ") else f"arm {label}: {reason}"
        ) from None
    return arm, scenario


def _read(arguments: Sequence[str]) -> tuple[ScenarioFlags, ServerFlags, dict[str, object]]:
    """Returns flags of 'bench run': the scenario's, the server's, and all others by name."""
    require_complete(arguments)
    parser = cyclopts.App(default_parameter=Parameter(negative=()))
    parser.default(run_command.run)
    _, bound, _ = parser.parse_args(list(arguments), exit_on_error=False, print_error=False)[:3]
    if "scenario" in bound.arguments:
        raise UsageError(
            f"{bound.arguments['scenario']!r} is not a flag; both arms share the scenario"
        )
    how = bound.arguments.get("how") or RunFlags()
    given = {
        each.name: getattr(how, each.name)
        for each in fields(how)
        if getattr(how, each.name) != each.default
    }
    for flag in _NOT_FOR_ARMS:
        if flag in given:
            raise UsageError(f"--{flag}: the job sets it; remove it from the arm")
    return (
        bound.arguments.get("flags") or ScenarioFlags(),
        bound.arguments.get("where") or ServerFlags(),
        given,
    )


def _binary(arm: Arm) -> list[str]:
    return [word for word in arm.arguments if word.startswith("--server-binary")]


@contextlib.contextmanager
def _base_of(job: Job) -> Iterator[None]:
    """Install the base's revision for the duration of the job, if the job has one."""
    if job.base_ref is None:
        yield
        return
    commit_of(job.base_ref)
    notify(f"installing {job.base_ref} for arm {BASE}")
    with installed(job.base_ref) as command:
        base, candidate = job.arms
        job.arms = (
            Arm(
                label=base.label,
                text=base.text or f"revision {job.base_ref}",
                arguments=base.arguments,
                url=base.url,
                bench=(str(command),),
                is_isolated=True,
            ),
            candidate,
        )
        yield


def _title(scenario: str) -> str:
    return Path(scenario).stem

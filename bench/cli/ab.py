"""``bench ab``: two arms measured in turns in one job, and a decision."""

import contextlib
import datetime
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

import cyclopts
from cyclopts import Group, Parameter

from bench import files, units
from bench.analysis import comparability, metric_values
from bench.cli import run as run_command
from bench.cli.ab_view import ab_view, opening
from bench.cli.arguments import flag_words
from bench.cli.command_line import command_line
from bench.cli.compare import Judging
from bench.cli.gate_outputs import GateOutputs
from bench.cli.interrupts import interruptible
from bench.cli.options import ScenarioFlags, ServerFlags, scenario_from
from bench.cli.run import RunFlags
from bench.errors import ExitCode, UsageError
from bench.jobs import ab_job, arms
from bench.jobs.ab_job import Job
from bench.jobs.ab_plan import NOISE_PAIRS, OVERHEAD_S, make_plan
from bench.jobs.arms import BASE, CANDIDATE, Arm
from bench.jobs.revision import commit_of, installed
from bench.jobs.runs import RunInterrupted
from bench.records import comparison_record
from bench.workload import library
from bench.workload.scenario import Scenario

_ARMS = Group("Arms", sort_key=0)
_OUTPUT = Group("Output", sort_key=5)
_SAME = "same"
_NOT_FOR_ARMS = ("output", "json", "quiet", "keep")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Arms:
    """What the two are."""

    a: Annotated[
        str,
        Parameter(
            group=_ARMS,
            allow_leading_hyphen=True,
            help="Flags of 'bench run' for the base, as \"--prefetch 1 --server-binary PATH\".",
        ),
    ] = ""
    b: Annotated[
        str, Parameter(group=_ARMS, allow_leading_hyphen=True, help="And for the candidate.")
    ] = ""
    base_ref: Annotated[
        str | None,
        Parameter(
            group=_ARMS,
            help="Measure the base with this revision's bench, from a worktree with an environment "
            "of its own; the candidate with the one that is running.",
        ),
    ] = None
    budget: Annotated[
        str, Parameter(group=_ARMS, help="How long the job may take: sizes runs and pairs.")
    ] = "5m"
    pairs: Annotated[
        int | None, Parameter(group=_ARMS, help="So many pairs, whatever the budget.")
    ] = None
    noise_pairs: Annotated[
        int, Parameter(group=_ARMS, help="Pairs of the base with itself, before: for the noise.")
    ] = NOISE_PAIRS
    resume: Annotated[
        Path | None, Parameter(group=_ARMS, help="Go on with an interrupted job: its folder.")
    ] = None
    output: Annotated[
        Path | None,
        Parameter(name=("--output", "-o"), group=_OUTPUT, help="The job's folder."),
    ] = None


def ab(
    scenario: str = library.DEFAULT,
    /,
    *,
    which: Arms | None = None,
    flags: ScenarioFlags | None = None,
    where: ServerFlags | None = None,
    judging: Judging | None = None,
    outputs: GateOutputs | None = None,
) -> int:
    """Hold two ways to run a scenario against each other, in turns, and decide.

    Exits 0 when the candidate is no worse, 1 for a regression, 3 when the pairs prove neither.

    Parameters
    ----------
    scenario
        A built-in scenario ('bench scenarios' lists them) or a TOML file. Flags beside --a and --b
        are for both arms.
    """
    which, outputs = which or Arms(), outputs or GateOutputs()
    outputs.require_writable()
    with contextlib.ExitStack() as stack:
        if which.resume is not None:
            if which.a or which.b or which.base_ref or (flags and flags.changes()):
                raise UsageError("--resume goes on with the job as it was asked for: say only that")
            folder = which.resume if which.resume.is_dir() else which.resume.parent
            job = ab_job.load(which.resume)
        else:
            where, judging = where or ServerFlags(), judging or Judging()
            job = _new_job(scenario, which, flags or ScenarioFlags(), where, judging)
            name = f"ab-{_title(scenario)}"
            folder = which.output or files.RESULTS / files.stamped_name(name)
            files.require_writable(folder / ab_job.STATE)
        stack.enter_context(_base_of(job))
        return _finish(job, folder, outputs)


def _finish(job: Job, folder: Path, outputs: GateOutputs) -> int:
    if not outputs.quiet:
        sys.stderr.write(opening(job, str(folder)) + "\n")
    with interruptible() as should_stop:
        try:
            with ab_view(outputs.quiet) as watch:
                ab_job.measure(folder, job, should_stop, watch)
        except RunInterrupted:
            sys.stderr.write(
                f"bench: interrupted; go on with: bench ab --resume {shlex.quote(str(folder))}\n"
            )
            return ExitCode.INTERRUPTED
    gate = ab_job.conclude(folder, job)
    files.write_whole(folder / ab_job.GATE, comparison_record.encode(gate))
    outputs.write(gate, str(folder))
    return gate.exit_code


def _new_job(
    name: str, which: Arms, flags: ScenarioFlags, where: ServerFlags, judging: Judging
) -> Job:
    both = [
        _arm(label, text, name, flags, where)
        for label, text in ((BASE, which.a), (CANDIDATE, which.b))
    ]
    (first, base), (second, candidate) = both
    arms.require_different((first, second), _SAME in judging.allowed or which.base_ref is not None)
    if which.noise_pairs < 1 or (which.pairs is not None and which.pairs < 1):
        raise UsageError("--pairs and --noise-pairs: at least one")
    gated = [metric.name for metric in judging.gated(base)]
    differing = [*comparability.intended(base, candidate), *judging.allowed]
    if (first.url, _binary(first)) != (second.url, _binary(second)):
        differing.append("server")
    job = Job(
        started_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        command=command_line(),
        arms=(first, second),
        gated=gated,
        shown=[
            metric.name for metric in metric_values.shown_besides(base) if metric.name not in gated
        ],
        margin=judging.margin_share(),
        budget_s=units.parse_duration(which.budget),
        pairs_asked=which.pairs,
        noise_pairs=which.noise_pairs,
        base_ref=which.base_ref,
        differing=differing,
        plan=None,
    )
    return _planned(job, base, candidate, is_fixed="duration" in flags.changes())


def _planned(job: Job, base: Scenario, candidate: Scenario, is_fixed: bool) -> Job:
    """With a plan, where it is known how long a run takes."""
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
    """An arm, and the scenario that it comes to. Raises UsageError, naming the arm."""
    try:
        words = shlex.split(text)
        own, own_where, how = _read(words)
        changes = {**common.changes(), **own.changes()}
        scenario = scenario_from(name, ScenarioFlags(**changes))  # type: ignore[arg-type]
        url = own_where.redis_url or where.redis_url
        arms.require_no_secret(label, url)
        arm = Arm(
            label=label, text=text, words=(name, *flag_words(changes), *flag_words(how)), url=url
        )
        arm.resolved_url()
    except (cyclopts.CycloptsError, ValueError, UsageError) as error:
        said = " ".join(str(error).split())
        raise UsageError(said if said.startswith("arm ") else f"arm {label}: {said}") from None
    return arm, scenario


def _read(words: Sequence[str]) -> tuple[ScenarioFlags, ServerFlags, dict[str, object]]:
    """Flags of 'bench run': those of the scenario, of the server, and all others by name."""
    parser = cyclopts.App(default_parameter=Parameter(negative=()))
    parser.default(run_command.run)
    _, bound, _ = parser.parse_args(list(words), exit_on_error=False, print_error=False)[:3]
    if "scenario" in bound.arguments:
        raise UsageError(f"{bound.arguments['scenario']!r} is no flag; the scenario is for both")
    how = bound.arguments.get("how") or RunFlags()
    given = {
        each.name: getattr(how, each.name)
        for each in fields(how)
        if getattr(how, each.name) != each.default
    }
    for flag in _NOT_FOR_ARMS:
        if flag in given:
            raise UsageError(f"--{flag}: the job decides that")
    return (
        bound.arguments.get("flags") or ScenarioFlags(),
        bound.arguments.get("where") or ServerFlags(),
        given,
    )


def _binary(arm: Arm) -> list[str]:
    return [word for word in arm.words if word.startswith("--server-binary")]


@contextlib.contextmanager
def _base_of(job: Job) -> Iterator[None]:
    """Install the base's revision, where the job asks for one, for as long as it lasts."""
    if job.base_ref is None:
        yield
        return
    commit_of(job.base_ref)
    sys.stderr.write(f"bench: installing {job.base_ref} for arm {BASE}\n")
    with installed(job.base_ref) as command:
        base, candidate = job.arms
        job.arms = (
            Arm(
                label=base.label,
                text=base.text or f"revision {job.base_ref}",
                words=base.words,
                url=base.url,
                bench=(str(command),),
                is_isolated=True,
            ),
            candidate,
        )
        yield


def _title(scenario: str) -> str:
    return Path(scenario).stem

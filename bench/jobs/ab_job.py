"""An A/B job: two arms compared in pairs of runs. Its state, its steps and its conclusion.

The state is a file in a folder with the records of all runs. It is written after each run, so that
an interrupted job can be resumed. The base is first compared with itself, which measures the noise;
the pairs follow in ABBA order. A pair with a run that is not valid is kept and replaced by another
at the end of the job, up to half of the planned number.
"""

import datetime
import math
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench import files
from bench.analysis import comparability, gate, metric_values, rule
from bench.analysis.compare import Comparison, Criteria, Pair, compare, noise_floors
from bench.errors import MeasurementError, UsageError
from bench.jobs import runs
from bench.jobs.ab_plan import PairPlan, after_noise, has_time_for, make_plan
from bench.jobs.arms import BASE, CANDIDATE, Arm
from bench.records import comparison_record, formats, run_record
from bench.records.comparison_record import GateRecord, Side
from bench.records.run_record import RunRecord
from bench.units import format_duration
from bench.workload.metrics import parse_metric

FORMAT = "runqy-bench-ab-job/1"
STATE, GATE = "job.json", comparison_record.FILE_IN_JOB
NOISE, PAIR = "noise", "pair"


class CompletedPair(msgspec.Struct, frozen=True):
    """A run that was made: its position in the job and its outcome."""

    phase: str
    number: int
    """Number of its pair, from 1."""
    place: int
    """0 for the first run of a pair, 1 for the second."""
    arm: str
    file: str
    """Name of the record's file in the job's folder."""
    verdict: str
    seconds: float
    """Wall time of the run."""


class Job(msgspec.Struct, kw_only=True):
    """The state of a job.

    The request is fixed when the job begins. ``plan`` is made once: before the first run, or after
    it where the scenario does not tell how long a run takes.
    """

    format: str = FORMAT
    started_at: str
    command: str
    arms: tuple[Arm, Arm]
    gated: list[str]
    shown: list[str]
    margin: float
    budget_s: float
    pairs_asked: int | None
    noise_pairs: int
    base_ref: str | None
    """Revision that measures the base; None for the running one."""
    differing: list[str]
    """Fields in which the arms differ on purpose or may differ (``--allow``)."""
    plan: PairPlan | None
    base_commit: str | None = None
    """The commit that ``base_ref`` named when the job began."""
    setup: str | None = None
    """Command that prepares the worktree of each arm with a revision."""
    done: list[CompletedPair] = msgspec.field(default_factory=list)


@dataclass(frozen=True)
class AbStep:
    """The next run."""

    phase: str
    number: int
    place: int
    arm: str

    @property
    def name(self) -> str:
        """Name of the record's file."""
        return f"{self.phase}-{self.number:02d}-{self.place + 1}-{self.arm}.json"


@dataclass(frozen=True)
class AbProgress:
    """The progress of a job, for its display."""

    job: Job
    step: AbStep
    seconds_left: float | None
    """Estimate for the remaining runs; None before there is a plan."""
    run_began: bool
    """Whether the step's run has begun; False when all runs have ended."""
    comparison: Comparison | None
    """The pairs so far; None before the first."""


OnStep = Callable[[AbProgress], None]


def next_step(job: Job) -> AbStep | None:
    """The next run, or None when the job is complete."""
    made = {(each.phase, each.number, each.place) for each in job.done}
    noise_pairs = _pairs_needed(job, NOISE, job.plan.noise_pairs) if job.plan else 1
    for number in range(1, noise_pairs + 1):
        for place in (0, 1):
            if (NOISE, number, place) not in made:
                return AbStep(NOISE, number, place, BASE)
    if job.plan is None:
        return None
    for number in range(1, _pairs_needed(job, PAIR, job.plan.pairs) + 1):
        order = (BASE, CANDIDATE) if number % 2 else (CANDIDATE, BASE)
        for place in (0, 1):
            if (PAIR, number, place) not in made:
                if place == 0 and not _has_time_for(job, number):
                    return None
                return AbStep(PAIR, number, place, order[place])
    return None


def _has_time_for(job: Job, number: int) -> bool:
    """Whether the budget leaves time for a pair, by what the job's runs took; always for the first
    pair, and where the user has set their number."""
    if job.pairs_asked is not None or number == 1:
        return True
    made = [each.seconds for each in job.done]
    pair_s = 2 * sum(made) / len(made)
    fewest = rule.fewest_pairs(len(job.gated))
    return has_time_for(number, sum(made), pair_s, job.budget_s, fewest)


def _pairs_needed(job: Job, phase: str, planned: int) -> int:
    """The planned number of pairs, and one for each invalid pair, up to half of the plan."""
    invalid = {each.number for each in job.done if each.phase == phase and each.verdict != "valid"}
    return planned + min(len(invalid), math.ceil(planned / 2))


def measure(folder: Path, job: Job, should_stop: Callable[[], bool], watch: OnStep) -> None:
    """Make all remaining runs, and save the state after each.

    Raises RunInterrupted once ``should_stop`` returns True, UsageError when the first pair shows
    that the arms differ in more than was asked for, and the error of a run that left no record.
    """
    save(folder, job)
    while (step := next_step(job)) is not None:
        if should_stop():
            raise runs.RunInterrupted
        _make(folder, job, step, should_stop, watch)
        if job.plan is None:
            job.plan = make_plan(
                job.budget_s,
                job.done[0].seconds,
                None,
                len(job.gated),
                job.noise_pairs,
                job.pairs_asked,
            )
        _revise_plan(job, step)
        save(folder, job)
        _require_measured(folder, job, step)
        _require_alike(folder, job)
    watch(_situation(folder, job, step_after(job), run_began=False))


def _revise_plan(job: Job, step: AbStep) -> None:
    """Fit the number of pairs to what runs take, as long as none has begun.

    Raises UsageError where too few fit into the budget.
    """
    if step.phase != NOISE or job.plan is None or job.pairs_asked is not None:
        return
    made = [each.seconds for each in job.done]
    noise_runs = 2 * _pairs_needed(job, NOISE, job.plan.noise_pairs)
    job.plan = after_noise(
        job.plan,
        sum(made),
        noise_runs - len(made),
        sum(made) / len(made),
        job.budget_s,
        len(job.gated),
    )


def _require_measured(folder: Path, job: Job, step: AbStep) -> None:
    """Raise UsageError where an arm's first valid run lacks a metric that decides."""
    of_arm = [each for each in job.done if each.arm == step.arm and each.verdict == "valid"]
    if len(of_arm) != 1 or of_arm[0] is not job.done[-1]:
        return
    record = _record(folder, of_arm[0])
    for name in job.gated:
        if metric_values.value_of(parse_metric(name), record) is None:
            raise UsageError(
                f"arm {step.arm}: its runs do not measure {name}: choose another metric with --gate"
            )


def _make(
    folder: Path, job: Job, step: AbStep, should_stop: Callable[[], bool], watch: OnStep
) -> None:
    arm = next(each for each in job.arms if each.label == step.arm)
    duration_s = job.plan.duration_s if job.plan else None
    arguments = list(arm.arguments)
    if duration_s is not None:
        arguments += ["--duration", f"{duration_s}s"]
    before = _situation(folder, job, step, run_began=True)
    watch(before)
    began = datetime.datetime.now(datetime.UTC)
    finished = runs.make(
        runs.RunOptions(
            arguments,
            folder / step.name,
            arm.resolved_url(),
            arm.bench,
            None if arm.folder is None else Path(arm.folder),
            arm.is_isolated,
        ),
        should_stop,
        lambda: watch(before),
    )
    seconds = (datetime.datetime.now(datetime.UTC) - began).total_seconds()
    job.done.append(
        CompletedPair(
            step.phase, step.number, step.place, step.arm, step.name, finished.verdict, seconds
        )
    )


def step_after(job: Job) -> AbStep:
    """The step of the last run that was made."""
    last = job.done[-1]
    return AbStep(last.phase, last.number, last.place, last.arm)


def _situation(folder: Path, job: Job, step: AbStep, run_began: bool) -> AbProgress:
    pairs = pairs_of(folder, job, PAIR)
    return AbProgress(
        job, step, seconds_left(job), run_began, _compared(folder, job, pairs) if pairs else None
    )


def seconds_left(job: Job) -> float | None:
    """Estimated time of the remaining runs, from the mean of those made; None without a plan."""
    if job.plan is None:
        return None
    made = [each.seconds for each in job.done]
    run_s = sum(made) / len(made) if made else job.plan.run_s
    needed = _pairs_needed(job, NOISE, job.plan.noise_pairs)
    needed += _pairs_needed(job, PAIR, job.plan.pairs)
    return (2 * needed - len(made)) * run_s


def pairs_of(folder: Path, job: Job, phase: str) -> list[Pair]:
    """The records of a phase's complete pairs: (base, candidate), or (first, second) for noise."""
    by_number: dict[int, list[CompletedPair]] = {}
    for each in job.done:
        if each.phase == phase:
            by_number.setdefault(each.number, []).append(each)
    pairs = []
    for _, runs_made in sorted(by_number.items()):
        if len(runs_made) == 2:
            first, second = sorted(runs_made, key=lambda each: (each.arm, each.place))
            pairs.append((_record(folder, first), _record(folder, second)))
    return pairs


def runs_made(folder: Path, job: Job) -> Iterator[tuple[dict[str, str | int], RunRecord]]:
    """Yields what each run was in the job, and its record, in the order in which they were made.

    Raises RecordError for a record that is missing.
    """
    for each in job.done:
        about: dict[str, str | int] = {
            "phase": each.phase,
            "pair": each.number,
            "place": each.place + 1,
            "arm": each.arm,
            "verdict": each.verdict,
            "file": each.file,
        }
        yield about, _record(folder, each)


def _record(folder: Path, done: CompletedPair) -> RunRecord:
    return run_record.load(folder / done.file)


def conclude(folder: Path, job: Job) -> GateRecord:
    """The decision from all pairs. Raises MeasurementError when most of them are invalid."""
    pairs = pairs_of(folder, job, PAIR)
    comparison = _compared(folder, job, pairs, is_complete=True)
    if not comparison.faults and comparison.left_out > len(pairs) / 2:
        verdicts = sorted({each.verdict for each in job.done if each.verdict != "valid"})
        raise MeasurementError(
            f"only {comparison.pairs} of {len(pairs)} pairs are valid ({', '.join(verdicts)}): "
            f"'bench report' shows why, for the records in {folder}"
        )
    base, candidate = job.arms
    return gate.assemble(
        comparison,
        (
            _side(base, [before for before, _ in pairs]),
            _side(candidate, [after for _, after in pairs]),
        ),
        pairs,
        job.command,
        noise_pairs=len(pairs_of(folder, job, NOISE)),
        duration_s=sum(each.seconds for each in job.done),
        notes=_ended_early(job, len(pairs)),
    )


def _side(arm: Arm, records: Sequence[RunRecord]) -> Side:
    return gate.side(arm.label, arm.what, records, arm.revision.short if arm.revision else None)


def _ended_early(job: Job, pairs: int) -> list[str]:
    """A note where the budget ended before the planned pairs were made."""
    planned = job.plan.pairs if job.plan else pairs
    if pairs >= planned:
        return []
    return [
        f"{pairs} of {planned} planned pairs were measured: the runs became longer, and the budget "
        f"of {format_duration(job.budget_s)} ended"
    ]


def _compared(
    folder: Path, job: Job, pairs: Sequence[Pair], is_complete: bool = False
) -> Comparison:
    gated = [parse_metric(name) for name in job.gated]
    shown = [parse_metric(name) for name in job.shown]
    planned = job.plan.pairs if job.plan else 1
    if is_complete:  # noise moves the estimate of fewer pairs further
        planned = min(planned, len(pairs))
    floors = noise_floors(pairs_of(folder, job, NOISE), [*gated, *shown], planned)
    return compare(pairs, Criteria(gated, shown, job.margin, floors))


def _require_alike(folder: Path, job: Job) -> None:
    """Raise UsageError when the first pair differs in more than was asked for."""
    pairs = pairs_of(folder, job, PAIR)
    if len(pairs) != 1:
        return
    base, candidate = pairs[0]
    found = comparability.differences([base], [candidate], [*job.differing, comparability.ORDER])
    if found:
        raise UsageError(
            f"the arms also differ in {comparability.described(found)}: make them equal, or add "
            f"{comparability.to_allow(found)}"
        )


def require_none(folder: Path) -> None:
    """Raise UsageError for a folder with records of a job: they would be mixed with another's."""
    if (folder / STATE).exists() and any(folder.glob(f"{NOISE}-*.json")):
        raise UsageError(
            f"{folder} already holds a job: continue it with --resume {shlex.quote(str(folder))}, "
            "or name another folder"
        )


def save(folder: Path, job: Job) -> None:
    """Write the state into the job's folder. Raises UsageError when it cannot be written."""
    files.write_whole(folder / STATE, formats.encode(job))


def load(folder: Path) -> Job:
    """Read the state of a job from its folder or file. Raises RecordError when there is none."""
    path = folder / STATE if folder.is_dir() else folder
    return formats.load(path, Job, FORMAT, "a job of 'bench ab'", "no job to resume: ")

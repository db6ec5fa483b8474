"""A job that compares two arms: its state, its steps, and its end.

The state is a file in a folder with the records of all runs. It is written after each run, so an
interrupted job goes on where it was. First the base is measured against itself, for the noise; then
the pairs, in ABBA order. A pair with a run that must not be quoted stays, and is made up for by
another at the end, up to half as many as were planned.
"""

import datetime
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench import files
from bench.analysis import comparability, gate
from bench.analysis.compare import Comparison, Criteria, Pair, compare, noise_floors
from bench.errors import MeasurementError, UsageError
from bench.jobs import runs
from bench.jobs.ab_plan import PairPlan, make_plan
from bench.jobs.arms import BASE, CANDIDATE, Arm
from bench.records import formats, run_record
from bench.records.comparison_record import GateRecord
from bench.records.run_record import RunRecord
from bench.workload.metrics import parse_metric

FORMAT = "runqy-bench-ab-job/1"
STATE, GATE = "job.json", "gate.json"
NOISE, PAIR = "noise", "pair"


class CompletedPair(msgspec.Struct, frozen=True):
    """A run that was made: its place in the job, and what it came to."""

    phase: str
    number: int
    place: int
    """0 for the first run of a pair, 1 for the second."""
    arm: str
    file: str
    verdict: str
    seconds: float


class Job(msgspec.Struct, kw_only=True):
    """The state. What was asked is frozen when the job begins; ``plan`` is made once, after the
    first run where nobody can know before how long a run takes."""

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
    """Revision that measures the base; None for the one that is running."""
    differing: list[str]
    """Fields in which the arms differ on purpose, or were allowed to."""
    plan: PairPlan | None
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
        """Of its record's file."""
        return f"{self.phase}-{self.number:02d}-{self.place + 1}-{self.arm}.json"


@dataclass(frozen=True)
class AbProgress:
    """How far a job is, for those who watch. ``comparison`` is None before the first pair."""

    job: Job
    step: AbStep
    seconds_left: float | None
    run_began: bool
    comparison: Comparison | None


OnStep = Callable[[AbProgress], None]


def next_step(job: Job) -> AbStep | None:
    """What is to be measured next; None when all is."""
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
                return AbStep(PAIR, number, place, order[place])
    return None


def _pairs_needed(job: Job, phase: str, planned: int) -> int:
    """The planned pairs, and one more for each that was spoilt, up to half as many."""
    spoilt = {each.number for each in job.done if each.phase == phase and each.verdict != "valid"}
    return planned + min(len(spoilt), math.ceil(planned / 2))


def measure(folder: Path, job: Job, should_stop: Callable[[], bool], watch: OnStep) -> None:
    """Make all runs that are left, saving after each.

    Raises Interrupted when told to stop, and what a run without a record ended with.
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
        save(folder, job)
        _require_alike(folder, job)
    watch(_situation(folder, job, step_after(job), run_began=False))


def _make(
    folder: Path, job: Job, step: AbStep, should_stop: Callable[[], bool], watch: OnStep
) -> None:
    arm = next(each for each in job.arms if each.label == step.arm)
    duration_s = job.plan.duration_s if job.plan else None
    words = list(arm.words)
    if duration_s is not None:
        words += ["--duration", f"{duration_s}s"]
    before = _situation(folder, job, step, run_began=True)
    watch(before)
    began = datetime.datetime.now(datetime.UTC)
    finished = runs.make(
        runs.RunOptions(words, folder / step.name, arm.resolved_url(), arm.bench, arm.is_isolated),
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
    """The step that was made last."""
    last = job.done[-1]
    return AbStep(last.phase, last.number, last.place, last.arm)


def _situation(folder: Path, job: Job, step: AbStep, run_began: bool) -> AbProgress:
    pairs = pairs_of(folder, job, PAIR)
    return AbProgress(
        job, step, seconds_left(job), run_began, _compared(folder, job, pairs) if pairs else None
    )


def seconds_left(job: Job) -> float | None:
    """For the runs that are left, if each takes as long as those before; None without a plan."""
    if job.plan is None:
        return None
    made = [each.seconds for each in job.done]
    run_s = sum(made) / len(made) if made else job.plan.run_s
    needed = _pairs_needed(job, NOISE, job.plan.noise_pairs)
    needed += _pairs_needed(job, PAIR, job.plan.pairs)
    return (2 * needed - len(made)) * run_s


def pairs_of(folder: Path, job: Job, phase: str) -> list[Pair]:
    """The records of a phase's whole pairs: (base, candidate), for noise (first, second)."""
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


def _record(folder: Path, done: CompletedPair) -> RunRecord:
    return run_record.load(folder / done.file)


def conclude(folder: Path, job: Job) -> GateRecord:
    """What all pairs came to. Raises MeasurementError when too few of them may be quoted."""
    pairs = pairs_of(folder, job, PAIR)
    comparison = _compared(folder, job, pairs)
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
            gate.side(base.label, base.text, [before for before, _ in pairs]),
            gate.side(candidate.label, candidate.text, [after for _, after in pairs]),
        ),
        pairs,
        job.command,
        noise_pairs=len(pairs_of(folder, job, NOISE)),
        duration_s=sum(each.seconds for each in job.done),
    )


def _compared(folder: Path, job: Job, pairs: Sequence[Pair]) -> Comparison:
    gated = [parse_metric(name) for name in job.gated]
    shown = [parse_metric(name) for name in job.shown]
    planned = job.plan.pairs if job.plan else 1
    floors = noise_floors(pairs_of(folder, job, NOISE), [*gated, *shown], planned)
    return compare(pairs, Criteria(gated, shown, job.margin, floors))


def _require_alike(folder: Path, job: Job) -> None:
    """Once both arms have run: nothing else may differ than what was meant to."""
    pairs = pairs_of(folder, job, PAIR)
    if len(pairs) != 1:
        return
    base, candidate = pairs[0]
    found = comparability.differences([base], [candidate], [*job.differing, comparability.ORDER])
    if found:
        raise UsageError(
            f"the arms also differ in {comparability.described(found)}; add "
            f"--allow {found[0].field} if that is intended"
        )


def save(folder: Path, job: Job) -> None:
    """Write the state. Raises UsageError."""
    files.write_whole(folder / STATE, formats.encode(job))


def load(folder: Path) -> Job:
    """Read a state. Raises RecordError."""
    path = folder / STATE if folder.is_dir() else folder
    return formats.load(path, Job, FORMAT, "a job of 'bench ab'", "no job to go on with: ")

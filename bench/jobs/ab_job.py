"""An A/B job: two arms compared in pairs of runs. Its steps, one run each.

The base is first compared with itself, which measures the noise; the pairs follow in ABBA order. A
pair with a run that is not valid, and one that is void, is kept and replaced by another at the end
of the job, up to half of the planned number. The job ends when all are made, or at an interim
analysis at which its decision is plain.
"""

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.analysis import comparability, metric_values, rule
from bench.analysis.compare import Comparison
from bench.errors import UsageError
from bench.jobs import ab_conclusion, runs
from bench.jobs.ab_plan import after_noise, has_time_for, make_plan, most_made_up_for
from bench.jobs.ab_state import (
    NOISE,
    PAIR,
    CompletedPair,
    Job,
    note_if_void,
    pairs_of,
    record_of,
    save,
)
from bench.jobs.arms import BASE, CANDIDATE
from bench.workload.metrics import parse_metric


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
    """The next run, or None when the job has ended."""
    if job.stopped_after is not None:
        return None
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
    """The planned number of pairs, and one for each invalid or void one, up to half of the plan."""
    lacking = {each.number for each in job.done if each.phase == phase and each.verdict != "valid"}
    lacking |= {each.number for each in job.void if each.is_noise == (phase == NOISE)}
    return planned + min(len(lacking), most_made_up_for(planned))


def measure(folder: Path, job: Job, should_stop: Callable[[], bool], watch: OnStep) -> None:
    """Make all remaining runs, and save the state after each.

    Raises RunInterrupted once ``should_stop`` returns True, UsageError when the first pair shows
    that the arms differ in more than was asked for, and the error of a run that left no record.
    """
    _stop_where_plain(folder, job)  # it was interrupted after the pair, and before the analysis
    save(folder, job)
    while (step := next_step(job)) is not None:
        if should_stop():
            raise runs.RunInterrupted
        _make(folder, job, step, should_stop, watch)
        note_if_void(folder, job)
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
        _stop_where_plain(folder, job)
        save(folder, job)
    watch(_situation(folder, job, step_after(job), run_began=False))


def _stop_where_plain(folder: Path, job: Job) -> None:
    """End the job where a pair has just been made, its plan has an analysis there, and its decision
    is plain."""
    if not job.stops_early or job.plan is None or not job.done:
        return
    last = job.done[-1]
    if (last.phase, last.place) != (PAIR, 1):
        return
    comparison = ab_conclusion.so_far(folder, job)
    if comparison is None or comparison.pairs >= job.plan.pairs:
        return
    if comparison.pairs in ab_conclusion.analyses_of(job).counts and comparison.is_plain:
        job.stopped_after = comparison.pairs


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
    record = record_of(folder, of_arm[0])
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
    comparison = ab_conclusion.so_far(folder, job)
    return AbProgress(job, step, seconds_left(job), run_began, comparison)


def seconds_left(job: Job) -> float | None:
    """Estimated time of the remaining runs if the job does not stop early, from the mean of those
    made; None without a plan."""
    if job.plan is None:
        return None
    made = [each.seconds for each in job.done]
    run_s = sum(made) / len(made) if made else job.plan.run_s
    needed = _pairs_needed(job, NOISE, job.plan.noise_pairs)
    needed += _pairs_needed(job, PAIR, job.plan.pairs)
    return (2 * needed - len(made)) * run_s


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

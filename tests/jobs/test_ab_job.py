"""The steps of a job, from its state alone."""

from pathlib import Path

import pytest

from bench.errors import RecordError
from bench.jobs import ab_job, ab_state
from bench.jobs.ab_job import AbStep, next_step
from bench.jobs.ab_plan import PairPlan
from bench.jobs.ab_state import CompletedPair, Job
from bench.jobs.arms import Arm


def job(plan: PairPlan | None, done: list[CompletedPair] | None = None) -> Job:
    return Job(
        started_at="2026-01-01T00:00:00+00:00",
        command="bench ab",
        arms=(
            Arm(label="A", text="", arguments=("smoke",)),
            Arm(label="B", text="--prefetch 1", arguments=("smoke", "--prefetch=1")),
        ),
        gated=["e2e.p50"],
        shown=[],
        margin=0.05,
        budget_s=300.0,
        pairs_asked=None,
        noise_pairs=3,
        base_ref=None,
        differing=["scenario.prefetch"],
        plan=plan,
        done=done or [],
    )


def made(state: Job, verdict_of: dict[str, str] | None = None, most: int = 100) -> list[str]:
    """Make all runs that are left, each with the verdict of its name, or a valid one."""
    names: list[str] = []
    while (step := next_step(state)) is not None and len(names) < most:
        verdict = (verdict_of or {}).get(step.name, "valid")
        state.done.append(
            CompletedPair(step.phase, step.number, step.place, step.arm, step.name, verdict, 1.0)
        )
        names.append(step.name.removesuffix(".json"))
    return names


def test_the_base_against_itself_then_pairs_in_abba_order() -> None:
    assert made(job(PairPlan(1, 3, 2.0))) == [
        *("noise-01-1-A", "noise-01-2-A"),
        *("pair-01-1-A", "pair-01-2-B"),
        *("pair-02-1-B", "pair-02-2-A"),
        *("pair-03-1-A", "pair-03-2-B"),
    ]


def test_a_spoilt_pair_stays_and_is_made_up_for_at_the_end() -> None:
    state = job(PairPlan(1, 3, 2.0))
    names = made(state, {"pair-02-1-B.json": "generator_limited"})
    assert names[-2:] == ["pair-04-1-B", "pair-04-2-A"]
    assert len(names) == 10


def test_pairs_that_are_always_spoilt_come_to_an_end() -> None:
    state = job(PairPlan(2, 4, 2.0))
    spoilt = {f"pair-{number:02d}-1-{arm}.json": "unstable" for number in range(99) for arm in "AB"}
    assert made(state, spoilt)[-1].startswith("pair-06-2")


def test_a_spoilt_noise_pair_is_made_up_for_before_the_pairs() -> None:
    names = made(job(PairPlan(2, 1, 2.0)), {"noise-01-2-A.json": "generator_limited"})
    assert names[4:6] == ["noise-03-1-A", "noise-03-2-A"]
    assert names[6:] == ["pair-01-1-A", "pair-01-2-B"]


def test_an_interrupted_job_goes_on_where_it_was() -> None:
    whole = made(job(PairPlan(2, 3, 2.0)))
    for stopped_after in range(len(whole)):
        state = job(PairPlan(2, 3, 2.0))
        assert made(state, most=stopped_after) + made(state) == whole


def test_no_pair_begins_that_the_budget_has_no_time_for() -> None:
    """Also none that replaces a spoilt one; a pair that has begun is always finished."""
    state = job(PairPlan(1, 10, 10.0))
    state.budget_s = 100.0
    spoilt = {f"pair-{number:02d}-1-{arm}.json": "unstable" for number in range(99) for arm in "AB"}
    names = []
    while (step := next_step(state)) is not None:
        verdict = spoilt.get(step.name, "valid")
        state.done.append(
            CompletedPair(step.phase, step.number, step.place, step.arm, step.name, verdict, 10.0)
        )
        names.append(step.name)
    assert len(names) == 12
    assert sum(each.seconds for each in state.done) <= 1.25 * state.budget_s
    state.pairs_asked = 10
    assert next_step(state) == AbStep("pair", 6, 0, "B")


def test_without_a_plan_the_first_run_comes_first() -> None:
    assert next_step(job(None)) == AbStep("noise", 1, 0, "A")


def test_the_time_left_counts_what_runs_really_take() -> None:
    state = job(PairPlan(1, 3, 2.0))
    assert ab_job.seconds_left(state) == pytest.approx(8 * 2.0)
    state.done.append(CompletedPair("noise", 1, 0, "A", "x.json", "valid", 5.0))
    assert ab_job.seconds_left(state) == pytest.approx(7 * 5.0)
    assert ab_job.seconds_left(job(None)) is None


def test_a_state_is_read_as_it_was_saved(tmp_path: Path) -> None:
    state = job(PairPlan(1, 3, 2.0, 4.5))
    made(state, most=3)
    ab_state.save(tmp_path, state)
    assert ab_state.load(tmp_path) == state
    assert ab_state.load(tmp_path / "job.json") == state


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "no job to resume"),
        ("{", "not a job of 'bench ab'"),
        ('{"format": "runqy-bench-ab-job/1"}', "not a job of 'bench ab'"),
    ],
)
def test_what_is_no_job_is_refused_in_one_line(tmp_path: Path, text: str | None, said: str) -> None:
    if text is not None:
        (tmp_path / "job.json").write_text(text)
    with pytest.raises(RecordError, match=said):
        ab_state.load(tmp_path)


def test_another_version_of_a_job_is_refused_by_name(tmp_path: Path) -> None:
    state = job(None)
    state.format = "runqy-bench-ab-job/9"
    ab_state.save(tmp_path, state)
    with pytest.raises(RecordError, match=r"format runqy-bench-ab-job/9; this version"):
        ab_state.load(tmp_path)

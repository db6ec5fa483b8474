"""When a job ends early, from its records: resumed after so many pairs, it ends or goes on."""

from pathlib import Path

import msgspec
import pytest

from bench.analysis.rule import Decision
from bench.jobs import ab_conclusion, ab_job, ab_state
from bench.jobs.ab_plan import PairPlan
from bench.jobs.ab_state import NOISE, PAIR, CompletedPair, Job
from bench.jobs.runs import RunInterrupted
from bench.records import run_record
from bench.records.comparison_record import GateRecord, Stopping
from bench.records.run_record import RunRecord
from tests.analysis.test_compare import pairs
from tests.jobs.test_ab_job import job


def _made(
    folder: Path, worse: float, count: int, *, stops_early: bool = True, planned: int = 10
) -> Job:
    """A job of ten pairs, of which so many are made, and one pair of the base with itself."""
    state = job(PairPlan(1, planned, 2.0))
    state.gated = ["e2e.p50", "e2e.p99"]
    state.stops_early = stops_early
    base, candidate = pairs(worse, count + 1)
    _add(folder, state, NOISE, 1, (base[0], base[1] if count else base[0]))
    for number in range(1, count + 1):
        _add(folder, state, PAIR, number, (base[number], candidate[number]))
    ab_state.save(folder, state)
    return state


def _add(
    folder: Path, state: Job, phase: str, number: int, runs: tuple[RunRecord, RunRecord]
) -> None:
    for place, record in enumerate(runs):
        arm = "A" if phase == NOISE else "AB"[place]
        name = f"{phase}-{number}-{place}.json"
        run_record.save(record, folder / name)
        state.done.append(CompletedPair(phase, number, place, arm, name, record.verdict, 1.0))


def _ends(folder: Path, state: Job) -> bool:
    """Whether the job has nothing to do any more; otherwise it would begin a run."""
    try:
        ab_job.measure(folder, state, lambda: True, lambda _: None)
    except RunInterrupted:
        return False
    return True


def _concluded(folder: Path, state: Job) -> GateRecord:
    assert _ends(folder, state)
    return ab_conclusion.conclude(folder, state)


@pytest.mark.parametrize(
    ("worse", "decision"),
    [(0.3, Decision.REGRESSION), (0.0, Decision.NO_WORSE), (-0.12, Decision.IMPROVEMENT)],
)
def test_a_plain_decision_ends_a_job_after_half_of_its_pairs(
    tmp_path: Path, worse: float, decision: Decision
) -> None:
    assert not _ends(tmp_path, _made(tmp_path, worse, 4))
    state = _made(tmp_path, worse, 5)
    gate = _concluded(tmp_path, state)
    assert gate.decision == decision
    assert gate.stopping == Stopping(planned=10, analyses=[5], stopped_after=5)
    assert gate.notes == []
    assert ab_state.load(tmp_path).stopped_after == 5


def test_between_two_analyses_no_job_ends(tmp_path: Path) -> None:
    """Six plain pairs, where the job was interrupted before the analysis after five was made."""
    assert not _ends(tmp_path, _made(tmp_path, 0.3, 6))
    assert _ends(tmp_path, _made(tmp_path, 0.3, 8))


@pytest.mark.parametrize("worse", [0.0, 0.3])
def test_a_fixed_plan_and_one_of_few_pairs_are_measured_to_their_end(
    tmp_path: Path, worse: float
) -> None:
    assert not _ends(tmp_path, _made(tmp_path, worse, 9, stops_early=False))
    assert not _ends(tmp_path, _made(tmp_path, worse, 6, planned=7))
    gate = _concluded(tmp_path, _made(tmp_path, worse, 10, stops_early=False))
    assert gate.stopping == Stopping(planned=10, analyses=[10])


def test_a_change_at_the_margin_takes_all_pairs(tmp_path: Path) -> None:
    for count in (5, 8):
        assert not _ends(tmp_path, _made(tmp_path, 0.05, count))
    gate = _concluded(tmp_path, _made(tmp_path, 0.05, 10))
    assert gate.stopping == Stopping(planned=10, analyses=[5, 8, 10])
    assert gate.decision == Decision.INCONCLUSIVE


def test_a_pair_that_is_not_valid_is_not_counted_at_an_analysis(tmp_path: Path) -> None:
    state = _made(tmp_path, 0.3, 5)
    spoilt = state.done[-1]
    record = run_record.load(tmp_path / spoilt.file)
    invalid = msgspec.structs.replace(record, verdict="unstable")
    run_record.save(invalid, tmp_path / spoilt.file)
    state.done[-1] = msgspec.structs.replace(spoilt, verdict="unstable")
    assert not _ends(tmp_path, state)


def test_a_job_that_the_budget_ended_is_judged_by_what_it_has(tmp_path: Path) -> None:
    state = _made(tmp_path, 0.3, 7)
    state.budget_s = 1.0
    gate = _concluded(tmp_path, state)
    assert gate.stopping == Stopping(planned=10, analyses=[5, 7])
    assert gate.decision == Decision.REGRESSION
    assert "7 of 10 planned pairs were measured" in gate.notes[0]


def test_a_job_of_an_earlier_version_keeps_its_fixed_plan(tmp_path: Path) -> None:
    state = _made(tmp_path, 0.3, 5)
    written = msgspec.json.decode((tmp_path / ab_state.STATE).read_bytes())
    del written["stops_early"], written["stopped_after"]
    (tmp_path / ab_state.STATE).write_bytes(msgspec.json.encode(written))
    state = ab_state.load(tmp_path)
    assert not _ends(tmp_path, state)

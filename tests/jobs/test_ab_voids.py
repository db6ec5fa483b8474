"""Pairs that are void are made up for, up to half of the plan, and told of."""

from pathlib import Path

import msgspec
import pytest

from bench.analysis.rule import Decision
from bench.jobs import ab_conclusion, ab_job, ab_state
from bench.jobs.ab_plan import PairPlan
from bench.jobs.ab_state import NOISE, PAIR, CompletedPair, Job
from bench.jobs.runs import RunInterrupted
from bench.records import run_record
from bench.records.run_record import RunRecord
from bench.reports.gate import text
from tests.analysis import test_compare
from tests.analysis.test_voids import watched, whole
from tests.jobs.test_ab_job import job

QUIET, SLOWER = whole(), whole(spin=2.0)


def _made(
    folder: Path, void: set[int], count: int, *, voids: bool = True, worse: float = 0.0
) -> Job:
    """A job of six pairs, of which so many are made, those with the numbers in ``void`` while the
    machine changed; and one pair of the base with itself."""
    state = job(PairPlan(1, 6, 2.0))
    state.gated, state.voids = ["e2e.p50"], voids
    base, candidate = test_compare.pairs(worse, count + 2)
    _add(folder, state, NOISE, 1, (base[0], base[1]), 0 in void)
    for number in range(1, count + 1):
        _add(folder, state, PAIR, number, (base[number], candidate[number]), number in void)
    ab_state.save(folder, state)
    return state


def _add(
    folder: Path,
    state: Job,
    phase: str,
    number: int,
    runs: tuple[RunRecord, RunRecord],
    is_void: bool,
) -> None:
    for place, record in enumerate(runs):
        arm = "A" if phase == NOISE else "AB"[place]
        name = f"{phase}-{number}-{place}.json"
        after = SLOWER if is_void and place else QUIET
        run_record.save(watched(record, QUIET, after), folder / name)
        state.done.append(CompletedPair(phase, number, place, arm, name, record.verdict, 1.0))
        ab_state.note_if_void(folder, state)


def _next(state: Job) -> tuple[str, int] | None:
    step = ab_job.next_step(state)
    return None if step is None else (step.phase, step.number)


def test_a_void_pair_is_made_up_for_at_the_end(tmp_path: Path) -> None:
    assert _next(_made(tmp_path, set(), 6)) is None
    assert _next(_made(tmp_path, {2}, 6)) == (PAIR, 7)
    state = _made(tmp_path, {2}, 7)
    assert _next(state) is None
    gate = ab_conclusion.conclude(tmp_path, state)
    assert (gate.pairs, gate.pairs_left_out, gate.notes) == (6, 0, [])
    assert gate.decision == Decision.NO_WORSE
    assert gate.stopping is not None
    (told,) = gate.stopping.void
    assert (told.number, told.is_noise, told.canaries.work) == (2, False, "spin")


def test_a_void_noise_pair_is_made_up_for_before_the_pairs(tmp_path: Path) -> None:
    state = _made(tmp_path, {0}, 0)
    assert _next(state) == (NOISE, 2)
    assert [each.is_noise for each in state.void] == [True]


def test_the_noise_is_computed_without_void_pairs_and_says_from_how_many(tmp_path: Path) -> None:
    assert ab_conclusion.conclude(tmp_path, _made(tmp_path, set(), 6)).noise_pairs == 1
    gate = ab_conclusion.conclude(tmp_path, _made(tmp_path, {0}, 6))
    assert gate.noise_pairs == 0
    assert {row.floor for row in gate.rows} == {None}
    assert any("noise unknown" in line for line in text.footer(gate))


def test_no_more_than_half_of_the_plan_is_made_up_for(tmp_path: Path) -> None:
    state = _made(tmp_path, set(range(1, 9)), 8)
    assert _next(state) == (PAIR, 9)
    state = _made(tmp_path, set(range(1, 9)), 9)
    assert _next(state) is None
    gate = ab_conclusion.conclude(tmp_path, state)
    assert (gate.pairs, gate.decision) == (1, Decision.INCONCLUSIVE)
    assert gate.notes[0].startswith("the machine changed in 8 of 9 pairs, so 1 of 6 planned pairs")


def test_a_job_of_void_pairs_alone_is_inconclusive(tmp_path: Path) -> None:
    gate = ab_conclusion.conclude(tmp_path, _made(tmp_path, set(range(1, 10)), 9, worse=0.3))
    assert (gate.pairs, gate.decision) == (0, Decision.INCONCLUSIVE)


def test_void_pairs_are_kept_where_the_user_asks_for_it(tmp_path: Path) -> None:
    state = _made(tmp_path, {2, 3}, 6, voids=False)
    assert _next(state) is None
    gate = ab_conclusion.conclude(tmp_path, state)
    assert gate.stopping is not None
    assert (gate.pairs, gate.stopping.void) == (6, [])


def test_a_resumed_job_keeps_what_is_void(tmp_path: Path) -> None:
    _made(tmp_path, {2}, 6)
    state = ab_state.load(tmp_path)
    assert _next(state) == (PAIR, 7)
    with pytest.raises(RunInterrupted):
        ab_job.measure(tmp_path, state, lambda: True, lambda _: None)
    assert ab_state.load(tmp_path).void == state.void


def test_in_a_job_of_an_earlier_version_nothing_is_void(tmp_path: Path) -> None:
    _made(tmp_path, {2}, 6)
    written = msgspec.json.decode((tmp_path / ab_state.STATE).read_bytes())
    del written["voids"], written["void"]
    (tmp_path / ab_state.STATE).write_bytes(msgspec.json.encode(written))
    state = ab_state.load(tmp_path)
    assert _next(state) is None
    assert ab_conclusion.conclude(tmp_path, state).pairs == 6


def test_a_pair_that_is_not_valid_is_not_void_as_well(tmp_path: Path) -> None:
    state = _made(tmp_path, set(), 6)
    for number in (7, 8):
        base, candidate = test_compare.run(40), test_compare.run(41)
        spoilt = msgspec.structs.replace(candidate, verdict="unstable")
        _add(tmp_path, state, PAIR, number, (base, spoilt), is_void=True)
    assert state.void == []
    assert ab_conclusion.conclude(tmp_path, state).pairs_left_out == 2

"""A whole search, step by step, on a simulated system."""

import functools
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis.capacity import answer
from bench.analysis.capacity.budget import extended
from bench.analysis.capacity.effort import effort_for, held_out_levels
from bench.analysis.capacity.evidence import best_held, lacks_time, saturation_trial
from bench.analysis.capacity.steps import next_trial, updated
from bench.errors import UsageError
from bench.records.capacity_record import CapacityRecord, is_rejected
from tests.records.capacity_fixtures import (
    broken,
    capacity_of,
    found,
    hopeless,
    new_record,
    searched,
    seconds_of,
    with_trial,
)


def test_a_search_finds_every_level_and_checks_its_model() -> None:
    record = found()
    assert [level.units for level in record.levels] == [1, 2, 4, 8, 6, 12]
    for level in record.levels:
        truth = capacity_of(level.units)
        assert level.lower_per_s is not None
        assert level.upper_per_s is not None
        assert level.lower_per_s <= truth < level.upper_per_s
        assert level.lower_per_s >= truth * 0.95
        assert level.is_settled
    assert [level.is_held_out for level in record.levels] == [False] * 4 + [True] * 2
    assert {(each.what, each.kind) for each in record.predictions} == {
        ("capacity", "interior"),
        ("capacity", "extrapolated"),
        ("e2e.p99", "load"),
    }
    capacities = [each for each in record.predictions if each.what == "capacity"]
    assert all(each.is_inside for each in capacities)
    assert not is_rejected(record, "capacity")


def test_predictions_are_written_before_their_points_are_measured_and_never_changed() -> None:
    record = new_record([1, 2, 4])
    said: dict[int, tuple[float, float, float, str]] = {}
    while (step := next_trial(record)) is not None:
        for each in record.predictions:
            values = (each.value, each.low, each.high, each.made_at)
            assert said.setdefault(id(each.what) + each.units, values) == values
        if step.units in held_out_levels([1, 2, 4]):
            assert any(each.units == step.units for each in record.predictions)
        record = with_trial(record, step)
    assert len(said) == 3
    assert all(each.measured is not None for each in record.predictions)


def test_a_system_that_breaks_its_law_rejects_the_model() -> None:
    assert is_rejected(broken(), "capacity")
    assert any("scaling law is rejected" in note for note in answer.notes(broken()))


@pytest.mark.parametrize("asked", [[1], [1, 2]])
def test_too_few_levels_fit_nothing_and_say_so(asked: list[int]) -> None:
    record = searched(asked)
    assert record.scaling is None
    assert [each for each in record.predictions if each.what == "capacity"] == []
    assert any("no scaling law was fitted" in note for note in answer.notes(record))


def test_a_disturbed_trial_of_saturation_does_not_bound_what_is_found_and_is_told() -> None:
    record = new_record([1])
    while (step := next_trial(record)) is not None:
        share = 0.3 if step.purpose == "saturation" else 1.0
        record = with_trial(record, step, functools.partial(_share_of_capacity, share))
    level = record.levels[0]
    assert level.lower_per_s is not None
    assert level.upper_per_s is not None
    assert level.lower_per_s <= capacity_of(1) < level.upper_per_s
    assert level.saturation_per_s is not None
    assert level.saturation_per_s >= level.lower_per_s
    told = [note for note in answer.notes(record) if "full speed" in note]
    assert len(told) == 1
    assert "142/s" in told[0]


def _share_of_capacity(share: float, units: int) -> float:
    return share * capacity_of(units)


def test_what_trials_happen_to_complete_beyond_their_rate_is_not_taken_for_saturation() -> None:
    record = found()
    lucky = [
        msgspec.structs.replace(each, completed_per_s=1.1 * (each.completed_per_s or 0.0))
        if each.purpose == "search" and each.good
        else each
        for each in record.trials
    ]
    for level in record.levels:
        trial = saturation_trial(msgspec.structs.replace(record, trials=lucky), level.units)
        assert trial is not None
        assert trial.purpose == "saturation"


def test_a_search_without_disturbance_tells_of_none() -> None:
    assert not any("full speed" in note for note in answer.notes(found()))


def test_an_objective_that_no_rate_meets_is_reported_with_the_closest_figure() -> None:
    assert hopeless().levels[0].lower_per_s is None
    text = answer.sentence(hopeless())
    assert text.startswith("No tested rate meets e2e.p99 < 50ms; the closest was 2.50 s at ")


@pytest.mark.slow
def test_an_interrupted_search_goes_on_where_it_was() -> None:
    """Its record holds all that the next step depends on."""
    whole = searched([1, 2, 4])
    record: CapacityRecord = new_record([1, 2, 4])
    for trial in whole.trials:
        step = next_trial(record)
        assert step is not None
        assert (step.purpose, step.units, step.rate_per_s) == (
            trial.purpose,
            trial.units,
            trial.rate_per_s,
        )
        record = with_trial(record, step)
    assert next_trial(record) is None


def bounded(capacity: float, seed: int) -> Callable[[int], float]:
    """A system whose capacity wanders from trial to trial, by up to a fifth."""
    generator = np.random.default_rng(seed)
    return lambda units: capacity * units * float(generator.uniform(0.8, 1.0))


@pytest.mark.slow
@given(
    asked=st.sampled_from([[1], [2], [1, 2]]),
    more_s=st.floats(0.0, 900.0),
    beyond_s=st.floats(0.5, 6.0),
    seed=st.integers(0, 10**6),
)
def test_a_search_keeps_to_its_budget_whatever_its_trials_take(
    asked: list[int], more_s: float, beyond_s: float, seed: int
) -> None:
    """But for the first trials, which show what a trial takes."""
    budget_s = 400.0 + more_s
    record = searched(asked, bounded(900.0, seed), budget_s=budget_s, beyond_s=beyond_s)
    assert seconds_of(record) <= budget_s + 0.001


@pytest.mark.slow
@given(seed=st.integers(0, 10**6), minutes=st.integers(6, 12))
def test_a_system_that_wanders_has_its_best_known_rate_named(seed: int, minutes: int) -> None:
    """Where no rate is proven, the answer names one that held, how often, and what is missing."""
    record = searched([1, 2], bounded(900.0, seed), budget_s=minutes * 60.0)
    best = best_held(record)
    assert best is not None
    text = answer.sentence(record)
    assert f"{best.rate_per_s:,.0f}/s" in text
    level = next(each for each in record.levels if each.units == best.units)
    assert (level.held_per_s, level.held_trials) == (best.rate_per_s, (best.good, best.made))
    assert ("not proven" in text) == (not level.is_settled)
    if not level.is_settled:
        assert f"{best.good} of {best.made} run" in text
        assert answer.continuation(record, Path("c.json")) == "bench capacity --resume c.json"


def test_a_rate_that_held_is_the_answer_when_the_time_ends_before_it_is_proven() -> None:
    record = searched([2], budget_s=100.0, most_trials=5)
    record = msgspec.structs.replace(record, ended="budget", is_complete=True)
    assert answer.sentence(record).startswith("2 slots on valkey 9.1.0 held 778/s in 1 of 1 run, ")
    assert answer.sentence(record).endswith("; not proven: the budget ended.")


def test_a_rate_that_held_above_one_that_failed_is_named_with_it() -> None:
    """Twice in a quiet moment, while a lower rate was spoilt for good."""
    outcomes = [(370.0, True), (262.0, False), (262.0, False), (370.0, True), (131.0, False)]
    record = searched([2], budget_s=200.0, most_trials=2)
    (trial,) = [each for each in record.trials if each.purpose == "saturation"]
    made = [
        msgspec.structs.replace(
            trial, purpose="search", rate_per_s=rate, good=good, duration_s=record.effort.final_s
        )
        for rate, good in outcomes
    ]
    record = updated(msgspec.structs.replace(record, trials=[*record.trials, *made]))
    record = msgspec.structs.replace(record, ended="interrupted")
    assert "held 370/s in 2 of 2 runs" in answer.sentence(record)
    assert any("but 262/s below it failed" in note for note in answer.notes(record))


def test_a_continued_search_gives_its_time_to_the_level_that_is_open() -> None:
    """Even if that one took its part of the first budget and another left most of it."""
    first = searched([1, 2], budget_s=400.0)
    assert first.levels[1].is_settled
    forgotten = [each for each in first.trials if each.units != 1 or each.purpose == "saturation"]
    longer = [
        msgspec.structs.replace(each, took_s=300.0 if each.units == 1 else each.took_s)
        for each in forgotten
    ]
    record = updated(msgspec.structs.replace(first, trials=longer, is_complete=True))
    more = extended(record, 150.0)
    step = next_trial(more)
    assert step is not None
    assert (step.purpose, step.units) == ("search", 1)
    done = searched([1, 2], record=more)
    assert done.levels[0].lower_per_s is not None
    assert seconds_of(done) <= seconds_of(record) + 150.0


def test_a_continued_search_settles_what_was_open() -> None:
    """It has as much time again, and makes its predictions from the better levels."""
    record = searched([1, 2, 4], budget_s=360.0, beyond_s=12.0)
    assert lacks_time(record)
    assert answer.continuation(record, Path("a b.json")) == "bench capacity --resume 'a b.json'"
    for _ in range(4):
        more = extended(record, None)
        assert more.effort.budget_s > record.effort.budget_s
        record = searched([1, 2, 4], beyond_s=12.0, record=more)
        assert seconds_of(record) <= record.effort.budget_s + 0.001
        if not lacks_time(record):
            break
    assert all(level.is_settled for level in record.levels)
    assert answer.continuation(record, Path("c.json")) == ""


def test_a_larger_budget_makes_longer_trials() -> None:
    small, large = effort_for(360, 3, 2, 0.05), effort_for(1200, 3, 2, 0.05)
    assert 3 <= small.final_s < large.final_s <= 60
    assert large.sum_s == 4 * large.final_s


def test_a_budget_too_small_for_any_trial_is_refused_with_one_that_is_not() -> None:
    with pytest.raises(
        UsageError, match=r"budget of 20\.0 s is too small.*--budget (\d+)m"
    ) as said:
        effort_for(20, 3, 2, 0.05)
    minutes = int(str(said.value).split("--budget ")[1].split("m")[0])
    assert effort_for(minutes * 60, 3, 2, 0.05).final_s >= 3


@pytest.mark.parametrize(
    ("asked", "held_out"),
    [
        ([1, 2, 4, 8], [6, 12]),
        ([1, 2, 4], [3, 6]),
        ([1, 2, 3], [5]),
        ([1, 2], []),
        ([4], []),
        ([10, 20, 40], [30, 60]),
    ],
)
def test_one_level_inside_and_one_beyond_are_held_out(
    asked: list[int], held_out: list[int]
) -> None:
    assert held_out_levels(asked) == held_out

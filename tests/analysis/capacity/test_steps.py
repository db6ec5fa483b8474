"""A whole search, step by step, on a simulated system."""

import pytest

from bench.analysis.capacity import answer
from bench.analysis.capacity.effort import effort_for, held_out_levels
from bench.analysis.capacity.steps import next_trial
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


@pytest.mark.slow
@pytest.mark.parametrize("budget_s", [360.0, 600.0, 1800.0])
def test_a_search_keeps_to_its_budget(budget_s: float) -> None:
    """But for the trials that are under way when a level's share is used up."""
    record = searched([1, 2, 4], budget_s=budget_s)
    longest_s = max(trial.took_s for trial in record.trials)
    assert seconds_of(record) <= budget_s + 7 * longest_s


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

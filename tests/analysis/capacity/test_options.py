"""The rate of each number of workers: in order, and nothing but what is measured or modelled."""

import math
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis.capacity import models
from bench.analysis.capacity.options import declines, sustained_rates
from bench.analysis.capacity.plan import make_plan
from bench.analysis.capacity.plan_request import PlanRequest
from bench.records.capacity_record import CapacityRecord, LevelRow
from tests.records.capacity_fixtures import new_record

Rates = Sequence[tuple[int, float | None, float | None, bool]]
"""Of each level: its number, the rate that it sustains, the one at which it fails, if settled."""


def record_of(rates: Rates) -> CapacityRecord:
    """A search that found these bounds, with the law that they make."""
    levels = [
        LevelRow(
            units=number,
            saturation_per_s=None if upper is None else upper * 1.1,
            lower_per_s=lower,
            upper_per_s=upper,
            is_settled=is_settled,
            is_held_out=False,
            limit="",
        )
        for number, lower, upper, is_settled in rates
    ]
    law = models.law_of(levels)
    asked = sorted(level.units for level in levels)
    return msgspec.structs.replace(
        new_record(asked, budget_s=10_000.0),
        levels=levels,
        scaling=None if law is None else models.scaling_row(law),
        is_complete=True,
    )


@st.composite
def records(draw: st.DrawFn) -> CapacityRecord:
    """Levels in any order of rates, with and without bounds, proven or not."""
    numbers = draw(st.lists(st.integers(1, 12), min_size=1, max_size=5, unique=True))
    rates = []
    for number in sorted(numbers):
        lower = draw(st.none() | st.floats(50.0, 500.0))
        upper = draw(st.none() | st.floats(1.01, 1.5)) if lower else draw(st.floats(1.1, 4.0))
        fails_at = None if upper is None else (lower or 50.0) * upper
        rates.append((number, lower, fails_at, draw(st.booleans())))
    return record_of(rates)


@given(record=records())
def test_more_workers_never_sustain_less_unless_that_was_measured(record: CapacityRecord) -> None:
    rates = sustained_rates(record)
    steps = [(each.fewer.units, each.more.units) for each in declines(record)]
    for index, more in enumerate(rates):
        for fewer in rates[:index]:
            if more.rate_per_s < fewer.rate_per_s:
                assert any(
                    start <= more.units <= end or fewer.units <= end <= more.units
                    for start, end in steps
                ), f"{more} after {fewer}"
    for each in declines(record):
        assert each.more.is_settled
        assert (each.more.upper_per_s or math.inf) * 1.08 < (each.fewer.lower_per_s or 0.0)


@given(record=records())
def test_what_was_measured_is_never_understated_and_the_law_stays_between(
    record: CapacityRecord,
) -> None:
    rates = {each.units: each for each in sustained_rates(record)}
    lowers = {each.units: each.lower_per_s for each in record.levels if each.lower_per_s}
    for number, lower in lowers.items():
        assert rates[number].rate_per_s >= lower
        assert rates[number].basis == "measured"
    measured = {number for number, each in rates.items() if each.basis == "measured"}
    for number, each in rates.items():
        if each.basis == "extrapolated":
            assert number > max(measured)
        if each.basis == "modelled":
            neighbours = [rates[min(other for other in measured if other > number)].rate_per_s]
            if smaller := [other for other in measured if other < number]:
                neighbours.append(rates[max(smaller)].rate_per_s)
                assert each.rate_per_s >= min(neighbours)
            assert each.rate_per_s <= max(neighbours)
        assert each.of_units <= number
        assert rates[each.of_units].rate_per_s == each.rate_per_s


@given(record=records(), rate=st.floats(1.0, 2000.0), headroom=st.sampled_from([0.0, 0.2, 0.5]))
def test_the_number_for_a_rate_agrees_with_the_rate_of_that_number(
    record: CapacityRecord, rate: float, headroom: float
) -> None:
    plan = make_plan(record, PlanRequest(rate_per_s=rate, headroom=headroom))
    table = {option.units: option.holds_per_s for option in plan.options}
    enough = [number for number, holds in table.items() if holds * (1 - headroom) > rate * 1.0001]
    if plan.chosen is None:
        assert not enough
        assert any(
            "measure more: bench" in note or "search again: " in note or "divide the load" in note
            for note in plan.notes
        )
        return
    assert plan.chosen.units <= min(enough, default=math.inf)
    assert table[plan.chosen.units] * (1 - headroom) >= rate * 0.9999
    beyond = max(level.units for level in record.levels if level.lower_per_s)
    is_said = any("extrapolated beyond the largest measured number" in n for n in plan.notes)
    assert is_said == (plan.chosen.units > beyond and plan.chosen.basis == "extrapolated")
    if plan.chosen.units > max(level.units for level in record.levels):
        assert is_said


def test_neighbours_bound_what_the_law_says() -> None:
    """Four and six were measured; five and seven lie between their neighbours."""
    record = record_of([(1, 50.0, 52.0, True), (4, 179.0, 188.0, True), (6, 242.0, 255.0, True)])
    rates = {each.units: each for each in sustained_rates(record)}
    assert (rates[4].rate_per_s, rates[6].rate_per_s) == (179.0, 242.0)
    assert 179.0 <= rates[5].rate_per_s <= 242.0
    assert all(each.rate_per_s >= 242.0 for number, each in rates.items() if number > 6)


@pytest.mark.parametrize(
    ("upper", "rate", "said"),
    [
        (175.0, 179.0, "not significantly less than the 179/s of fewer"),
        (140.0, 130.0, "6 slots sustain significantly less than 4, as measured: 130/s versus"),
    ],
)
def test_a_measured_decline_counts_where_it_is_significant_and_is_named(
    upper: float, rate: float, said: str
) -> None:
    lower = upper if upper > 150 else rate
    record = record_of(
        [(2, 100.0, 104.0, True), (4, 179.0, 188.0, True), (6, min(lower, 170.0), upper, True)]
    )
    rates = {each.units: each.rate_per_s for each in sustained_rates(record)}
    assert rates[6] == rate
    plan = make_plan(record, PlanRequest(rate_per_s=100.0, headroom=0.0))
    assert any(said in note for note in plan.notes)


def test_a_number_below_all_measured_ones_is_said_to_be_unknown() -> None:
    plan = make_plan(
        record_of([(4, 179.0, 188.0, True)]), PlanRequest(rate_per_s=10.0, headroom=0.3)
    )
    assert plan.chosen is not None
    assert plan.chosen.units == 4
    assert "fewer than 4 slots may be enough, but were not measured" in plan.notes

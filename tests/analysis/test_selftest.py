"""The judgement of a self-test: bounds of tasks, percentiles, and what a machine's noise means."""

import math
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis.selftest import (
    KnownLatencies,
    MeasuredSummaries,
    cannot_tell,
    check_delay,
    disagreements,
    exit_code,
    nearest_rank,
    noise_of,
)
from bench.errors import ExitCode
from bench.measure.histogram import Histogram
from bench.records.selftest_record import DelayCheck, differences
from bench.records.summaries import summarise
from tests.records.selftest_fixtures import good, wrong

_US = st.integers(0, 3_000_000)


def check(true_us: list[int], measured_us: list[int], width_us: int = 0) -> DelayCheck:
    """What is said of tasks whose times are known to within a width."""
    histogram = Histogram()
    histogram.record_many(np.array(measured_us))
    low_s = np.array(true_us) / 1e6
    known = KnownLatencies(low_s, low_s + width_us / 1e6)
    return check_delay("built-in", "e2e", 0.1, known, MeasuredSummaries(summarise(histogram)))


@given(st.lists(st.tuples(_US, st.integers(0, 5000)), min_size=1, max_size=300))
def test_a_measurement_within_the_bounds_of_every_task_always_agrees(
    tasks: list[tuple[int, int]],
) -> None:
    """However the tasks are ordered and however wide the bounds are."""
    true_us = [true for true, _ in tasks]
    made = check(true_us, [true + late for true, late in tasks], width_us=5000)
    assert made.agrees


@given(st.lists(st.integers(20_000, 3_000_000), min_size=1, max_size=100), st.booleans())
def test_a_measurement_that_is_off_by_more_than_the_error_is_found_out(
    true_us: list[int], is_late: bool
) -> None:
    off = 1.01 if is_late else 0.99
    made = check(true_us, [round(each * off) for each in true_us])
    assert not made.agrees
    assert all(each.off_s > 0 for each in made.compared)


def test_a_sample_that_is_missing_or_too_many_is_a_disagreement() -> None:
    assert check([100] * 10, [100] * 10).agrees
    assert not check([100] * 10, [100] * 9).agrees
    assert not check([100] * 10, [100] * 11).agrees
    assert not check([100], []).agrees
    assert not check([], []).agrees


def test_a_range_that_was_measured_agrees_where_it_meets_what_is_known() -> None:
    low, high = Histogram(), Histogram()
    low.record(9_000, 10)
    high.record(11_000, 10)
    measured = MeasuredSummaries(summarise(high), summarise(low))

    def agrees(known_us: int) -> bool:
        known_s = np.full(10, known_us / 1e6)
        known = KnownLatencies(known_s, known_s)
        return check_delay("observer", "e2e", 0.01, known, measured).agrees

    assert agrees(10_000)
    assert agrees(9_000)
    assert agrees(11_000)
    assert not agrees(8_900)
    assert not agrees(11_100)


@given(st.lists(st.floats(0, 100), min_size=1), st.sampled_from([50.0, 99.0]))
def test_the_nearest_rank_is_reached_by_that_share_of_the_values(
    values: list[float], percent: float
) -> None:
    found = nearest_rank(np.array(values), percent)
    assert found in values
    assert sum(each <= found for each in values) >= percent / 100 * len(values)
    assert sum(each < found for each in values) < percent / 100 * len(values)


def test_two_further_runs_differ_by_more_than_is_said_in_one_of_twenty_cases() -> None:
    """2,000 self-tests of eight runs each, with a known spread, and two runs after each."""
    draw = np.random.default_rng(3)
    trials = np.exp(draw.normal(0, 0.05, (2000, 10)))
    beyond = 0
    for trial in trials:
        allowed = noise_of("p50", [float(each) for each in trial[:8]]).differs or 0.0
        beyond += abs(math.log(trial[8] / trial[9])) > math.log1p(allowed)
    assert beyond / 2000 == pytest.approx(0.05, abs=0.015)


def test_few_runs_have_no_spread() -> None:
    assert noise_of("p50", [1.0, 2.0]).differs is None
    assert noise_of("p50", [1.0, 2.0, 0.0]).differs is None
    assert noise_of("p50", [2.0, 2.0, 2.0]).differs == 0


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, ExitCode.PASSED),
        ({"ended": "interrupted"}, ExitCode.INTERRUPTED),
        ({"ended": "failed"}, ExitCode.INVALID),
        ({"ended": ""}, ExitCode.INVALID),
        ({"delays": [], "counts": []}, ExitCode.INVALID),
        ({"problems": wrong().problems}, ExitCode.INVALID),
        ({"counts": wrong().counts}, ExitCode.INVALID),
        ({"delays": wrong().delays[:5]}, ExitCode.INVALID),
        ({"delays": wrong().delays[-1:]}, ExitCode.INCONCLUSIVE),
    ],
)
def test_the_exit_code_is_0_only_where_everything_was_compared_and_agrees(
    changes: dict[str, Any], code: ExitCode
) -> None:
    assert exit_code(msgspec.structs.replace(good(), **changes)) is code


def test_every_kind_of_failure_counts() -> None:
    assert disagreements(good()) == 0
    assert disagreements(wrong()) == 4
    assert [each.path for each in cannot_tell(wrong())] == ["network"]


def test_a_machine_is_another_one_where_a_part_or_a_version_is() -> None:
    here = {
        "cpu_model": "A",
        "cores": 2,
        "memory_bytes": 1,
        "kernel": "Linux 6",
        "python": "3.11",
        "packages": {"bench": "0.1.0", "numpy": "2.0"},
        "git": {"commit": "abc", "dirty": False},
        "governor": "performance",
    }
    made = msgspec.structs.replace(good(), environment=here)
    assert differences(made, here) == []
    assert differences(made, {**here, "governor": None, "git": None}) == []
    assert differences(made, {**here, "git": {"commit": "abc", "dirty": True}}) == []
    assert differences(made, {**here, "cores": 4}) == ["cores: 2 there, 4 here"]
    assert differences(made, {**here, "packages": {"bench": "0.2.0", "numpy": "2.0"}}) == [
        "bench: 0.1.0 there, 0.2.0 here"
    ]
    assert differences(made, {**here, "git": {"commit": "def"}}) == [
        "commit of bench: abc there, def here"
    ]

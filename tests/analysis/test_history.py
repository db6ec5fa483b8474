"""Trends: levels that change for good are found, and noise is not taken for one."""

import datetime

import msgspec
import numpy as np
import pytest

from bench.analysis import history
from bench.records.run_record import RunRecord
from bench.workload.metrics import parse_metric
from tests.records.fixtures import example_record

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
TRIALS = 150


def series(generator: np.random.Generator, count: int, at: int, worse: float) -> list[float]:
    """Runs with heavy-tailed noise of 4%; from ``at`` on they take longer by a share."""
    noise = generator.standard_t(3, count) * 0.04 / np.sqrt(3)
    level = np.where(np.arange(count) >= at, np.log1p(worse), 0.0)
    return [float(value) for value in np.exp(noise + level)]


@pytest.mark.slow
def test_a_series_without_a_change_has_none() -> None:
    generator = np.random.default_rng(7)
    found = sum(bool(history.steps(series(generator, 40, 40, 0.0), False)) for _ in range(TRIALS))
    assert found / TRIALS <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize("worse", [0.15, -0.15])
def test_a_change_is_found_and_so_is_its_place(worse: float) -> None:
    generator = np.random.default_rng(8)
    near = 0
    for _ in range(TRIALS):
        found = history.steps(series(generator, 40, 25, worse), False)
        near += any(
            abs(step.index - 25) <= 2 and step.change == pytest.approx(worse, abs=0.06)
            for step in found
        )
    assert near / TRIALS >= 0.9


def test_one_wild_run_is_no_change_of_level() -> None:
    values = [1.0, 1.01, 0.99, 1.0, 1.02, 9.0, 1.0, 0.99, 1.01, 1.0, 1.0, 0.98]
    assert history.steps(values, False) == []


def test_of_a_rate_falling_is_worse() -> None:
    values = [100.0, 101.0, 99.0, 100.0, 102.0, 98.0, 80.0, 81.0, 79.0, 80.0, 82.0, 78.0]
    (step,) = history.steps(values, True)
    assert step.index == 6
    assert (step.before, step.after) == pytest.approx((100.0, 80.0), rel=0.01)
    assert step.is_worse
    assert step.change == step.after / step.before - 1 == pytest.approx(-0.2, abs=0.01)


@pytest.mark.parametrize("count", [0, 1, 7])
def test_a_short_series_proves_nothing(count: int) -> None:
    assert history.steps([1.0] * count, False) == []


def run(day: int, rate: float = 100.0, **changes: object) -> RunRecord:
    example = example_record()
    return msgspec.structs.replace(
        example,
        id=f"{day:08x}",
        started_at=(START + datetime.timedelta(days=day)).isoformat(timespec="milliseconds"),
        rates=msgspec.structs.replace(example.rates, enqueued_per_s=rate),
        **changes,
    )


METRIC = parse_metric("enqueue.rate")


def test_runs_stand_in_the_order_of_time_and_invalid_ones_are_counted_out() -> None:
    records = [run(3, 103.0), run(1, 101.0), run(2, verdict="lossy")]
    (trend,) = history.trends(records, {"priority": [METRIC]})
    assert [point.value for point in trend.points] == [101.0, 103.0]
    assert trend.notes == ["runs excluded because they are not valid: 1"]


def test_other_workloads_are_trends_of_their_own() -> None:
    scenario = msgspec.structs.replace(example_record().scenario, seed=99)
    records = [run(1), run(2, scenario=scenario), run(3)]
    found = history.trends(records, {"priority": [METRIC]})
    assert [len(trend.points) for trend in found] == [2, 1]


def test_a_change_of_the_machine_is_noted() -> None:
    environment = {**example_record().environment, "cpu_model": "another"}
    (trend,) = history.trends([run(1), run(2, environment=environment)], {"priority": [METRIC]})
    assert len(trend.notes) == 1
    assert "the environment changed with run 00000002: environment.cpu_model" in trend.notes[0]

"""Confidence intervals include the true value as often as they say, or are withheld."""

from collections.abc import Callable

import pytest

from tests.latency_processes import (
    Process,
    autoregressive,
    bursts,
    exponential,
    markov_queue,
    one_stall,
)
from tests.simulations.coverage import batch_means, cells, rate_cell


@pytest.mark.slow
@pytest.mark.parametrize(
    ("process", "percent", "least_given"),
    [
        (exponential(), 50.0, 0.9),
        (exponential(), 99.0, 0.9),
        (autoregressive(0.9), 50.0, 0.9),
        (bursts(200), 99.0, 0.9),
        (markov_queue(0.5), 50.0, 0.5),
    ],
    ids=lambda each: each.name if isinstance(each, Process) else str(each),
)
def test_intervals_are_given_and_include_the_true_percentile(
    process: Process,
    percent: float,
    least_given: float,
    trial_count: Callable[[int, int], int],
) -> None:
    """Within three standard errors of 93 to 97.5%, which 200 trials tell from 90%."""
    trials = trial_count(200, 2_000)
    cell = cells(process, 8_000, trials, seed=5)[percent]
    error = (0.05 * 0.95 / max(cell.given, 1)) ** 0.5
    assert cell.share_given > least_given
    assert 0.93 - 2 * error < cell.coverage < 0.975 + 3 * error


@pytest.mark.parametrize(
    ("process", "percent"),
    [(one_stall(), 99.0), (one_stall(), 99.9), (exponential(), 99.9), (bursts(5), 99.0)],
    ids=lambda each: each.name if isinstance(each, Process) else str(each),
)
def test_where_a_few_periods_or_tasks_decide_they_are_withheld(
    process: Process, percent: float
) -> None:
    assert cells(process, 8_000, 40, seed=6)[percent].share_given <= 0.05


@pytest.mark.slow
def test_the_simulation_can_fail() -> None:
    """Batch means, which never withhold, are too sure of a percentile that few bursts decide."""
    cell = cells(bursts(5), 8_000, 300, seed=7, method=batch_means)[99.0]
    assert cell.coverage < 0.93


@pytest.mark.slow
@pytest.mark.parametrize("correlation", [0.0, 0.3])
def test_rates(correlation: float, trial_count: Callable[[int, int], int]) -> None:
    cell = rate_cell(trial_count(400, 2_000), 3, correlation)
    error = (0.05 * 0.95 / max(cell.given, 1)) ** 0.5
    assert cell.share_given > 0.5
    assert 0.93 - 2 * error < cell.coverage < 0.975 + 3 * error

"""The simulation of runs with ``--until``: that it looks as a run does, and how often it is right.

``python -m tests.simulations until`` makes the table in the documentation, from more trials.
"""

import numpy as np
import pytest

from bench.arrays import Floats
from bench.measure.histogram import Histogram
from bench.measure.interim import percentile_look
from bench.measure.latency_cells import LatencySeconds
from tests.simulations import until
from tests.simulations.until import RATE_PER_S, Series

_KINDS = {each.name: each for each in until.series()}


@pytest.mark.parametrize("name", ["independent", "queue, 80% busy"])
@pytest.mark.parametrize("percent", [50, 99])
def test_it_finds_what_a_run_would(name: str, percent: float) -> None:
    values = _KINDS[name].draw(np.random.default_rng(4))
    simulated = until.seen_in(values, percent, np.argsort(values))
    kept, largest = LatencySeconds(), 0.0
    for second, each in enumerate(values[: 202 * RATE_PER_S].reshape(-1, RATE_PER_S)):
        histogram = Histogram()
        histogram.record_many(np.round(each * 1e5).astype(np.int64))
        kept.add(second, histogram)
    for length_s, found in zip(until.lengths_s()[:4], simulated, strict=False):
        measured = percentile_look(kept.window(0, length_s), percent, largest)
        largest = measured.effect
        assert measured.withheld == found.figure.withheld
        assert (measured.value or 0) * 10 == pytest.approx(found.figure.value, rel=3e-3)
        if found.figure.half_width is not None:
            half = (measured.half_width or 0) * 10
            tolerance = 0.004 * (found.figure.value or 0)
            assert half == pytest.approx(found.figure.half_width, rel=0.2, abs=tolerance)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("independent", "e2e.p99 ±10%"),
        ("queue, 50% busy", "e2e.p50 ±5%"),
    ],
)
def test_the_interval_of_runs_that_ended_early_holds_the_true_value(name: str, asked: str) -> None:
    """Of 60 seeded runs."""
    found = until.outcomes(_KINDS[name], 60, [asked])[0]
    assert len(found.covered) >= 45
    assert np.mean(found.covered) >= 0.92
    assert abs(np.mean(found.errors)) <= 0.02


@pytest.mark.slow
def test_a_level_that_changes_once_does_not_end_a_run() -> None:
    """What decides the p99 of such a run comes in one period."""

    def draw(rng: np.random.Generator) -> Floats:
        values = rng.exponential(1, until.RATE_PER_S * until.DURATION_S)
        values[50 * until.RATE_PER_S : 58 * until.RATE_PER_S] += 9
        return values

    kind = Series("one change", draw, lambda _: 1.0)
    assert until.outcomes(kind, 10, ["e2e.p99 ±20%"])[0].lengths_s == []

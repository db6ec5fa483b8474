"""The curve of all percentiles."""

import pytest

from bench.analysis.spectrum import spectrum
from bench.records.run_record import LatencySummary
from tests.records.fixtures import example_record


def test_the_spectrum_runs_from_the_least_sample_to_the_greatest() -> None:
    summary = example_record().latency["e2e"]["all"]
    curve = spectrum(summary)
    assert curve[0] == (1.0, summary.min_s)
    assert curve[-1] == (summary.count, summary.max_s)
    assert curve == sorted(curve)


def test_the_spectrum_passes_through_the_percentiles_of_the_table() -> None:
    summary = example_record().latency["e2e"]["all"]
    near = min(spectrum(summary), key=lambda point: abs(point[0] - 100))
    assert summary.p99_s == pytest.approx(near[1], rel=0.05)


def test_a_stage_without_samples_has_no_spectrum() -> None:
    assert spectrum(LatencySummary(count=0)) == []

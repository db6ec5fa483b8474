"""Where the end-to-end latency of a run's tasks went."""

from bench.measure.breakdown import LatencyBreakdown, breakdown
from bench.measure.recorder import Interval
from bench.names import ALL_QUEUES
from bench.run.collected import CollectedRun
from bench.run.figures.steady_part import SteadyPart

_PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p99.9": 99.9}


def latency_breakdown(run: CollectedRun, steady: SteadyPart) -> LatencyBreakdown:
    """The parts of the latency around each percentile, or why they are not known."""
    end_to_end = steady.histograms[Interval.E2E, ALL_QUEUES]
    if run.scenario.is_observed:
        return LatencyBreakdown(
            unknown="workers of others are watched from outside, and do not tell what they did"
        )
    if not end_to_end.count:
        return LatencyBreakdown(unknown="no task was finished in the window")
    recorded = [each for report in run.serving_workers for each in report.breakdown]
    if not recorded:
        return LatencyBreakdown(unknown="the workers do not report it: use those of this version")
    values_us = {name: end_to_end.percentile_us(each) for name, each in _PERCENTILES.items()}
    known_s = {name: each / 1e6 for name, each in values_us.items() if each is not None}
    return breakdown(recorded, steady.cut.first_slice, known_s)

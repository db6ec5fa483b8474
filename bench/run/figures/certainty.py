"""How sure the percentiles and rates of a run are."""

import math
from collections.abc import Sequence

import msgspec

from bench.measure import summary
from bench.measure.confidence import ConfidenceInterval, percentile_interval, rate_interval
from bench.measure.histogram import Histogram
from bench.measure.recorder import BIN_US, Interval
from bench.measure.reports import MeasuredLatencies
from bench.measure.sliced import SliceCounts, together
from bench.names import ALL_QUEUES
from bench.records.run_record import PERCENTILE_FIELDS, LatencySummary, Rates
from bench.run.collected import CollectedRun
from bench.run.figures.rates import Window, drain_window

Summaries = dict[str, dict[str, LatencySummary]]
"""By interval, and by queue or ``all``."""


def with_confidence(
    latency: Summaries,
    histograms: summary.LatencyTable,
    measured: Sequence[MeasuredLatencies],
    queues: Sequence[str],
    window: Window,
) -> Summaries:
    """Returns the summaries with a confidence interval for each percentile."""
    window_us = round(window.start_s * 1e6), round(window.end_s * 1e6)
    narrow = [each.narrow for each in measured]
    numbers = {ALL_QUEUES: range(len(queues))} | {
        queue: range(number, number + 1) for number, queue in enumerate(queues)
    }
    return {
        interval: {
            queue: _with_confidence(
                one,
                histograms[Interval(interval), queue],
                together(narrow, interval, numbers[queue]),
                window_us,
            )
            if one.count
            else one
            for queue, one in by_queue.items()
        }
        for interval, by_queue in latency.items()
    }


def _with_confidence(
    one: LatencySummary, histogram: Histogram, sliced: SliceCounts, window_us: tuple[int, int]
) -> LatencySummary:
    confidence = {
        name: percentile_interval(histogram, percent, sliced, window_us)
        for name, percent in PERCENTILE_FIELDS.items()
    }
    return msgspec.structs.replace(one, confidence=confidence)


def rates_with_confidence(run: CollectedRun, rates: Rates, window: Window) -> Rates:
    """Returns the rates with a confidence interval for each that was counted in bins.

    From outside it is not seen when a task failed, so that ``completed_per_s`` then has none.
    """
    finished = [report.finished_by_bin for report in run.workers]
    failed = [report.failed_by_bin for report in run.workers]
    is_drain = run.scenario.worker_start == "after-fill" and run.drain_started_s is not None
    served = drain_window(finished) if is_drain else window
    ends = summary.add_bins(finished)
    found = {
        "enqueued_per_s": _interval([each.enqueued_by_bin for each in run.producers], window),
    }
    if run.workers:
        found["finished_per_s"] = _interval([ends], served)
        if run.observed is None:
            succeeded = summary.subtract_bins(ends, summary.add_bins(failed))
            found["completed_per_s"] = _interval([succeeded], served)
    known = {name: each for name, each in found.items() if getattr(rates, name) is not None}
    return msgspec.structs.replace(rates, confidence=known)


def _interval(series: Sequence[Sequence[int]], window: Window) -> ConfidenceInterval:
    """Of the same whole bins that the rate is made from."""
    first = math.ceil(window.start_s * summary.BINS_PER_SECOND - 1e-6)
    last = math.floor(window.end_s * summary.BINS_PER_SECOND + 1e-6)
    bins = summary.add_bins(series)[:last]
    bins += [0] * (last - len(bins))
    return rate_interval(bins[first:], BIN_US / 1e6)

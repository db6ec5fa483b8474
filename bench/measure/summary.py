"""Turns the final reports of all processes into the figures of the record; no I/O."""

import itertools
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.measure import recorder, steady
from bench.measure.histogram import Histogram, merged, unpack
from bench.measure.ledger import Counts
from bench.measure.recorder import BIN_US, Interval, IntervalHistogram
from bench.measure.reports import MeasuredLatencies, ProducerReport, WorkerReport
from bench.measure.window import SLICE_US, TimeLine
from bench.workload.metrics import Metric

BINS_PER_SECOND = 1_000_000 // BIN_US

LatencyTable = Mapping[tuple[Interval, str], Histogram]
"""Histograms by interval, and by queue or ``all``."""


@dataclass(frozen=True)
class WarmupCut:
    """Where the steady part begins, by which method, and whether the rest looks steady."""

    method: str
    first_slice: int
    left_out_s: float
    is_steady: bool


def cut_warmup(
    line: TimeLine, fixed_s: float | None, series: Sequence[recorder.LatencySeries]
) -> WarmupCut:
    """Returns the warm-up of ``fixed_s`` seconds or, if None, the one found in the series."""
    if fixed_s is not None:
        return WarmupCut("fixed", 1 if fixed_s else 0, fixed_s, True)
    most_points = (line.edges_us[-1] if line.edges_us else 0) // BIN_US
    cut = steady.find_warmup(recorder.means(series), most_points)
    left_out_us = cut.bins * BIN_US
    return WarmupCut("mser5-rank", left_out_us // SLICE_US, left_out_us / 1e6, cut.is_steady)


def latencies(
    measured: Sequence[MeasuredLatencies], queues: Sequence[str], first_slice: int
) -> dict[tuple[Interval, str], Histogram]:
    """Returns the histograms of the steady part by interval and queue, and merged for ``all``."""
    histograms: list[IntervalHistogram] = [part for each in measured for part in each.parts]
    found: dict[tuple[Interval, str], Histogram] = {}
    for interval in Interval:
        by_queue = list(recorder.by_queue(histograms, interval, len(queues), first_slice))
        found.update(
            {(interval, queue): each for queue, each in zip(queues, by_queue, strict=True)}
        )
        found[interval, "all"] = merged(by_queue)
    return found


def left_out(measured: Sequence[MeasuredLatencies], first_slice: int) -> Histogram:
    """Returns the end-to-end latencies of the tasks that were left out as warm-up."""
    return merged(
        unpack(part.histogram)
        for each in measured
        for part in each.parts
        if part.interval is Interval.E2E and part.slice < first_slice
    )


def add_bins(series: Sequence[Sequence[int]]) -> list[int]:
    """Returns the sum of several series, bin by bin; missing bins count as zero."""
    total = np.zeros(max(map(len, series), default=0), np.int64)
    for each in series:
        total[: len(each)] += np.array(each, np.int64)
    return [int(count) for count in total]


def subtract_bins(whole: Sequence[int], part: Sequence[int]) -> list[int]:
    """Returns what is left of a series, bin by bin; ``part`` is no longer than ``whole``."""
    return [count - less for count, less in itertools.zip_longest(whole, part, fillvalue=0)]


def rate_between(bins: Sequence[int], start_s: float, end_s: float) -> float | None:
    """Returns events per second between two moments, from the whole bins between them.

    The events of whole bins are divided by the length of those bins, because the events of a
    bin cannot be split. None if no whole bin lies between the moments.
    """
    first = math.ceil(start_s * BINS_PER_SECOND - 1e-6)
    last = math.floor(end_s * BINS_PER_SECOND + 1e-6)
    if last <= first:
        return None
    return sum(bins[first:last]) * BINS_PER_SECOND / (last - first)


def per_second(bins: Sequence[int], seconds: int) -> list[int]:
    """Returns the events of each of ``seconds`` seconds; zero beyond the last bin."""
    starts = range(0, seconds * BINS_PER_SECOND, BINS_PER_SECOND)
    return [sum(bins[start : start + BINS_PER_SECOND]) for start in starts]


def second_percentiles(
    workers: Sequence[WorkerReport], percent: float, seconds: int
) -> list[float | None]:
    """Returns a percentile of e2e in seconds for each second of the run.

    A task belongs to the second in which it finished; a second in which none did has None.
    """
    values: list[float | None] = []
    for second in range(seconds):
        packed = [each.e2e_by_second[second] for each in workers if second in each.e2e_by_second]
        value_us = merged(map(unpack, packed)).percentile_us(percent)
        values.append(None if value_us is None else value_us / 1e6)
    return values


def last_reply_s(producers: Sequence[ProducerReport], line: TimeLine) -> float:
    """Returns the time of the last reply to any producer, in seconds after the start."""
    moments = [report.finished_us for report in producers if report.finished_us is not None]
    return max((moment - line.start_us for moment in moments), default=0) / 1e6


def lookup(
    histograms: LatencyTable,
    counts: Mapping[str, Counts],
    figures: Mapping[str, float | None],
    unknown: Collection[str] = (),
) -> Callable[[Metric], float | None]:
    """Returns a function from a metric to its value, in the metric's unit; None without data.

    ``figures`` holds the rates and costs by the names of their metrics; ``unknown`` are the
    counts and latencies of which this run has no data.
    """

    def value_of(metric: Metric) -> float | None:
        if metric.kind in ("rate", "cost"):
            return figures[metric.subject.name]
        if metric.subject.name in unknown:
            return None
        if metric.kind == "count":
            return float(getattr(counts[metric.queue], metric.subject.name))
        histogram = histograms[Interval(metric.subject.name), metric.queue]
        if not histogram.count:
            return None
        value_us = _statistic_us(histogram, metric)
        return None if value_us is None else value_us / 1e6

    return value_of


def _statistic_us(histogram: Histogram, metric: Metric) -> float | None:
    if metric.percent is not None:
        return histogram.percentile_us(metric.percent)
    return {
        "min": histogram.min_us,
        "mean": histogram.mean_us(),
        "max": histogram.max_us,
    }[metric.statistic]

"""The percentile spectrum of an interval: the curve that HdrHistogram's plotters draw."""

import numpy as np

from bench.measure.histogram import Histogram
from bench.records.run_record import LatencySummary
from bench.records.summaries import histogram_of

_POINTS_PER_DECADE = 30
"""Points of the curve for each factor of ten of 1 / (1 − share)."""


def spectrum(summary: LatencySummary) -> list[tuple[float, float]]:
    """Returns (1 / (1 − share of samples), latency in s) from the smallest sample to the largest.

    Of n samples, the largest stands at n, because it is one in n. Empty without samples. Raises
    RecordError when the histogram is damaged.
    """
    if not summary.count or summary.max_s is None:
        return []
    histogram = _whole(summary)
    points = max(int(np.log10(summary.count) * _POINTS_PER_DECADE), 1)
    inverses = np.geomspace(1.0, summary.count, points, endpoint=False)
    curve = []
    for inverse in inverses.tolist():
        value_us = histogram.percentile_us(100 * (1 - 1 / inverse))
        if value_us is not None:
            curve.append((inverse, value_us / 1e6))
    return [*curve, (float(summary.count), summary.max_s)]


def _whole(summary: LatencySummary) -> Histogram:
    """Returns the histogram with the samples beyond its range and the exact extremes."""
    histogram = histogram_of(summary)
    histogram.negative = summary.negative
    histogram.overflow = summary.overflow
    if summary.min_s is not None and summary.max_s is not None:
        histogram.min_us = round(summary.min_s * 1e6)
        histogram.max_us = round(summary.max_s * 1e6)
    return histogram

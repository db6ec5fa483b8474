"""Histograms as records show them."""

from bench.errors import RecordError
from bench.measure.histogram import Histogram, decode
from bench.records.run_record import LatencySummary


def summarise(histogram: Histogram) -> LatencySummary:
    """The count, extremes and percentiles of a histogram, in seconds; None without samples."""
    if not histogram.count:
        return LatencySummary(count=0, hdr=histogram.encode())

    def seconds(value_us: float | None) -> float | None:
        return None if value_us is None else value_us / 1e6

    return LatencySummary(
        count=histogram.count,
        min_s=seconds(histogram.min_us),
        mean_s=seconds(histogram.mean_us()),
        p50_s=seconds(histogram.percentile_us(50)),
        p90_s=seconds(histogram.percentile_us(90)),
        p95_s=seconds(histogram.percentile_us(95)),
        p99_s=seconds(histogram.percentile_us(99)),
        p999_s=seconds(histogram.percentile_us(99.9)),
        max_s=seconds(histogram.max_us),
        negative=histogram.negative,
        overflow=histogram.overflow,
        hdr=histogram.encode(),
    )


def histogram_of(summary: LatencySummary) -> Histogram:
    """Returns the samples of a summary that are within a histogram's range.

    Raises RecordError where their encoding is damaged, or holds another number of them.
    """
    histogram = decoded(summary.hdr)
    within = summary.count - summary.negative - summary.overflow
    if histogram.recorded != within:
        raise RecordError(
            f"it contradicts itself: a histogram of {histogram.recorded:,} samples stands "
            f"beside a count of {within:,}"
        )
    return histogram


def decoded(encoded: str) -> Histogram:
    """Returns the histogram that a record holds in this encoding. Raises RecordError if it is
    damaged."""
    try:
        return decode(encoded)
    except ValueError as error:
        raise RecordError(str(error)) from None

"""A run record's histograms in the formats of other tools."""

import io
from collections.abc import Iterator
from urllib.parse import quote

import numpy as np

from bench.errors import RecordError
from bench.inert import visible
from bench.measure.histogram import Histogram, highest_equivalent
from bench.names import ALL_QUEUES
from bench.records.run_record import RunRecord
from bench.records.summaries import histogram_of

_TICKS_PER_HALVING = 5


def hgrm(record: RunRecord, interval: str, queue: str) -> str:
    """Returns a percentile distribution in milliseconds, as HdrHistogram's plotters read it.

    ``queue`` is a sub-queue or ``all``. Raises KeyError with the unknown name when the record has
    no such interval or queue, and RecordError when nothing was measured of it.
    """
    summary = record.latency[interval][queue]
    if not summary.count:
        of_queue = "" if queue == ALL_QUEUES else f" in {queue}"
        raise RecordError(
            f"no latency of {interval} was measured in this run{of_queue}, so there is nothing to "
            "export: choose another --interval or --queue, or repeat the run"
        )
    histogram = histogram_of(summary)
    out = io.StringIO()
    out.write("       Value     Percentile TotalCount 1/(1-Percentile)\n\n")
    for value_us, share, count in _distribution(histogram):
        inverse = f"{1 / (1 - share):14.2f}" if share < 1 else ""
        out.write(f"{value_us / 1e3:12.3f} {share:14.12f} {count:10d} {inverse}".rstrip() + "\n")
    mean_ms, max_ms = (summary.mean_s or 0) * 1e3, (summary.max_s or 0) * 1e3
    out.write(f"#[Mean    = {mean_ms:12.3f}, StdDeviation   = {_deviation_ms(histogram):12.3f}]\n")
    out.write(f"#[Max     = {max_ms:12.3f}, Total count    = {histogram.recorded:12d}]\n")
    out.write(f"#[Buckets = {22:12d}, SubBuckets     = {2048:12d}]\n")
    return out.getvalue()


def hdr(record: RunRecord) -> str:
    """Returns a histogram log (version 1.3): one tagged line per interval and queue, in µs.

    Intervals without samples are omitted. What the format does not allow in a tag, such as a comma
    or a space, is percent-encoded there. Raises RecordError where nothing was measured.
    """
    if not any(each.count for queues in record.latency.values() for each in queues.values()):
        raise RecordError(
            "no latency was measured in this run, so there is nothing to export: repeat the run"
        )
    out = io.StringIO()
    out.write("#[Histogram log format version 1.3]\n")
    out.write(f"#[runqy-bench run {visible(f'{record.id}, started {record.started_at}')}]\n")
    out.write('"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"\n')
    for interval, queues in record.latency.items():
        for queue, summary in queues.items():
            if summary.count:
                maximum_ms = (summary.max_s or 0) * 1e3
                out.write(
                    f"Tag={_tag(f'{interval}.{queue}')},0.000,{record.window_s:.3f},{maximum_ms:.3f},"
                    f"{summary.hdr}\n"
                )
    return out.getvalue()


def _tag(name: str) -> str:
    """Returns a name as the tag of a line, whose fields are separated by commas."""
    return "".join(
        quote(each, safe="") if each in ", %" or not each.isprintable() else each for each in name
    )


def _distribution(histogram: Histogram) -> Iterator[tuple[int, float, int]]:
    """Yields (value in µs, share of samples up to it, number of samples up to it).

    The shares halve their distance to 1 every five rows, as in HdrHistogram's own output.
    """
    if not histogram.recorded:
        return
    cumulated = np.cumsum(histogram.counts)
    total = histogram.recorded
    share, last_count = 0.0, -1
    while last_count < total:
        rank = max(int(np.ceil(share * total - 1e-9)), 1)
        index = int(np.searchsorted(cumulated, rank))
        last_count = int(cumulated[index])
        yield highest_equivalent(index), 1.0 if last_count == total else share, last_count
        halvings = int(np.floor(np.log2(1 / (1 - share)))) + 1
        share += 1 / (2**halvings * _TICKS_PER_HALVING)


def _deviation_ms(histogram: Histogram) -> float:
    if not histogram.recorded:
        return 0.0
    filled = np.flatnonzero(histogram.counts)
    values = np.array([highest_equivalent(index) for index in filled.tolist()], np.float64)
    weights = histogram.counts[filled]
    mean = np.average(values, weights=weights)
    return float(np.sqrt(np.average((values - mean) ** 2, weights=weights))) / 1e3

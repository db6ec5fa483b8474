"""Whether a report from elsewhere can be one of this run's processes; no I/O.

Whoever may write to the server may write anything at the key of a worker's report, and whoever
reaches Locust's master may send it anything as a producer's. A report is taken only if its numbers
are within bounds and agree with each other and with what was sent, so that no other code meets a
damaged set or histogram, or a figure that cannot be.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.measure.bits import Bits
from bench.measure.breakdown import BUCKETS, PARTS, SliceBreakdown
from bench.measure.fine_recorder import FineRows
from bench.measure.fine_rows import unpacked_rows
from bench.measure.histogram import Packed, unpack
from bench.measure.latency_buckets import Buckets
from bench.measure.latency_counts import LatencyCounts
from bench.measure.recorder import BIN_US, LAST_BIN, SECOND_US, Interval
from bench.measure.reports import MeasuredLatencies, ProducerReport, WorkerReport
from bench.measure.send_times import MOST_POINTS, SentSample, unpacked
from bench.measure.sliced import require_possible

MOST = 1 << 53
"""Most of anything: more than any run has, and exact as a floating-point number."""
SECONDS_SHOWN = 3
"""Seconds of a report whose latencies a display shows, counted from the last one."""
_SIGNED = ("made_us", "clock_offset_us")
_MOST_FINE = 1000
_MOST_LEVEL = 40
"""Times that a sample of sends was halved: more than the longest run needs."""
_MOST_KINDS, _LONGEST_KIND = 100, 500
"""Kinds of refusals and of tasks that could not be served, and the length of their names."""


@dataclass(frozen=True)
class ReportLimits:
    """What bounds the reports of a run's workers."""

    queues: Sequence[str]
    slices: int
    """Number of slices of the run's time line."""
    sent: Mapping[int, int]
    """By producer, the number below which all sequence numbers are that it may have sent."""
    bounds: int = 0
    """Number of bounds between the buckets of latencies that the run asked for."""


@dataclass(frozen=True)
class ProducerLimits:
    """What bounds the reports of one of a run's producers."""

    number: int
    queues: Sequence[str]
    slices: int
    """Number of slices of the run's time line."""
    most_sent: int
    """The number of tasks that it can have sent by now, at most."""
    bounds: int = 0
    """Number of bounds between the buckets of latencies that the run asked for."""


def require_readable(report: WorkerReport, limits: ReportLimits) -> None:
    """Raises ValueError, with a clause, for a report that cannot be shown while the run lasts.

    It takes little time: sets, and most histograms, are not looked at.
    """
    for name in report.__struct_fields__:
        _require_number(name, getattr(report, name))
    if report.observed is not None or report.gone or report.gone_sets or report.waiting_sets:
        raise ValueError("it is an observer's")
    _require_bins("started", report.started_by_bin, report.started)
    _require_bins("finished", report.finished_by_bin, report.ended)
    _require_bins("failed", report.failed_by_bin, report.failed)
    for counts in (report.duplicated, report.retried):
        if not counts.keys() <= {*limits.queues}:
            raise ValueError("it counts tasks of queues that the run does not have")
        _require_counts(counts.values())
    _require_indices(report.failed_by_queue, len(limits.queues), "queue")
    _require_counts(report.failed_by_queue.values())
    for kinds in (report.refusals, report.unserved):
        if len(kinds) > _MOST_KINDS or max(map(len, kinds), default=0) > _LONGEST_KIND:
            raise ValueError("it has too many kinds of difficulties")
        _require_counts(kinds.values())
    _require_latency_counts(report.latency_counts, len(limits.queues))
    _require_buckets(report.latency_buckets, len(limits.queues), limits.bounds)
    _require_indices(report.e2e_by_second, LAST_BIN * BIN_US // SECOND_US + 1, "second")
    for second in sorted(report.e2e_by_second)[-SECONDS_SHOWN:]:
        _count_of(report.e2e_by_second[second])


def require_whole(report: WorkerReport, limits: ReportLimits) -> None:
    """Raises ValueError, with a clause, for a report that cannot be counted at the end of a run."""
    require_readable(report, limits)
    sets = [*report.completed_sets.items(), *report.archived_sets.items()]
    found = sum(_members(number, packed, limits) for number, packed in sets)
    if found + sum(report.duplicated.values()) != report.ended:
        raise ValueError(f"its sets hold {found:,} tasks, and it counts {report.ended:,}")
    attempts = report.ended + sum(report.retried.values())
    _require_at_most(sum(map(_count_of, report.e2e_by_second.values())), report.ended)
    by_interval = _require_measured(report.measured, len(limits.queues), limits.slices)
    for count in by_interval.values():
        _require_at_most(count, attempts)
    _require_at_most(sum(report.measured.series.counts), report.ended)
    _require_breakdown(report.breakdown, limits.slices, report.ended)
    if report.fine is not None:
        _require_fine(report.fine, attempts)


def require_producer(report: ProducerReport, limits: ProducerLimits) -> None:
    """Raises ValueError, with a clause, for a report that cannot be this producer's.

    The sets and histograms, which only a final report has, must be no more than it counts.
    """
    for name in report.__struct_fields__:
        _require_number(name, getattr(report, name))
    if report.number != limits.number:
        raise ValueError(f"it is one of a producer {report.number}")
    if not report.enqueued + report.refused <= report.sent <= min(report.due, limits.most_sent):
        raise ValueError(
            f"it counts {report.due:,} tasks that were due, {report.sent:,} sent, "
            f"{report.enqueued:,} enqueued and {report.refused:,} refused"
        )
    _require_indices(report.not_replicated, len(limits.queues), "queue")
    _require_at_most(sum(report.not_replicated.values()), report.enqueued)
    _require_bins("offered", report.offered_by_bin, sum(report.offered_by_bin))
    _require_at_most(sum(report.offered_by_bin), report.sent)
    _require_bins("enqueued", report.enqueued_by_bin, report.enqueued)
    _require_bins("sends", report.sent_by_bin, sum(report.sent_by_bin))
    _require_at_most(sum(report.sent_by_bin), report.sent)
    if report.sent_sample is not None:
        _require_sample(report.sent_sample)
    _require_latency_counts(report.latency_counts, len(limits.queues))
    _require_buckets(report.latency_buckets, len(limits.queues), limits.bounds)
    answered = len(Bits(report.acknowledged, below=report.sent))
    refused = len(Bits(report.refused_set, below=report.sent))
    counted = (report.enqueued + report.refused, report.refused)
    if report.final and (answered, refused) != counted:
        raise ValueError(
            f"its sets hold {answered:,} answered tasks and {refused:,} refused ones, and it "
            f"counts {counted[0]:,} and {counted[1]:,}"
        )
    by_interval = _require_measured(report.measured, len(limits.queues), limits.slices)
    for count in (*by_interval.values(), sum(report.measured.series.counts)):
        _require_at_most(count, report.sent)


def _require_measured(measured: MeasuredLatencies, queues: int, slices: int) -> dict[Interval, int]:
    """Returns the number of latencies by interval."""
    by_interval = dict.fromkeys(Interval, 0)
    if len(measured.parts) > slices * queues * len(Interval):
        raise ValueError("it has too many histograms")
    for part in measured.parts:
        _require_indices([part.slice], slices, "slice")
        _require_indices([part.queue], queues, "queue")
        by_interval[part.interval] += _count_of(part.histogram)
    narrow = require_possible(measured.narrow, queues)
    if any(count > by_interval.get(Interval(name), 0) for name, count in narrow.items()):
        raise ValueError("its slices hold more latencies than its histograms")
    series = measured.series
    if len(series.sums_us) != len(series.counts):
        raise ValueError("its series are of different lengths")
    _require_counts(map(abs, series.sums_us))
    _require_bins("latencies", series.counts, sum(series.counts))
    return by_interval


def _require_breakdown(recorded: Sequence[SliceBreakdown], slices: int, ended: int) -> None:
    if len(recorded) > slices:
        raise ValueError("it has parts of latencies of too many slices")
    tasks = 0
    for each in recorded:
        _require_indices([each.slice], slices, "slice")
        _require_indices(each.buckets, BUCKETS, "bucket of latencies")
        for sums in each.buckets.values():
            if len(sums) != 1 + len(PARTS):
                raise ValueError(f"it has {len(sums)} parts of latencies")
            _require_counts((sums[0], *map(abs, sums[1:])))
            tasks += sums[0]
    _require_at_most(tasks, ended)


def _require_fine(fine: FineRows, attempts: int) -> None:
    kinds = (fine.events, fine.tasks, fine.totals)
    if sum(map(len, kinds)) > _MOST_FINE:
        raise ValueError("it has too many rows of ten milliseconds")
    for rows in (*fine.events.values(), *fine.tasks.values(), *fine.totals.values()):
        for number, data in rows.items():
            counts = unpacked_rows({0: data}, 1 << 10)
            if number < 0 or counts.min() < 0 or counts.max() > MOST:
                raise ValueError(f"its rows in piece {number} cannot be")
    for rows in fine.events.values():
        for data in rows.values():
            _require_at_most(int(unpacked_rows({0: data}, 1 << 10).sum()), attempts)


def _require_sample(sample: SentSample) -> None:
    points = unpacked(sample)
    _require_at_most(len(points.numbers), MOST_POINTS)
    if not (1 <= sample.every <= MOST and 0 <= sample.level <= _MOST_LEVEL):
        raise ValueError("its sample of sends cannot be")
    for values in (points.numbers, points.due_us, points.sent_us):
        if len(values) and not (values.min() >= -MOST and values.max() <= MOST):
            raise ValueError("its sample of sends has a time or a number that cannot be")


def _require_number(name: str, value: object) -> None:
    if not isinstance(value, int | float):
        return
    least = -MOST if name in _SIGNED else 0
    if not (math.isfinite(value) and least <= value <= MOST):
        raise ValueError(f"its {name} is {value}")


def _require_counts(counts: Iterable[int]) -> None:
    for count in counts:
        if not 0 <= count <= MOST:
            raise ValueError(f"it counts {count}")


def _require_bins(name: str, bins: Sequence[int], total: int) -> None:
    if len(bins) > LAST_BIN + 1:
        raise ValueError(f"its series of {name} is too long")
    _require_counts(bins)
    if sum(bins) != total:
        raise ValueError(f"its series of {name} adds up to {sum(bins):,}, and it counts {total:,}")


def _require_indices(indices: Iterable[int], end: int, what: str) -> None:
    for index in indices:
        if not 0 <= index < end:
            raise ValueError(f"it has a {what} {index}, which the run does not have")


def _require_at_most(count: int, attempts: int) -> None:
    if count > attempts:
        raise ValueError(f"it has {count:,} latencies of {attempts:,} attempts")


def _require_latency_counts(
    by_interval: Mapping[Interval, Mapping[int, LatencyCounts]], queues: int
) -> None:
    for by_queue in by_interval.values():
        _require_indices(by_queue, queues, "queue")
        for latencies in by_queue.values():
            extremes = (latencies.sum_us, latencies.min_us, latencies.max_us)
            _require_counts((latencies.count, latencies.failures, *map(abs, extremes)))
            _require_counts(latencies.values.values())
            _require_counts(map(abs, latencies.values))


def _require_buckets(by_interval: Buckets, queues: int, bounds: int) -> None:
    for by_queue in by_interval.values():
        _require_indices(by_queue, queues, "queue")
        for counted in by_queue.values():
            if len(counted.counts) != bounds + 1:
                raise ValueError(f"it has {len(counted.counts)} buckets of latencies")
            _require_counts((*counted.counts, abs(counted.sum_us)))


def _members(producer: int, packed: bytes, limits: ReportLimits) -> int:
    if producer not in limits.sent:
        raise ValueError(f"it has tasks of a producer {producer}, which the run does not have")
    return len(Bits(packed, below=limits.sent[producer]))


def _count_of(packed: Packed) -> int:
    """The number of samples of a histogram. Raises ValueError for one that cannot be."""
    _require_counts((packed.negative, packed.overflow))
    _require_counts(map(abs, (packed.sum_us, packed.min_us, packed.max_us)))
    return unpack(packed).count

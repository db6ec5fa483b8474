"""Which reports found in Redis are taken, and which are left out."""

import tracemalloc
import zlib
from typing import Any

import msgspec
import pytest

from bench.measure.bits import Bits
from bench.measure.histogram import Histogram, Packed
from bench.measure.latency_buckets import BucketCounts
from bench.measure.latency_counts import LatencyCounts
from bench.measure.recorder import Interval, IntervalHistogram, LatencySeries
from bench.measure.report_checks import (
    ProducerLimits,
    ReportLimits,
    require_producer,
    require_readable,
    require_whole,
)
from bench.measure.reports import (
    MeasuredLatencies,
    ObserverReport,
    ProducerReport,
    WorkerReport,
)
from tests.run.values import packed

QUEUE = "inference_default"
LIMITS = ReportLimits([QUEUE], 2, {0: 10, 1: 0}, bounds=2)
HUGE = 1 << 62


def latencies(count: int) -> Packed:
    histogram = Histogram()
    histogram.record(900, count)
    return histogram.pack()


def e2e(count: int, slice_number: int = 1, queue: int = 0) -> IntervalHistogram:
    return IntervalHistogram(slice_number, Interval.E2E, queue, latencies(count))


def report(**fields: Any) -> WorkerReport:
    """A report of three completed tasks, one of them twice, and one that failed for good."""
    whole: dict[str, Any] = {
        "name": "w1",
        "full": True,
        "started": 6,
        "completed": 4,
        "failed": 1,
        "made_us": -5,
        "clock_offset_us": -5,
        "started_by_bin": [1, 5],
        "finished_by_bin": [0, 5],
        "failed_by_bin": [0, 1],
        "e2e_by_second": {0: latencies(5)},
        "latency_counts": {Interval.E2E: {0: LatencyCounts(count=5, values={900: 5})}},
        "latency_buckets": {Interval.E2E: {0: BucketCounts(counts=[0, 5, 0], sum_us=4500)}},
        "failed_by_queue": {0: 1},
        "measured": MeasuredLatencies([e2e(5)], LatencySeries([4500], [5])),
        "completed_sets": {0: packed([0, 1, 9])},
        "archived_sets": {0: packed([2])},
        "duplicated": {QUEUE: 1},
        "retried": {QUEUE: 1},
        "refusals": {"BUSY": 3},
        **fields,
    }
    return WorkerReport(**whole)


def test_a_report_whose_numbers_agree_is_taken() -> None:
    require_whole(report(), LIMITS)
    require_whole(WorkerReport(name="idle"), LIMITS)


SHOWN: list[dict[str, Any]] = [
    {"completed": HUGE},
    {"started": -1},
    {"cpu_s": float("nan")},
    {"clock_error_us": -1.0},
    {"clock_offset_us": -HUGE},
    {"observed": ObserverReport(method="polling")},
    {"gone": 1},
    {"gone_sets": {0: b""}},
    {"finished_by_bin": [HUGE] * 3},
    {"finished_by_bin": [-1, 6]},
    {"finished_by_bin": [4]},
    {"failed_by_bin": []},
    {"started_by_bin": [0] * 10_000_000},
    {"duplicated": {"another": 1}},
    {"retried": {QUEUE: -1}},
    {"refusals": {"x" * 501: 1}},
    {"unserved": {str(number): 1 for number in range(101)}},
    {"latency_counts": {Interval.E2E: {1: LatencyCounts()}}},
    {"latency_counts": {Interval.E2E: {0: LatencyCounts(values={HUGE: 1})}}},
    {"latency_buckets": {Interval.E2E: {1: BucketCounts(counts=[0, 0, 0])}}},
    {"latency_buckets": {Interval.E2E: {0: BucketCounts(counts=[0, 0])}}},
    {"latency_buckets": {Interval.E2E: {0: BucketCounts(counts=[0, -1, 0])}}},
    {"latency_buckets": {Interval.E2E: {0: BucketCounts(counts=[0, 0, 0], sum_us=-HUGE)}}},
    {"failed_by_queue": {1: 1}},
    {"failed_by_queue": {0: -1}},
    {"e2e_by_second": {0: Packed("HISTFAAAAA==", 0, 0, 0, 0, 0)}},
    {"e2e_by_second": {-1: latencies(1)}},
    {"e2e_by_second": {HUGE: latencies(1)}},
    {"e2e_by_second": {0: msgspec.structs.replace(latencies(1), negative=-1)}},
    {"e2e_by_second": {0: msgspec.structs.replace(latencies(1), sum_us=HUGE)}},
]
COUNTED: list[dict[str, Any]] = [
    {"completed_sets": {0: b"garbage"}},
    {"completed_sets": {0: packed([0, 1, 10])}},
    {"completed_sets": {1: packed([0, 1, 2])}},
    {"completed_sets": {2: packed([0, 1, 2])}},
    {"completed_sets": {}},
    {"e2e_by_second": {second: latencies(2) for second in range(4)}},
    {"e2e_by_second": {0: Packed("", 0, 0, 0, 0, 0), **dict.fromkeys((1, 2, 3), latencies(1))}},
    {"measured": MeasuredLatencies([e2e(7)])},
    {"measured": MeasuredLatencies([e2e(1, slice_number=2)])},
    {"measured": MeasuredLatencies([e2e(1, queue=1)])},
    {"measured": MeasuredLatencies([e2e(0)] * (2 * len(Interval) + 1))},
    {"measured": MeasuredLatencies([], LatencySeries([0], []))},
    {"measured": MeasuredLatencies([], LatencySeries([HUGE], [1]))},
    {"measured": MeasuredLatencies([], LatencySeries([0], [6]))},
]


@pytest.mark.parametrize("fields", SHOWN)
def test_a_report_that_cannot_be_shown_is_refused_at_once(fields: dict[str, Any]) -> None:
    for check in (require_readable, require_whole):
        with pytest.raises(ValueError, match=r"it|not a histogram|the histogram"):
            check(report(**fields), LIMITS)


@pytest.mark.parametrize("fields", COUNTED)
def test_a_report_that_cannot_be_counted_is_refused_at_the_end(fields: dict[str, Any]) -> None:
    require_readable(report(**fields), LIMITS)
    with pytest.raises(ValueError, match=r"it|not a|a set of"):
        require_whole(report(**fields), LIMITS)


PRODUCER_LIMITS = ProducerLimits(1, [QUEUE], 2, 10)


def produced(**fields: Any) -> ProducerReport:
    """A final report of six tasks that were due, of which five were sent, the last without an
    answer, and one refused."""
    measured = MeasuredLatencies(
        [
            IntervalHistogram(0, Interval.SCHEDULE_LAG, 0, latencies(5)),
            IntervalHistogram(1, Interval.ENQUEUE, 0, latencies(3)),
        ],
        LatencySeries([2700], [3]),
    )
    whole: dict[str, Any] = {
        "number": 1,
        "final": True,
        "due": 6,
        "sent": 5,
        "enqueued": 3,
        "refused": 1,
        "clock_offset_us": -5,
        "finished_us": 7,
        "offered_by_bin": [2, 3],
        "enqueued_by_bin": [0, 3],
        "latency_counts": {Interval.ENQUEUE: {0: LatencyCounts(count=4, values={900: 3})}},
        "measured": measured,
        "acknowledged": packed([0, 1, 2, 3]),
        "refused_set": packed([1]),
        **fields,
    }
    return ProducerReport(**whole)


def test_a_producer_s_report_whose_numbers_agree_is_taken() -> None:
    require_producer(produced(), PRODUCER_LIMITS)
    # While tasks are sent there are no sets, and what no connection took is not in the series.
    light = {"final": False, "acknowledged": b"", "refused_set": b""}
    require_producer(produced(**light, measured=MeasuredLatencies()), PRODUCER_LIMITS)
    require_producer(produced(due=10, sent=10), PRODUCER_LIMITS)
    require_producer(ProducerReport(number=1), PRODUCER_LIMITS)


@pytest.mark.parametrize(
    "fields",
    [
        {"number": 0},
        {"due": HUGE, "sent": HUGE},
        {"due": 11, "sent": 11},
        {"due": 4},
        {"sent": 3},
        {"cpu_s": float("nan")},
        {"loop_lag_p99_us": -1.0},
        {"offered_by_bin": [2, 4]},
        {"offered_by_bin": [-1, 2]},
        {"not_replicated": {1: 1}},
        {"not_replicated": {0: HUGE}},
        {"offered_by_bin": [0] * 10_000_000},
        {"enqueued_by_bin": [3, 3]},
        {"latency_counts": {Interval.ENQUEUE: {1: LatencyCounts()}}},
        {"latency_counts": {Interval.ENQUEUE: {0: LatencyCounts(sum_us=HUGE)}}},
        {"acknowledged": b"garbage"},
        {"acknowledged": packed([0, 1, 2])},
        {"acknowledged": packed([0, 1, 2, 5])},
        {"refused_set": b""},
        {"refused_set": packed([1, 5])},
        {"measured": MeasuredLatencies([e2e(6)])},
        {"measured": MeasuredLatencies([e2e(1, slice_number=2)])},
        {"measured": MeasuredLatencies([e2e(1, queue=1)])},
        {"measured": MeasuredLatencies([e2e(0)] * (2 * len(Interval) + 1))},
        {"measured": MeasuredLatencies([], LatencySeries([0], []))},
        {"measured": MeasuredLatencies([], LatencySeries([0], [6]))},
    ],
)
def test_a_report_that_cannot_be_the_producer_s_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"it|not a|a set of"):
        require_producer(produced(**fields), PRODUCER_LIMITS)


def _gigabyte_of_zeros() -> bytes:
    """A compressed stream; a part of it is repeated, as compressing a gigabyte takes seconds."""
    part, times = 1 << 20, 1 << 10
    packer = zlib.compressobj(9)
    begun = packer.compress(bytes(part)) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(bytes(part)) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = (part * times % 65521) << 16 | 1  # Adler-32 of so many zeros
    return begun + again * (times - 1) + packer.flush()[:-4] + checksum.to_bytes(4)


def test_a_set_that_unpacks_to_a_gigabyte_takes_no_memory() -> None:
    bomb = _gigabyte_of_zeros()
    tracemalloc.start()
    with pytest.raises(ValueError, match="others"):
        require_whole(report(completed_sets={0: bomb}), LIMITS)
    with pytest.raises(ValueError, match="others"):
        require_producer(produced(acknowledged=bomb), PRODUCER_LIMITS)
    with pytest.raises(ValueError, match="others"):
        Bits(bomb, below=1_000_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000

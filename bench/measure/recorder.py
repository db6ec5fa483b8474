"""Records time stamps into histograms and series, one batch at a time.

Memory depends on the number of queues and on the length of the run in seconds, and not on the
number of tasks.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec
import numpy as np
import numpy.typing as npt

from bench.arrays import Integers, distinct, extremes, total
from bench.measure.histogram import Histogram, Packed, merged, unpack
from bench.measure.sliced import SlicedLatencies, SliceRecorder
from bench.measure.window import SliceMask, Slices, TimeLine

BIN_US = 100_000
"""Width of the bins in which the steady state is looked for."""
SECOND_US = 1_000_000
LAST_BIN = 7 * 24 * 3600 * SECOND_US // BIN_US
"""The bin one week after the start. Later moments come from a faulty clock or stamp and count in
this bin, so that they cannot extend a series until it fills the memory."""


class Interval(StrEnum):
    """An interval between two of the five moments of a task."""

    SCHEDULE_LAG = "schedule_lag"
    ENQUEUE = "enqueue"
    DURABLE = "durable"
    """Recorded only if replicas or files are to acknowledge tasks."""
    QUEUE_WAIT = "queue_wait"
    SERVICE = "service"
    E2E = "e2e"
    E2E_FROM_SEND = "e2e_from_send"
    E2E_EARLIEST = "e2e_earliest"
    """The shortest possible e2e; recorded only if completions are observed from outside."""


class IntervalHistogram(msgspec.Struct, frozen=True):
    """The histogram of one interval for one queue index in one slice."""

    slice: int
    interval: Interval
    queue: int
    histogram: Packed


@dataclass(frozen=True)
class PlacedTasks:
    """Where tasks (n,) belong by their due times."""

    masks: Sequence[SliceMask]
    """Those of each slice of the time line."""
    narrow: Integers
    """The narrow slice (n,) of each task, from which the confidence of figures is computed."""


class IntervalRecorder:
    """Records histograms per slice, interval and queue index, and coarse ones in narrow slices."""

    def __init__(self, line: TimeLine, *, has_narrow: bool = True) -> None:
        self._slices = Slices(line)
        self._histograms: dict[tuple[int, Interval, int], Histogram] = {}
        self._narrow = SliceRecorder(line.start_us)
        self._has_narrow = has_narrow

    def split(self, due_us: Integers) -> PlacedTasks:
        """Where tasks with these due times (n,), at least one, belong."""
        return PlacedTasks(self._slices.split(due_us), self._narrow.slices_of(due_us))

    def record(
        self, interval: Interval, queue: int, values_us: Integers, placed: PlacedTasks
    ) -> None:
        """Records latencies (n,) of tasks of one queue, which belong where ``placed`` says."""
        if self._has_narrow:
            self._narrow.record(interval, queue, placed.narrow, values_us)
        for mask in placed.masks:
            chosen_us = values_us if mask.chosen is None else values_us[mask.chosen]
            self._histogram(mask.slice, interval, queue).record_many(chosen_us)

    def record_by_queue(
        self, interval: Interval, queues: Integers, values_us: Integers, due_us: Integers
    ) -> None:
        """Records latencies (n,) of tasks, at least one, of these queues (n,) and due times
        (n,)."""
        if self._has_narrow:
            self._narrow.record(interval, queues, self._narrow.slices_of(due_us), values_us)
        for mask in self._slices.split(due_us):
            chosen, chosen_us = queues, values_us
            if mask.chosen is not None:
                chosen, chosen_us = queues[mask.chosen], values_us[mask.chosen]
            sizes = np.bincount(chosen).tolist()
            if max(sizes) < len(chosen):
                chosen_us = chosen_us[chosen.argsort()]
            stop = 0
            for queue, size in enumerate(sizes):
                if size:
                    start, stop = stop, stop + size
                    histogram = self._histogram(mask.slice, interval, queue)
                    histogram.record_many(chosen_us[start:stop])

    def record_one(self, interval: Interval, queue: int, value_us: int, due_us: int) -> None:
        """Records the latency of one task of a queue, in the slice of its due time."""
        if self._has_narrow:
            self._narrow.record_one(interval, queue, value_us, due_us)
        self._histogram(self._slices.slice_of(due_us), interval, queue).record(value_us)

    def by_interval(self) -> dict[Interval, dict[int, list[Histogram]]]:
        """Returns the histograms of all slices, by interval and queue index."""
        found: dict[Interval, dict[int, list[Histogram]]] = {}
        for (_, interval, queue), histogram in self._histograms.items():
            found.setdefault(interval, {}).setdefault(queue, []).append(histogram)
        return found

    def parts(self) -> list[IntervalHistogram]:
        """Returns all histograms, packed to be sent to the run's main process."""
        return [
            IntervalHistogram(slice_number, interval, queue, histogram.pack())
            for (slice_number, interval, queue), histogram in self._histograms.items()
        ]

    def narrow(self) -> SlicedLatencies:
        """Returns the narrow slices of all latencies so far, packed likewise."""
        return self._narrow.packed()

    def _histogram(self, slice_number: int, interval: Interval, queue: int) -> Histogram:
        key = (slice_number, interval, queue)
        histogram = self._histograms.get(key)
        if histogram is None:
            histogram = self._histograms[key] = Histogram()
        return histogram


def _bin_index(offset_us: int) -> int:
    """The bin that holds a moment, given in µs after the start."""
    return min(max(offset_us // BIN_US, 0), LAST_BIN)


class LatencySeries(msgspec.Struct):
    """Sum and number of latencies per bin (0.1 s) of due time."""

    sums_us: list[int] = []
    counts: list[int] = []

    def add(self, offsets_us: Integers, values_us: Integers) -> None:
        """Adds latencies (n,) of tasks due at these µs (n,) after the run's start."""
        first_us, last_us = extremes(offsets_us)
        if first_us // BIN_US == last_us // BIN_US:
            self.add_sum(first_us, total(values_us), len(values_us))
            return
        bins = np.clip(offsets_us // BIN_US, 0, LAST_BIN)
        self._reserve(int(bins.max()))
        for bin_index in distinct(bins):
            chosen = bins == bin_index
            self.sums_us[bin_index] += int(values_us[chosen].sum())
            self.counts[bin_index] += int(np.count_nonzero(chosen))

    def add_sum(self, offset_us: int, sum_us: int, count: int) -> None:
        """Adds the sum of ``count`` latencies of tasks that were all due within one bin."""
        bin_index = _bin_index(offset_us)
        self._reserve(bin_index)
        self.sums_us[bin_index] += sum_us
        self.counts[bin_index] += count

    def _reserve(self, bin_index: int) -> None:
        missing = bin_index + 1 - len(self.counts)
        if missing > 0:
            self.sums_us.extend([0] * missing)
            self.counts.extend([0] * missing)


def means(series: Iterable[LatencySeries]) -> npt.NDArray[np.float64]:
    """Returns the mean latency (n,) in µs per bin of all series; NaN for bins without any."""
    added = list(series)
    length = max((len(each.counts) for each in added), default=0)
    sums, counts = np.zeros(length), np.zeros(length)
    for each in added:
        sums[: len(each.sums_us)] += each.sums_us
        counts[: len(each.counts)] += each.counts
    mean = np.full(length, np.nan)
    np.divide(sums, counts, out=mean, where=counts > 0)
    return mean


class RateSeries:
    """Counts events per bin (0.1 s) of the run."""

    def __init__(self) -> None:
        self.counts: list[int] = []

    def add(self, offset_us: int, count: int) -> None:
        """Counts events at one moment, in µs after the run's start."""
        bin_index = _bin_index(offset_us)
        missing = bin_index + 1 - len(self.counts)
        if missing > 0:
            self.counts.extend([0] * missing)
        self.counts[bin_index] += count

    def add_many(self, offsets_us: Integers) -> None:
        """Counts events at these moments (n,), in µs after the run's start."""
        if not len(offsets_us):
            return
        first, last = extremes(offsets_us)
        if first // BIN_US == last // BIN_US:
            self.add(first, len(offsets_us))
            return
        for bin_index, count in Counter((offsets_us // BIN_US).tolist()).items():
            self.add(bin_index * BIN_US, count)


class SecondLatencies:
    """One histogram per second in which tasks finished, packed as soon as the second is over."""

    def __init__(self) -> None:
        self.closed: dict[int, Packed] = {}
        self._second = -1
        self._open = Histogram()

    def record(self, offsets_us: Integers, values_us: Integers) -> None:
        """Records latencies (n,) of tasks that finished at these µs (n,) after the start."""
        seconds = np.maximum(offsets_us // SECOND_US, 0)
        for second in distinct(seconds):
            if second != self._second:
                self.close()
                self._second = second
            self._open.record_many(values_us[seconds == second])

    def close(self) -> None:
        """Packs the current second. Latencies recorded for it later are merged into it."""
        if self._open.count:
            packed = self._open.pack()
            earlier = self.closed.get(self._second)
            if earlier is not None:
                packed = merged([unpack(earlier), self._open]).pack()
            self.closed[self._second] = packed
            self._open = Histogram()

    def latest(self, seconds: int) -> dict[int, Packed]:
        """Returns the histograms of the latest closed seconds, ``seconds`` at most, by second."""
        return {second: self.closed[second] for second in sorted(self.closed)[-seconds:]}


def by_queue(
    histograms: Iterable[IntervalHistogram], interval: Interval, queues: int, first_slice: int
) -> Iterator[Histogram]:
    """Yields the histogram of each queue for one interval, merged from ``first_slice`` on."""
    chosen = [
        each for each in histograms if each.interval == interval and each.slice >= first_slice
    ]
    for queue in range(queues):
        yield merged(unpack(each.histogram) for each in chosen if each.queue == queue)

"""Where the end-to-end latency of tasks went, for the tasks around a percentile; no I/O.

Percentiles of parts do not add up to the percentile of the whole: the slowest tasks in one part are
not those in another. The parts of one task do add up, so what is kept is their sums, over all tasks
whose latency falls into one of a few hundred buckets. The mean of each part over the tasks around a
percentile then says what made these tasks as slow as they were, and the means add up to theirs.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import cast

import msgspec
import numpy as np

from bench.arrays import Integers
from bench.measure.window import SliceMask

_PER_OCTAVE = 8
"""Buckets from one power of two to the next: each is 9% wide."""
BUCKETS = 33 * _PER_OCTAVE
"""From 1 µs to beyond an hour; what is outside counts in the first or the last one."""
LEAST_TASKS = 10
"""With fewer tasks around a percentile, their means say more of single tasks than of it."""
_WIDEST = 3
"""Buckets on each side of that of the percentile at most: from three quarters of it to 1.4 times
it."""


class LatencyPart(StrEnum):
    """A part of the time from due to finished. Each moment of a task belongs to exactly one."""

    SCHEDULE_LAG = "schedule_lag"
    """Due, and not sent yet."""
    SLOT_WAIT = "slot_wait"
    """Sent, while the slots of the worker that took it later served other tasks, or while no worker
    was there."""
    BLOCKED = "blocked"
    """Sent, while these slots were held by other tasks whose commands the server had not answered
    yet."""
    DELIVERY = "delivery"
    """Sent, while that worker asked for tasks and had none."""
    SERVICE_TIME = "service_time"
    """In service: the time that was drawn for the task."""
    COMMANDS = "commands"
    """The rest of its time in the worker: the round trips of its own commands, and the worker's
    code."""
    RETRIES = "retries"
    """From sent until the last attempt of a task that was retried: its wait, its earlier attempts
    and the delays between them."""


PARTS = tuple(LatencyPart)


class SliceBreakdown(msgspec.Struct, frozen=True):
    """Sums over the tasks of one slice of a run, by bucket of their latency."""

    slice: int
    buckets: dict[int, list[int]]
    """For each bucket that has any: the number of tasks, and the sum in µs of each of ``PARTS``."""


class PercentileBreakdown(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of the latency of the tasks around one percentile, in seconds."""

    percentile: str
    """``p99``."""
    value_s: float
    """The percentile of ``e2e`` itself."""
    from_s: float
    """The tasks have a latency from here on, …"""
    to_s: float
    """… and below this."""
    tasks: int
    parts_s: dict[str, float]
    """Mean of each part over these tasks. Their sum is the mean latency of these tasks."""


class LatencyBreakdown(msgspec.Struct, frozen=True, kw_only=True):
    """Where the end-to-end latency of a run went."""

    percentiles: list[PercentileBreakdown] = []
    unknown: str = ""
    """Why there is none, or none of some percentile, as a clause; empty if there is one of each."""


def bucket_of(latencies_us: Integers) -> Integers:
    """Returns the bucket (n,) of each latency (n,) in µs."""
    octaves = np.log2(np.maximum(latencies_us, 1))
    buckets = np.minimum(octaves * _PER_OCTAVE, BUCKETS - 1).astype(np.int64)
    return cast(Integers, buckets)


def lowest_us(bucket: int) -> float:
    """Returns the lower end of a bucket, in µs; that of the bucket after the last one, too."""
    return 0.0 if bucket == 0 else float(2.0 ** (bucket / _PER_OCTAVE))


class BreakdownRecorder:
    """Adds up the parts of tasks, by slice and by bucket of their latency."""

    def __init__(self) -> None:
        self._slices: dict[int, Integers] = {}

    def record(
        self, latencies_us: Integers, parts_us: Sequence[Integers], masks: Sequence[SliceMask]
    ) -> None:
        """Adds tasks: their latencies (n,) and each of ``PARTS`` (n,), split by slice."""
        buckets = bucket_of(latencies_us)
        for mask in masks:
            chosen = slice(None) if mask.chosen is None else mask.chosen
            sums = self._slices.get(mask.slice)
            if sums is None:
                sums = self._slices[mask.slice] = np.zeros((1 + len(PARTS), BUCKETS), np.int64)
            own = buckets[chosen]
            sums[0] += np.bincount(own, minlength=BUCKETS)
            for index, values_us in enumerate(parts_us, 1):
                if values_us.any():
                    sums[index] += np.bincount(own, values_us[chosen], BUCKETS).astype(np.int64)

    def packed(self) -> list[SliceBreakdown]:
        """Returns the sums so far, of the buckets that have any tasks."""
        return [
            SliceBreakdown(
                number,
                {int(each): sums[:, each].tolist() for each in np.flatnonzero(sums[0])},
            )
            for number, sums in self._slices.items()
        ]


@dataclass(frozen=True)
class _Around:
    """The tasks around a percentile: those of the buckets from ``first`` to ``last``."""

    first: int
    last: int
    sums: Integers
    """The number of tasks, and the sum of each of ``PARTS``."""


def breakdown(
    recorded: Iterable[SliceBreakdown], first_slice: int, percentiles: Mapping[str, float]
) -> LatencyBreakdown:
    """Returns the parts of the tasks around each percentile, of the slices from ``first_slice`` on.

    ``percentiles`` are those of ``e2e`` over the same tasks, in seconds, by name.
    """
    together = np.zeros((1 + len(PARTS), BUCKETS), np.int64)
    for each in recorded:
        if each.slice >= first_slice:
            for bucket, sums in each.buckets.items():
                together[:, bucket] += sums
    found, too_few = [], []
    for name, value_s in percentiles.items():
        around = _around(together, int(bucket_of(np.array([round(value_s * 1e6)]))[0]))
        if around is None:
            too_few.append(name)
        else:
            found.append(_described(name, value_s, around))
    unknown = ""
    if too_few:
        unknown = f"fewer than {LEAST_TASKS} tasks lie around {' and '.join(too_few)}"
    return LatencyBreakdown(percentiles=found, unknown=unknown)


def _around(together: Integers, bucket: int) -> _Around | None:
    """The narrowest range of buckets around one that has enough tasks; None where none has."""
    for more in range(_WIDEST + 1):
        first, last = max(bucket - more, 0), min(bucket + more, BUCKETS - 1)
        sums = together[:, first : last + 1].sum(axis=1)
        if sums[0] >= LEAST_TASKS:
            return _Around(first, last, sums)
    return None


def _described(name: str, value_s: float, around: _Around) -> PercentileBreakdown:
    tasks = int(around.sums[0])
    return PercentileBreakdown(
        percentile=name,
        value_s=value_s,
        from_s=lowest_us(around.first) / 1e6,
        to_s=lowest_us(around.last + 1) / 1e6,
        tasks=tasks,
        parts_s={
            str(part): sum_us / tasks / 1e6
            for part, sum_us in zip(PARTS, around.sums[1:].tolist(), strict=True)
        },
    )

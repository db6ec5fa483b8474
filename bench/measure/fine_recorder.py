"""Records what a run with faults needs beyond the usual figures: rows of ten milliseconds."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

import msgspec
import numpy as np

from bench.arrays import Floats, Integers
from bench.measure.fine_rows import AnswerRows, FirstAnswers, PackedRows, RowCounts
from bench.measure.recorder import Interval
from bench.names import ALL_QUEUES
from bench.workload.metrics import parse_objective


@dataclass(frozen=True)
class LatencyBound:
    """An objective that bounds a latency from above, as far as it can be judged in any window."""

    expression: str
    interval: Interval
    queue: str
    """A sub-queue, or ``all``."""
    limit_us: float
    is_limit_met: bool
    """Whether a latency of exactly the limit is within it."""
    share_above: float | None
    """The share of the tasks that may be above the limit; None where it bounds the mean."""

    def exceeded_by(self, values_us: Integers) -> Integers:
        """What each latency (n,) adds to the total that decides: 1 where it is above the limit, or
        the latency itself where the mean is bounded."""
        if self.share_above is None:
            return values_us
        is_above = values_us > self.limit_us if self.is_limit_met else values_us >= self.limit_us
        return cast(Integers, is_above.astype(np.int64))

    def most(self, tasks: Floats) -> Floats:
        """The largest total of ``exceeded_by`` with which the objective holds over this number of
        tasks, for each window (n,)."""
        if self.share_above is None:
            limit_us = self.limit_us if self.is_limit_met else np.nextafter(self.limit_us, 0)
            return tasks * limit_us
        # The percentile is the value at the rank ceil(p n), as in histograms.
        return np.floor(tasks * self.share_above + 1e-9)


def latency_bounds(expressions: Iterable[str]) -> list[LatencyBound]:
    """Returns the objectives among these that bound a mean, a percentile or the longest latency
    from above."""
    found = []
    for objective in map(parse_objective, expressions):
        metric = objective.metric
        is_upper = objective.operator in ("<", "<=")
        is_judged = metric.percent is not None or metric.statistic in ("mean", "max")
        if metric.kind != "interval" or not is_upper or not is_judged:
            continue
        percent = 100.0 if metric.statistic == "max" else metric.percent
        found.append(
            LatencyBound(
                expression=objective.expression,
                interval=Interval(metric.subject.name),
                queue=metric.queue,
                limit_us=objective.limit * 1e6,
                is_limit_met=objective.operator == "<=",
                share_above=None if percent is None else 1 - percent / 100,
            )
        )
    return found


class FineRows(msgspec.Struct):
    """What one process has recorded in rows of ten milliseconds, packed."""

    events: dict[str, PackedRows] = {}
    """``sent`` and ``acknowledged``, or ``finished`` and ``repeated``: tasks by the moment."""
    tasks: dict[str, PackedRows] = {}
    """Tasks whose latency was measured, by objective and the moment at which it was known."""
    totals: dict[str, PackedRows] = {}
    """Of these, the total that decides whether the objective holds, likewise."""
    answers: FirstAnswers = msgspec.field(default_factory=FirstAnswers)
    """Of a producer: which tasks were answered when."""


class FineRecorder:
    """Rows of one process. Moments are in µs after the run's start."""

    def __init__(self, expressions: Iterable[str], queues: Sequence[str]) -> None:
        self._bounds = latency_bounds(expressions)
        self._index = {queue: index for index, queue in enumerate(queues)}
        self._events: dict[str, RowCounts] = {}
        self._tasks = {each.expression: RowCounts() for each in self._bounds}
        self._totals = {each.expression: RowCounts() for each in self._bounds}
        self._answers = AnswerRows()

    def happened(self, event: str, offset_us: int, count: int) -> None:
        """Record tasks to which something happened at one moment."""
        self._events.setdefault(event, RowCounts()).add(offset_us, count)

    def happened_at(self, event: str, offsets_us: Integers) -> None:
        """Record tasks to which something happened, at these moments (n,)."""
        self._events.setdefault(event, RowCounts()).add_many(offsets_us)

    def answered(self, offset_us: int, sequences: Integers) -> None:
        """Record replies to these tasks (n,), at least one, whatever they say."""
        self._answers.add(offset_us, int(sequences.min()))

    def latencies(
        self, interval: Interval, queues: Integers, values_us: Integers, offsets_us: Integers
    ) -> None:
        """Record latencies (n,) of tasks of queues (n,) by index, known at these moments (n,)."""
        for bound in self._bounds:
            if bound.interval is not interval:
                continue
            at_us, values = offsets_us, values_us
            if bound.queue != ALL_QUEUES:
                chosen = queues == self._index.get(bound.queue, -1)
                at_us, values = at_us[chosen], values[chosen]
            self._tasks[bound.expression].add_many(at_us)
            self._totals[bound.expression].add_many(at_us, bound.exceeded_by(values))

    def packed(self) -> FineRows:
        """Returns everything so far."""
        return FineRows(
            {name: rows.pack() for name, rows in self._events.items()},
            {name: rows.pack() for name, rows in self._tasks.items()},
            {name: rows.pack() for name, rows in self._totals.items()},
            self._answers.packed(),
        )


def fine_recorder(expressions: Iterable[str] | None, queues: Iterable[str]) -> FineRecorder | None:
    """Returns a recorder for these objectives; None where there are none to record, not even an
    empty list of them, as in a run without faults."""
    return None if expressions is None else FineRecorder(expressions, list(queues))

"""One producer's tasks, in the order in which they are due, ready to be rendered.

Queues and payloads are drawn in blocks ahead of need, so that taking a small batch costs little
more than slicing. Nothing here reads a clock: the caller passes the time.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bench.arrays import Integers
from bench.wire.frames import Batch
from bench.workload import payload, schedule, trace
from bench.workload.mix import mix_of
from bench.workload.scenario import Scenario

_BLOCK_BYTES = 1 << 18
_LARGEST_BLOCK = 2048
_LARGEST_PACED_BLOCK = 1024
_SMALLEST_BLOCK = 16
_BLOCK_S = 0.1
"""How much of an open loop's schedule is drawn at a time. A block costs some forty array
operations, however many tasks it has; drawing it takes longer than the pause between two ticks, so
that it should happen in less than one pause in a hundred."""


class Feed:
    """The tasks of a scenario that one of its producers sends.

    ``take`` returns every task exactly once and in order, however late it is called: a task that is
    due is never skipped. Due times are in µs from the start of the run.
    """

    def __init__(self, scenario: Scenario, producer: int) -> None:
        self._scenario, self._producer = scenario, producer
        self._producers = scenario.producers
        self._mix = mix_of(scenario)
        self._payloads = payloads(scenario)
        expected = max(_expected_size(scenario), 1)
        self._block = max(min(int(_BLOCK_BYTES / expected), _block(scenario)), 1)
        self._tasks = tasks_of(scenario, producer)
        self._numbers: Integers = np.empty(0, np.int64)
        self._due_us: Integers = np.empty(0, np.int64)
        self._read = 0
        self._ready: Batch | None = None
        self._at = 0
        self._taken = 0
        self._refill()

    def next_due_us(self) -> int | None:
        """Returns when the next task is due, in µs, or None when no task is left."""
        return None if self._ready is None else int(self._ready.due_us[self._at])

    def count_due(self, now_us: int) -> int:
        """Returns the number of tasks of the current block that are due; zero only if none is."""
        if self._ready is None:
            return 0
        return max(int(self._ready.due_us.searchsorted(now_us, side="right")) - self._at, 0)

    def due_by(self, now_us: int) -> int:
        """Returns the number of remaining tasks that are due, from the schedule alone: there may
        be millions. Zero in a closed loop, where nothing is due before it is sent."""
        if self._scenario.is_closed_loop:
            return 0
        return max(due_by(self._scenario, self._producer, now_us) - self._taken, 0)

    def take(self, most: int) -> Batch:
        """Returns the next tasks of the current block: at least one, at most ``most``.

        Raises LookupError when no task is left.
        """
        if self._ready is None:
            raise LookupError("no task is left")
        ready, start = self._ready, self._at
        stop = min(start + most, len(ready))
        taken = Batch(
            ready.sequence[start:stop],
            ready.due_us[start:stop],
            ready.queue[start:stop],
            ready.bodies[start:stop],
        )
        self._at = stop
        self._taken += len(taken)
        if stop == len(ready):
            self._refill()
        return taken

    def _refill(self) -> None:
        self._at = 0
        if self._read == len(self._numbers):
            self._numbers, self._due_us = next(self._tasks, (self._numbers[:0], self._due_us[:0]))
            self._read = 0
        if not len(self._numbers):
            self._ready = None
            return
        numbers = self._numbers[self._read : self._read + self._block]
        due_us = self._due_us[self._read : self._read + self._block]
        self._read += len(numbers)
        self._ready = Batch(
            sequence=numbers // self._producers,
            due_us=due_us,
            queue=self._mix.queue_of(numbers),
            bodies=self._payloads.bodies(numbers),
        )


def _block(scenario: Scenario) -> int:
    """Number of tasks that are drawn at a time."""
    if scenario.is_closed_loop:
        return _LARGEST_BLOCK
    due = round(scenario.peak_per_s / scenario.producers * _BLOCK_S)
    return min(max(due, _SMALLEST_BLOCK), _LARGEST_PACED_BLOCK)


def _expected_size(scenario: Scenario) -> float:
    """Mean number of bytes of a payload."""
    if scenario.payload_file is not None:
        return 1024
    if scenario.trace is not None and scenario.trace.has_sizes:
        return float(trace.sizes_of_tasks(scenario.trace).mean())
    return scenario.payload_size.mean


def read_trace_of(scenario: Scenario) -> None:
    """Reads the trace where there is one, as that may take longer than a run may wait for a task.

    Raises ScenarioError where the file has changed.
    """
    if scenario.trace is not None:
        trace.columns_of(scenario.trace.file, scenario.trace.sha256)


def payloads(scenario: Scenario) -> payload.Filler | payload.Lines:
    """Returns what fills the payloads. Raises ScenarioError where a payload file cannot be used."""
    if scenario.payload_file is not None:
        return payload.read_lines(Path(scenario.payload_file))
    replayed = scenario.trace
    sizes = trace.sizes_of_tasks(replayed) if replayed is not None and replayed.has_sizes else None
    return payload.Filler(scenario.payload_size, scenario.seed, scenario.payload_content, sizes)


def tasks_of(scenario: Scenario, producer: int) -> Iterator[tuple[Integers, Integers]]:
    """Yields (task numbers (n,), due times in µs from the start (n,)) of one producer's tasks.

    The producer's ``n``-th task has sequence number ``n``.
    """
    if scenario.arrivals == "max":
        return schedule.unscheduled(producer, scenario.producers, scenario.tasks)
    if scenario.trace is not None and scenario.trace.kind == "tasks":
        return trace.traced_tasks(scenario.trace, scenario.speed, producer, scenario.producers)
    return schedule.arrivals(
        scenario.profile,
        scenario.arrivals,
        scenario.seed,
        scenario.tasks,
        producer=producer,
        producers=scenario.producers,
    )


def due_by(scenario: Scenario, producer: int, now_us: int) -> int:
    """Returns the number of one producer's tasks that are due within ``now_us`` after the start.

    Raises ValueError for a closed loop, whose tasks are due when they are sent.
    """
    if scenario.is_closed_loop:
        raise ValueError("a closed loop has no schedule")
    due = 0
    for _, due_us in tasks_of(scenario, producer):
        count = int(due_us.searchsorted(now_us, side="right"))
        due += count
        if count < len(due_us):
            break
    return due

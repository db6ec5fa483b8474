"""Which tasks an observer traces: a seeded sample of those that a producer sends."""

from dataclasses import dataclass

import numpy as np

from bench.arrays import Integers
from bench.wire import ids
from bench.workload import draws
from bench.workload.feed import tasks_of
from bench.workload.mix import mix_of
from bench.workload.scenario import Scenario

NO_DUE = -1
"""Stands for a due time that only the task itself holds."""


@dataclass(frozen=True)
class SampledTasks:
    """Tasks (n,) by sequence number, with the indices of their queues, and their due times in µs
    after the run's start or ``NO_DUE``."""

    sequence: Integers
    due_us: Integers
    queue: Integers

    def __len__(self) -> int:
        return len(self.sequence)


class TaskSampler:
    """The traced tasks of one producer, handed out as they become visible to workers."""

    def __init__(self, scenario: Scenario, producer: int, share: float) -> None:
        self._producers = scenario.producers
        self._seed = scenario.seed
        self._share = share
        self._has_due = not scenario.is_closed_loop
        self._mix = mix_of(scenario)
        self._chunks = tasks_of(scenario, producer)
        self._prefix = producer
        self._numbers: Integers = np.empty(0, np.int64)
        self._due_us: Integers = np.empty(0, np.int64)
        self._handed_out = 0
        """Tasks with smaller sequence numbers were handed out, or are not traced."""

    def before(self, sequence: int) -> SampledTasks:
        """The traced tasks with smaller sequence numbers that have not been handed out yet."""
        parts: list[tuple[Integers, Integers]] = []
        while self._handed_out < sequence:
            if not len(self._numbers):
                self._numbers, self._due_us = next(self._chunks, (self._numbers, self._due_us))
                if not len(self._numbers):
                    break
            count = min(sequence - self._handed_out, len(self._numbers))
            parts.append((self._numbers[:count], self._due_us[:count]))
            self._numbers, self._due_us = self._numbers[count:], self._due_us[count:]
            self._handed_out += count
        if not parts:
            nothing: Integers = np.empty(0, np.int64)
            return SampledTasks(nothing, nothing, nothing)
        numbers = np.concatenate([part_numbers for part_numbers, _ in parts])
        due_us = np.concatenate([part_due_us for _, part_due_us in parts])
        return self._traced(numbers, due_us)

    def _traced(self, numbers: Integers, due_us: Integers) -> SampledTasks:
        if self._share < 1:
            chosen = draws.uniform(self._seed, "traced", numbers) < self._share
            numbers, due_us = numbers[chosen], due_us[chosen]
        return SampledTasks(
            numbers // self._producers,
            due_us if self._has_due else np.full(len(numbers), NO_DUE),
            self._mix.queue_of(numbers),
        )


def id_of(run: int, producer: int, sequence: int) -> bytes:
    """The id of a task, as Redis holds it."""
    return ids.format_id(ids.TaskId(run, producer, sequence)).encode()

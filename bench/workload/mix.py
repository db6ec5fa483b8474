"""Chooses the sub-queue of each task."""

import functools
from collections.abc import Callable, Sequence

import numpy as np

from bench.arrays import Integers
from bench.workload import draws, trace
from bench.workload.scenario import Scenario

QueueOf = Callable[[int, Integers], Integers]
"""The index of the sub-queue (n,) of each of a producer's tasks, by their sequence numbers (n,)."""


def queue_of_tasks(scenario: Scenario) -> QueueOf:
    """Returns a function that tells to which sub-queue each task of a scenario goes."""
    return functools.partial(mix_of(scenario).queue_of_producer, scenario.producers)


def mix_of(scenario: Scenario) -> "Mix":
    """Returns what chooses the sub-queues: the trace where it names them, or else their shares."""
    if scenario.trace is not None and scenario.trace.queues:
        return TracedMix(*trace.queues_of_tasks(scenario.trace, list(scenario.queues)))
    return Mix(list(scenario.queues.values()), scenario.seed)


class Mix:
    """Sub-queues drawn at random by weight; a task's sub-queue depends only on its number."""

    def __init__(self, weights: Sequence[float], seed: int) -> None:
        self._limits = np.cumsum(weights)[:-1] / np.sum(weights)
        self._seed = seed

    def queue_of(self, numbers: Integers) -> Integers:
        """Returns the index of the sub-queue (n,) of each task number (n,)."""
        if not len(self._limits):
            return np.zeros(len(numbers), np.int64)
        chance = draws.uniform(self._seed, "queue", numbers)
        return np.searchsorted(self._limits, chance, side="right").astype(np.int64)

    def queue_of_producer(self, producers: int, producer: int, sequences: Integers) -> Integers:
        """Returns the index of the sub-queue (n,) of each of a producer's tasks, by their sequence
        numbers (n,). ``producers`` share the tasks in turn."""
        return self.queue_of(sequences * producers + producer)


class TracedMix(Mix):
    """Sub-queues as a trace has them: ``traced`` (n,) is the number of that of each task in the
    trace, and ``index`` the index of each such number in the scenario."""

    def __init__(self, traced: Integers, index: Integers) -> None:
        self._traced = traced
        self._index = index

    def queue_of(self, numbers: Integers) -> Integers:
        """Returns the index of the sub-queue (n,) of each task number (n,)."""
        return self._index[self._traced[numbers]]

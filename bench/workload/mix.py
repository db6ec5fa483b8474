"""Chooses the sub-queue of each task."""

import functools
from collections.abc import Callable, Sequence

import numpy as np

from bench.arrays import Integers
from bench.workload import draws
from bench.workload.scenario import Scenario

QueueOf = Callable[[int, Integers], Integers]
"""The index of the sub-queue (n,) of each of a producer's tasks, by their sequence numbers (n,)."""


def queue_of_tasks(scenario: Scenario) -> QueueOf:
    """Returns a function that tells to which sub-queue each task of a scenario goes."""
    mix = Mix(list(scenario.queues.values()), scenario.seed)
    return functools.partial(mix.queue_of_producer, scenario.producers)


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

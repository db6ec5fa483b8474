"""Which sub-queue a task goes to."""

from collections.abc import Sequence

import numpy as np

from bench.arrays import Integers
from bench.workload import draws


class Mix:
    """Sub-queues chosen at random by weight, each task's by its number alone."""

    def __init__(self, weights: Sequence[float], seed: int) -> None:
        self._limits = np.cumsum(weights)[:-1] / np.sum(weights)
        self._seed = seed

    def queue_of(self, numbers: Integers) -> Integers:
        """Index of the sub-queue for each of the task numbers (n,)."""
        if not len(self._limits):
            return np.zeros(len(numbers), np.int64)
        chance = draws.uniform(self._seed, "queue", numbers)
        return np.searchsorted(self._limits, chance, side="right").astype(np.int64)

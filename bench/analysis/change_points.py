"""Divides a series into levels: the division with the least absolute deviation and penalties.

PELT (Killick, Fearnhead and Eckley, "Optimal detection of changepoints with a linear computational
cost", 2012). The cost of a level is the sum of the absolute deviations from its median, which is
robust to outliers.
"""

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class _Deviation:
    """The sum of the absolute deviations of values from their median, while values are added."""

    _lower: list[float] = field(default_factory=list)
    """The smaller half of the values as a heap of their negatives, with the median on top."""
    _upper: list[float] = field(default_factory=list)
    _difference: float = 0.0
    """Sum of the upper half minus sum of the lower half."""

    def add(self, value: float) -> None:
        if len(self._lower) == len(self._upper):
            moved = heapq.heappushpop(self._upper, value)
            heapq.heappush(self._lower, -moved)
            self._difference += value - 2 * moved
        else:
            moved = -heapq.heappushpop(self._lower, -value)
            heapq.heappush(self._upper, moved)
            self._difference += 2 * moved - value

    @property
    def total(self) -> float:
        """The sum, in the unit of the values."""
        is_odd = len(self._lower) > len(self._upper)
        return self._difference - self._lower[0] if is_odd else self._difference


@dataclass
class _Start:
    """A place where the last level of a division may begin."""

    index: int
    cost: float
    """Cost of the best division of all values before it."""
    deviation: _Deviation = field(default_factory=_Deviation)
    last_end: float = math.inf
    """End of the last level that may begin here and be part of the best division."""


def level_ends(values: Sequence[float], penalty: float, shortest: int) -> list[int]:
    """Returns the index after the last value of each level, in order; the last is the length.

    A level has at least ``shortest`` values, and each costs ``penalty``, in the unit of the values.
    There must be at least ``shortest`` values.
    """
    starts: list[_Start] = []
    costs = [0.0]
    origins = [0]
    for end, value in enumerate(values, 1):
        begins = end - 1
        if math.isfinite(costs[begins]):
            starts.append(_Start(begins, costs[begins]))
        for start in starts:
            start.deviation.add(value)
        possible = [each for each in starts if end - each.index >= shortest]
        best = min(possible, key=_cost, default=None)
        costs.append(_cost(best) + penalty if best else math.inf)
        origins.append(best.index if best else 0)
        for start in possible:
            # A division here is at least as good from the first end that it leaves room for.
            if _cost(start) > costs[end]:
                start.last_end = min(start.last_end, end + shortest - 1)
        starts = [each for each in starts if end < each.last_end]
    return _traced(origins)


def _cost(start: _Start) -> float:
    return start.cost + start.deviation.total


def _traced(origins: Sequence[int]) -> list[int]:
    ends = [len(origins) - 1]
    while origins[ends[-1]]:
        ends.append(origins[ends[-1]])
    return ends[::-1]

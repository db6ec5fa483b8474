"""Wilcoxon's signed-rank test and what follows from it, exact at any number of values.

It needs no normal distribution, only values that lie symmetrically about their centre, and is
robust to outliers.
"""

import functools
import math

import numpy as np

from bench.arrays import Floats, Integers


def p_greater(values: Floats) -> float:
    """Returns the one-sided p value of the signed-rank test for a centre of (n,) values above zero.

    It is exact, with ties and zeros, too.
    """
    ranks, chances = ranked(values)
    return float(chances[int(ranks[values > 0].sum())])


def ranked(values: Floats) -> tuple[Integers, Floats]:
    """Returns twice the rank of each of (n,) values by magnitude, and the chances of rank sums.

    The second array holds, for each sum of a random subset of these doubled ranks, the probability
    of that sum or a larger one. Zeros have rank 0.
    """
    magnitudes = np.abs(values)
    in_order = np.sort(magnitudes)
    # Equal values share the mean of their ranks, which is a whole number once it is doubled. A zero
    # adds half of its rank to either side, whatever the signs of the others, so it cancels out.
    doubled = np.searchsorted(in_order, magnitudes, "left") + 1
    doubled += np.searchsorted(in_order, magnitudes, "right")
    doubled[magnitudes == 0] = 0
    return doubled, _tail_chances(tuple(np.sort(doubled[doubled > 0]).tolist()))


@functools.lru_cache
def _tail_chances(ranks: tuple[int, ...]) -> Floats:
    """Returns the probability that a random subset sums to that much or more, from 0 to the sum of
    all ranks."""
    chances: Floats = np.cumsum(_sum_chances(ranks)[::-1])[::-1]
    chances.flags.writeable = False  # the cache shares it
    return chances


@functools.lru_cache
def _sum_chances(ranks: tuple[int, ...]) -> Floats:
    """Returns the probability of each sum of a random subset, from 0 to the sum of all ranks.

    Each subset of the ranks is one way for the signs to fall; all are equally likely.
    """
    chances = np.zeros(sum(ranks) + 1)
    chances[0] = 1.0
    for rank in ranks:
        chances[rank:] += chances[:-rank].copy()
        chances /= 2  # exact, and no number of pairs overflows
    chances.flags.writeable = False  # the cache shares it
    return chances


def estimate(values: Floats) -> float:
    """Returns the Hodges-Lehmann estimate of the centre of (n,) values: the median of the Walsh
    averages."""
    return float(np.median(walsh_averages(values)))


def interval(values: Floats, confidence: float) -> tuple[float, float]:
    """Returns the signed-rank confidence interval of the centre of (n,) values.

    It spans the Walsh averages that the exact test does not reject, and is infinite on both sides
    where the values are too few for the confidence.
    """
    averages = np.sort(walsh_averages(values))
    left_out = _left_out(len(values), (1 - confidence) / 2)
    if left_out < 0:
        return -math.inf, math.inf
    return float(averages[left_out]), float(averages[len(averages) - 1 - left_out])


def walsh_averages(values: Floats) -> Floats:
    """Returns the means of all two of (n,) values, each with itself too: (n·(n+1)/2,)."""
    first, second = _couples(len(values))
    averages: Floats = (values[first] + values[second]) / 2
    return averages


@functools.lru_cache
def _couples(count: int) -> tuple[Integers, Integers]:
    first, second = np.triu_indices(count)
    return first, second


@functools.lru_cache
def _left_out(count: int, tail: float) -> int:
    """Returns the number of Walsh averages outside the interval at each end; -1 for an open one.

    It is the largest k with P(W < k) <= tail, where W is the signed-rank statistic of n values.
    """
    below = np.cumsum(_sum_chances(tuple(range(1, count + 1))))  # P(W <= k)
    return int(np.searchsorted(below, tail, side="right")) - 1

"""The sequential test of a job that may stop early, and the interim analyses at which it may.

Whoever judges a job several times has several chances of a false alarm. Each analysis therefore has
a share of the error rate, fixed before the first pair (a group-sequential test). From the p values
at the analyses follows one sequential p value. It never grows as pairs come, and without a change
it falls to a level with at most the probability of that level, whenever the job stops. The reasons
are in docs/decisions/stopping-early.md.
"""

import functools
import math
from dataclasses import dataclass

import numpy as np

from bench.analysis import signed_rank
from bench.arrays import Floats, Integers

_FIRST = 5
"""Pairs of the first analysis at least: of four, even a result that is all one way has a
probability of 1/16, which proves nothing at 5%."""
_FEWEST_PLANNED = 8
"""Planned pairs from which there are interim analyses: they cost shorter plans more power than they
save time."""
_SHARES = {1: (1.0,), 2: (0.64, 0.36), 3: (0.64, 0.12, 0.24)}
"""Share of each analysis, by their number. The first is just enough for five pairs that are all one
way: (1/32) / 0.64 is below 5%."""
_MOST_ENUMERATED = 12
"""Values up to which all 2^n ways for their signs to fall are enumerated."""
_ROUNDING = 1 + 1e-9
"""Factor within which two probabilities are equal, since they are computed in different ways."""


@dataclass(frozen=True)
class Analyses:
    """The numbers of pairs after which a job is judged, and each time's share of the error rate."""

    counts: tuple[int, ...]
    """Increasing; the last one is the number of planned pairs."""
    shares: tuple[float, ...]
    """They add up to 1."""

    def reached(self, pairs: int) -> tuple[tuple[int, float], ...]:
        """Returns the count and the share of each analysis that so many pairs allow."""
        every = zip(self.counts, self.shares, strict=True)
        return tuple((count, share) for count, share in every if count <= pairs)

    def ended_at(self, pairs: int) -> "Analyses":
        """Returns the analyses of a job that ends after so many pairs: the last one takes the
        shares of those that are never reached.

        It is for a job that ends for a reason that its figures have no part in, such as its budget.
        """
        if pairs >= self.counts[-1]:
            return self
        before = [(count, share) for count, share in self.reached(pairs) if count < pairs]
        counts = (*(count for count, _ in before), pairs)
        shares = tuple(share for _, share in before)
        return Analyses(counts, (*shares, 1 - sum(shares)))


def once(pairs: int) -> Analyses:
    """Returns the analyses of a fixed plan: a single one, after all pairs."""
    return Analyses((pairs,), _SHARES[1])


def planned(pairs: int) -> Analyses:
    """Returns the analyses of a plan of so many pairs that may stop early: after about half, four
    fifths, and all of them.

    Plans of few pairs have fewer analyses.
    """
    if pairs < _FEWEST_PLANNED:
        return once(pairs)
    first, second = max(_FIRST, -(-pairs // 2)), pairs * 4 // 5
    if min(second - first, pairs - second) < 2:
        return Analyses((first, pairs), _SHARES[2])
    return Analyses((first, second, pairs), _SHARES[3])


def p_greater(values: Floats, analyses: Analyses) -> float:
    """Returns the sequential p value for a centre of (n,) values, in their order, above zero.

    At each analysis, the exact signed-rank p value of the values so far is divided by its share; m
    is the smallest quotient so far. Given the magnitudes of the values, all ways for their signs to
    fall are equally likely at a centre of zero. The result is the probability that m is so small at
    any of the analyses so far, plus m times the shares of those to come, which bounds their part.
    It can only fall from one to the next, so a job that stops at one errs no more often than one
    that goes on to the end, where it is exact. It is m itself for more values than can be
    enumerated, and 1 before the first analysis.
    """
    reached = analyses.reached(len(values))
    if not reached:
        return 1.0
    # At the first analysis, the sum is m as well.
    is_enumerated = len(reached) > 1 and reached[-1][0] <= _MOST_ENUMERATED
    signs = _ways(reached[-1][0] if is_enumerated else 0)
    smallest, by_chance = math.inf, np.full(len(signs), math.inf)
    for count, share in reached:
        ranks, chances = signed_rank.ranked(values[:count])
        smallest = min(smallest, float(chances[ranks[values[:count] > 0].sum()]) / share)
        if is_enumerated:
            by_chance = np.minimum(by_chance, chances[signs[:, :count] @ ranks] / share)
    if not is_enumerated:
        return min(smallest, 1.0)
    to_come = max(1 - sum(share for _, share in reached), 0.0)
    return min(float(np.mean(by_chance <= smallest * _ROUNDING)) + smallest * to_come, 1.0)


@functools.lru_cache
def _ways(count: int) -> Integers:
    """Returns all ways for so many signs to fall, (2^count, count), with 1 for positive."""
    ways: Integers = (np.arange(1 << count)[:, None] >> np.arange(count)) & 1
    ways.flags.writeable = False  # the cache shares it
    return ways


def interval(values: Floats, confidence: float, analyses: Analyses) -> tuple[float, float]:
    """Returns the confidence interval of the centre of (n,) values in their order, which holds at
    whichever analysis a job stops: all centres that the sequential test does not reject.

    It is infinite on both sides before the first analysis, and where the values are too few.
    """
    reached = analyses.reached(len(values))
    if not reached:
        return -math.inf, math.inf
    used = values[: reached[-1][0]]
    if len(analyses.counts) == 1:
        return signed_rank.interval(used, confidence)
    tail = (1 - confidence) / 2
    return _lower_end(used, tail, analyses), -_lower_end(-used, tail, analyses)


def _lower_end(values: Floats, tail: float, analyses: Analyses) -> float:
    """Returns the smallest centre that the test does not reject at that level; -inf for none.

    The p value changes only at Walsh averages, where a sign or the order of two magnitudes does,
    and grows with the centre.
    """
    averages = np.unique(signed_rank.walsh_averages(values))
    between = (averages[1:] + averages[:-1]) / 2
    centres = np.concatenate(([averages[0] - 1], between, [averages[-1] + 1]))
    low, high = -1, len(centres) - 1  # up to low all are rejected, from high on none
    while high - low > 1:
        middle = (low + high) // 2
        if p_greater(values - centres[middle], analyses) <= tail * _ROUNDING:
            low = middle
        else:
            high = middle
    return float(averages[low]) if low >= 0 else -math.inf

"""Statistical tests that comparisons and trends need besides the signed-rank test.

They are short sums and recursions. SciPy has them as well, but was a third of an installation, so
only the tests use it, to check every function here (docs/decisions/own-statistics.md).
"""

import functools
import math

import numpy as np

from bench.arrays import Floats

_EXACT_SIZE = 8
"""Largest size of the smaller sample for which the Mann-Whitney test is exact."""


def student_t(chance: float, degrees: int) -> float:
    """Returns the quantile of Student's t distribution.

    ``chance`` lies in [0.5, 1), and ``degrees``, the degrees of freedom, are at least 1.
    """
    low, high = 0.0, math.pi / 2
    while low < (middle := (low + high) / 2) < high:
        if _share_within(middle, degrees) < 2 * chance - 1:
            low = middle
        else:
            high = middle
    return math.sqrt(degrees) * math.tan(middle)


def _share_within(angle: float, degrees: int) -> float:
    """Returns P(|T| < t) for t = √degrees · tan(angle).

    The series has an end for whole degrees of freedom (Abramowitz and Stegun, 26.7.3 and 26.7.4).
    """
    sine, cosine = math.sin(angle), math.cos(angle)
    first = 2 + degrees % 2
    term = cosine if degrees % 2 else 1.0
    total = term if degrees > 1 else 0.0
    for power in range(first, degrees - 1, 2):
        term *= cosine**2 * (power - 1) / power
        total += term
    if degrees % 2:
        return 2 / math.pi * (angle + sine * total)
    return sine * total


@functools.lru_cache(1024)
def chi_square(chance: float, degrees: int) -> float:
    """Returns the quantile of the chi-square distribution.

    ``chance`` lies in (0, 1), and ``degrees``, the degrees of freedom, are at least 1.
    """
    low, high = 0.0, float(degrees)
    while _share_beyond(high, degrees) > 1 - chance:
        high *= 2
    while low < (middle := (low + high) / 2) < high:
        if _share_beyond(middle, degrees) > 1 - chance:
            low = middle
        else:
            high = middle
    return middle


def _share_beyond(value: float, degrees: int) -> float:
    """Returns P(χ² > value), which is a finite sum for whole degrees of freedom (Abramowitz and
    Stegun, 26.4.4 and 26.4.5)."""
    half = value / 2
    if not half:
        return 1.0
    odd = degrees % 2
    terms = (
        math.exp(power * math.log(half) - half - math.lgamma(power + 1))
        for power in (each + 0.5 * odd for each in range(degrees // 2))
    )
    return math.fsum(terms) + (math.erfc(math.sqrt(half)) if odd else 0.0)


def fair_coin_p(heads: int, throws: int) -> float:
    """Returns the probability that a fair coin shows at least that many heads (sign test)."""
    return sum(math.comb(throws, each) for each in range(heads, throws + 1)) / (1 << throws)


def mann_whitney_p(one: Floats, other: Floats) -> float:
    """Returns the two-sided p value of the Mann-Whitney test of two samples, (m,) and (n,).

    It is exact where the smaller sample has at most eight values and no value occurs twice, and
    otherwise that of the normal approximation, corrected for ties and continuity.
    """
    sizes = sorted((len(one), len(other)))
    product = len(one) * len(other)
    below = np.searchsorted(np.sort(other), one, "left").sum()
    up_to = np.searchsorted(np.sort(other), one, "right").sum()
    wins = (below + up_to) / 2
    statistic = float(max(wins, product - wins))
    _, repeats = np.unique(np.concatenate((one, other)), return_counts=True)
    if sizes[0] <= _EXACT_SIZE and (repeats == 1).all():
        return min(2 * float(_wins_chances(*sizes)[int(statistic) :].sum()), 1.0)
    total = len(one) + len(other)
    ties = float((repeats.astype(np.float64) ** 3 - repeats).sum()) / (total * (total - 1))
    deviation = math.sqrt(product / 12 * (total + 1 - ties))
    if deviation == 0:  # all values are equal
        return 1.0
    return min(math.erfc((statistic - product / 2 - 0.5) / deviation / math.sqrt(2)), 1.0)


def _wins_chances(few: int, many: int) -> Floats:
    """Returns the probabilities of 0 to few·many wins between samples of one distribution.

    The largest of all values belongs to either sample (Mann and Whitney, 1947). If it is one of the
    ``few``, it wins against each of the ``many``.
    """
    chances = [np.ones(1)] * (few + 1)
    for size in range(1, many + 1):
        before, chances = chances, [np.ones(1)]
        for count in range(1, few + 1):
            mixed = np.zeros(count * size + 1)
            mixed[size:] = count * chances[-1]
            mixed[: count * (size - 1) + 1] += size * before[count]
            chances.append(mixed / (count + size))
    return chances[-1]

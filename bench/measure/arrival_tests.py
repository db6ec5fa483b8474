"""The statistics that tell arrivals of one kind from others. Gaps and times have no unit here."""

import math

import numpy as np

from bench.arrays import Floats

_EXACT_SHAPE = 100
"""Shape up to which the distribution of a sum of exponential gaps is computed as a sum."""
_CHI_MEDIAN = 0.45493642311957283
"""Median of the square of a standard normal value."""


def erlang_cdf(values: Floats, shape: int) -> Floats:
    """Returns the probabilities (n,) that the sum of ``shape`` exponential gaps of mean 1 is no
    more than these values (n,).

    Up to a shape of 100 it is the sum 1 - Σ e⁻ˣ xʲ/j! over j < shape. From there on it is the
    approximation of Wilson and Hilferty (1931), which is then right to 10⁻⁴.
    """
    values = np.maximum(values, 0.0)
    if shape > _EXACT_SHAPE:
        normal = (np.cbrt(values / shape) - 1 + 1 / (9 * shape)) * 3 * math.sqrt(shape)
        scaled = (-normal / math.sqrt(2)).tolist()
        return np.array([math.erfc(each) / 2 for each in scaled])
    term = np.exp(-values)
    above = term.copy()
    for power in range(1, shape):
        term *= values / power
        above += term
    below: Floats = np.clip(1 - above, 0.0, 1.0)
    return below


def distance_beyond(low: Floats, high: Floats) -> float:
    """Returns the Kolmogorov-Smirnov distance from the uniform distribution on [0, 1] that values
    have at least, each of which is only known to lie between ``low`` (n,) and ``high`` (n,).

    It is zero where some choice of the values within their bounds is as uniform as can be. With
    equal bounds it is the ordinary distance.
    """
    count = len(low)
    steps = np.arange(count + 1) / count
    low, high = np.sort(low), np.sort(high)
    # With all values at their upper bounds the distribution function is as small as it can be, so
    # that what lies above the diagonal then is no matter of resolution; and the other way round.
    too_large = float((steps[1:] - high).max(initial=0.0))
    too_small = float((low - steps[:-1]).max(initial=0.0))
    return max(too_large, too_small)


def kolmogorov_p(distance: float, count: int) -> float:
    """Returns the probability of a Kolmogorov-Smirnov distance of ``count`` values this large or
    larger: the limit distribution, with Stephens' correction (1970) for a finite number."""
    root = math.sqrt(count)
    scaled = (root + 0.12 + 0.11 / root) * distance
    if scaled < 0.2:  # where the series converges slowly, and the probability is 1 to 10⁻¹²
        return 1.0
    terms = ((-1) ** (term - 1) * math.exp(-2 * (term * scaled) ** 2) for term in range(1, 101))
    return min(max(2 * math.fsum(terms), 0.0), 1.0)


def correlation(one: Floats, other: Floats) -> tuple[float, float]:
    """Returns the correlation of pairs of values (n,), and its two-sided p value for large n: zero
    and one where either does not vary."""
    deviations = float(np.std(one) * np.std(other))
    if deviations == 0:
        return 0.0, 1.0
    found = float(np.mean((one - one.mean()) * (other - other.mean()))) / deviations
    return found, normal_p(found * math.sqrt(len(one)))


def dispersion(counts: Floats, expected: Floats) -> tuple[float, float]:
    """Returns the index of dispersion of events in windows (n,), and a two-sided p value.

    ``expected`` (n,) are the means of a Poisson process. The index is the variance over the mean,
    by the median of the squared deviations, so that a few windows with a stall do not decide: 1 for
    a Poisson process, 0 for even spacing, more where events come in clumps. The p value is that of
    a sign test of the squares against their median, by the normal approximation.
    """
    squares = (counts - expected) ** 2 / expected
    above = int(np.count_nonzero(squares > _CHI_MEDIAN))
    score = (2 * above - len(squares)) / math.sqrt(len(squares))
    return float(np.median(squares)) / _CHI_MEDIAN, normal_p(score)


def normal_p(score: float) -> float:
    """Returns the probability that a standard normal value is as far from zero or farther."""
    return math.erfc(abs(score) / math.sqrt(2))

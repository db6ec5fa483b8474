"""The decision rule: is the candidate slower, or is it noise? One metric over pairs of runs.

Each pair gives a log ratio, signed so that positive is worse. Two one-sided signed-rank tests
(Wilcoxon), exact at any number of pairs, are made of the ratios: one against the margin, which
proves a regression, and one against its mirror image, which proves an improvement. If neither is
proven, the metric is *no worse* when its whole confidence interval lies below the margin, and
*inconclusive* otherwise.

The signed-rank test needs no normal distribution and is robust to outliers. Pairing cancels a slow
drift of the machine, because both runs of a pair are affected alike.
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from bench.analysis.significance import student_t
from bench.arrays import Floats, Integers

ALPHA = 0.05
"""Probability of each error at a change of exactly the margin: a false regression, and a false
*no worse*."""
CONFIDENCE = 1 - 2 * ALPHA
"""Two-sided confidence of the interval, so that *no worse* is wrong with probability alpha."""
MARGIN = 0.05
"""Share that a change must exceed to matter, unless noise alone exceeds it."""
_MOST_PAIRS = 500
"""Largest number of pairs that is suggested to a user."""


class Decision(StrEnum):
    """What the pairs prove."""

    REGRESSION = "regression"
    IMPROVEMENT = "improvement"
    NO_WORSE = "no worse"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Change:
    """How a metric changed, as a share of the base: 0.1 is ten percent worse, -0.1 is better."""

    pairs: int
    estimate: float
    """Hodges-Lehmann estimate: the median of the means of all two pairs."""
    low: float
    """Lower end of the signed-rank confidence interval; -inf where the pairs are too few."""
    high: float
    """Upper end of the signed-rank confidence interval; inf where the pairs are too few."""
    p_worse: float
    """Probability of pairs this bad or worse if the change were exactly the margin."""
    p_better: float
    """Probability of pairs this good or better if the improvement were exactly the margin."""


@dataclass(frozen=True)
class MetricDecision:
    """The decision on one of several metrics, with p values corrected for their number."""

    change: Change
    margin: float
    decision: Decision
    pairs_needed: int | None
    """Number of pairs that would probably decide an inconclusive metric; None where none would."""


def fewest_pairs(metrics: int) -> int:
    """Returns the smallest number of pairs that can prove anything about that many metrics.

    Of the 2^n ways for n signs to fall, one is the most extreme, and Holm's first step requires its
    probability to be at most alpha divided by the number of metrics.
    """
    return math.ceil(math.log2(max(metrics, 1) / ALPHA))


def decide_together(family: Sequence[tuple[Floats, float]]) -> list[MetricDecision]:
    """Returns the decisions on several metrics, in the order of ``family``.

    Each metric is given as the log ratios of its pairs (n,) and its margin. The probability that
    any of them is falsely called a regression is at most alpha.
    """
    changes = [change(ratios, margin) for ratios, margin in family]
    worse = holm([each.p_worse for each in changes])
    better = holm([each.p_better for each in changes])
    return [
        _decision(replace(each, p_worse=p_worse, p_better=p_better), margin)
        for each, (_, margin), p_worse, p_better in zip(changes, family, worse, better, strict=True)
    ]


def _decision(changed: Change, margin: float) -> MetricDecision:
    decision = decide(changed, margin)
    needed = None
    if decision is Decision.INCONCLUSIVE:
        needed = pairs_to_decide(changed, margin)
    return MetricDecision(changed, margin, decision, needed)


def noise_floor(ratios: Floats, pairs: int) -> float:
    """Returns how far noise alone may move the estimate over that many pairs, as a share.

    ``ratios`` (k,) are log ratios of base runs versus base runs, whose centre is zero by
    construction. Their root mean square is the noise of one pair, with k degrees of freedom; the
    noise of a mean over n pairs is smaller by a factor of √n. Noise exceeds the floor on a given
    side in one job out of twenty (Student's t at 95%).
    """
    noise = math.sqrt(float(np.mean(ratios**2)))
    return math.expm1(student_t(1 - ALPHA, len(ratios)) * noise / math.sqrt(pairs))


def log_ratios(base: Sequence[float], candidate: Sequence[float], higher_is_better: bool) -> Floats:
    """Returns the log ratios of n pairs (n,), positive where the candidate is worse.

    Raises ValueError when a value is not positive, because it has no ratio.
    """
    before, after = np.asarray(base, np.float64), np.asarray(candidate, np.float64)
    if not ((before > 0).all() and (after > 0).all()):
        raise ValueError("a ratio needs values above zero")
    ratios: Floats = np.log(after / before)
    return -ratios if higher_is_better else ratios


def change(ratios: Floats, margin: float) -> Change:
    """Returns the change that log ratios (n,) show, tested against a margin (0.05 for 5%)."""
    low, high = interval(ratios, CONFIDENCE)
    shift = math.log1p(margin)
    return Change(
        pairs=len(ratios),
        estimate=math.expm1(estimate(ratios)),
        low=math.expm1(low) if math.isfinite(low) else -math.inf,
        high=math.expm1(high) if math.isfinite(high) else math.inf,
        p_worse=p_greater(ratios - shift),
        p_better=p_greater(-ratios - shift),
    )


def decide(changed: Change, margin: float) -> Decision:
    """Returns what a change proves; each error has a probability of at most alpha."""
    if changed.p_worse <= ALPHA:
        return Decision.REGRESSION
    if changed.p_better <= ALPHA:
        return Decision.IMPROVEMENT
    return Decision.NO_WORSE if changed.high < margin else Decision.INCONCLUSIVE


def p_greater(values: Floats) -> float:
    """Returns the one-sided p value of the signed-rank test for a centre of (n,) values above zero.

    It is exact, with ties and zeros, too.
    """
    magnitudes = np.abs(values)
    if not magnitudes.any():
        return 1.0
    in_order = np.sort(magnitudes)
    # Equal values share the mean of their ranks, which is a whole number once it is doubled. A zero
    # adds half of its rank to either side, whatever the signs of the others, so it cancels out.
    doubled = np.searchsorted(in_order, magnitudes, "left") + 1
    doubled += np.searchsorted(in_order, magnitudes, "right")
    chances = _sum_chances(tuple(np.sort(doubled[magnitudes > 0]).tolist()))
    statistic = int(doubled[values > 0].sum())
    return float(chances[statistic:].sum())


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


def estimate(ratios: Floats) -> float:
    """Returns the Hodges-Lehmann estimate of the centre: the median of the Walsh averages."""
    return float(np.median(_walsh_averages(ratios)))


def interval(ratios: Floats, confidence: float) -> tuple[float, float]:
    """Returns the signed-rank confidence interval of the centre of log ratios (n,).

    It spans the Walsh averages that the exact test does not reject, and is infinite on both sides
    where the pairs are too few for the confidence.
    """
    averages = np.sort(_walsh_averages(ratios))
    left_out = _left_out(len(ratios), (1 - confidence) / 2)
    if left_out < 0:
        return -math.inf, math.inf
    return float(averages[left_out]), float(averages[len(averages) - 1 - left_out])


def holm(p_values: Sequence[float]) -> list[float]:
    """Returns p values corrected for multiple testing (Holm, 1979), in the given order."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    corrected = [0.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(p_values[index] * (len(p_values) - rank), 1.0))
        corrected[index] = highest
    return corrected


def pairs_to_decide(changed: Change, margin: float) -> int | None:
    """Returns the number of pairs that would probably decide.

    The interval narrows with the square root of that number. None where even many pairs would not
    decide, because the change is too close to the margin.
    """
    if not math.isfinite(changed.low) or not math.isfinite(changed.high):
        return max(2 * fewest_pairs(1), changed.pairs + 1)
    distance = abs(margin - changed.estimate)
    reach = max(changed.high - changed.estimate, changed.estimate - changed.low)
    if distance <= 0 or reach / distance > math.sqrt(_MOST_PAIRS / changed.pairs):
        return None
    return max(math.ceil(changed.pairs * (reach / distance) ** 2), changed.pairs + 1)


def _walsh_averages(ratios: Floats) -> Floats:
    first, second = _couples(len(ratios))
    averages: Floats = (ratios[first] + ratios[second]) / 2
    return averages


@functools.lru_cache
def _couples(pairs: int) -> tuple[Integers, Integers]:
    first, second = np.triu_indices(pairs)
    return first, second


@functools.lru_cache
def _left_out(pairs: int, tail: float) -> int:
    """Returns the number of Walsh averages outside the interval at each end; -1 for an open one.

    It is the largest k with P(W < k) <= tail, where W is the signed-rank statistic of n pairs.
    """
    below = np.cumsum(_sum_chances(tuple(range(1, pairs + 1))))  # P(W <= k)
    return int(np.searchsorted(below, tail, side="right")) - 1

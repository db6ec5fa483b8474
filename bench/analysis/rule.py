"""Is the candidate slower, or is it noise? One metric over pairs of runs.

Each pair gives a log ratio, signed so that positive is worse. Two one-sided signed-rank tests
(Wilcoxon) are made of them, exact at any number of pairs: one against the margin from below, which
proves a regression, and one against its mirror image, which proves an improvement. What is neither
is *no worse* when the whole confidence interval lies below the margin, and *inconclusive* else.

The signed-rank test needs no normal distribution and forgives a wild pair; pairing takes out a
machine that drifts slowly, as both runs of a pair see the same of it.
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from scipy import stats

from bench.arrays import Floats

ALPHA = 0.05
"""The chance of each of the two errors: a false alarm at a change of just the margin, and a false
*no worse* there."""
CONFIDENCE = 1 - 2 * ALPHA
"""Two-sided, so that *no worse* is wrong with the chance of alpha, too."""
MARGIN = 0.05
"""What a change must exceed to matter, unless noise alone does more."""
_MOST_PAIRS = 500
_EXHAUSTIVE_PAIRS = 14
"""Up to so many, ties and zeros are dealt with by trying all 2^n signs."""


class Decision(StrEnum):
    """What the pairs prove."""

    REGRESSION = "regression"
    IMPROVEMENT = "improvement"
    NO_WORSE = "no worse"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Change:
    """How a metric changed, as shares of the base (0.1 is ten percent worse, -0.1 better)."""

    pairs: int
    estimate: float
    """Hodges and Lehmann's: the median of all means of two pairs."""
    low: float
    high: float
    """Signed-rank confidence interval of that estimate; infinite where the pairs are too few."""
    p_worse: float
    """Chance of such pairs, or worse ones, if the change were just the margin."""
    p_better: float
    """The same for an improvement by just the margin."""


@dataclass(frozen=True)
class Judgement:
    """One metric of several that are judged together: p values are corrected for their number."""

    change: Change
    margin: float
    decision: Decision
    pairs_needed: int | None
    """Where it is inconclusive: how many pairs would probably decide; None where none would."""


def fewest_pairs(metrics: int) -> int:
    """With fewer pairs, and so many metrics judged together, no outcome could prove anything.

    Of the 2^n ways for n signs to fall one is the most extreme, and Holm's first step asks it for
    the n-th part of alpha.
    """
    return math.ceil(math.log2(max(metrics, 1) / ALPHA))


def judge(family: Sequence[tuple[Floats, float]]) -> list[Judgement]:
    """Decide on several metrics together: (log ratios of the pairs, margin) each, in their order.

    The chance that any of them is called a regression without being one is alpha at the most.
    """
    changes = [change(ratios, margin) for ratios, margin in family]
    worse = holm([each.p_worse for each in changes])
    better = holm([each.p_better for each in changes])
    return [
        _judgement(replace(each, p_worse=p_worse, p_better=p_better), margin)
        for each, (_, margin), p_worse, p_better in zip(changes, family, worse, better, strict=True)
    ]


def _judgement(changed: Change, margin: float) -> Judgement:
    decision = decide(changed, margin)
    needed = None
    if decision is Decision.INCONCLUSIVE:
        needed = pairs_to_decide(changed, margin)
    return Judgement(changed, margin, decision, needed)


def noise_floor(ratios: Floats, pairs: int) -> float:
    """How far noise alone may carry the estimate over that many pairs, as a share of the base.

    ``ratios`` (k,) are log ratios of the base against itself, whose centre is zero by construction:
    their root mean square is the noise of one pair, with k degrees of freedom, and that of a mean
    over n pairs is smaller by the root of n. Noise exceeds the floor on one given side in one job
    of twenty (Student's t at 95%).
    """
    noise = math.sqrt(float(np.mean(ratios**2)))
    return math.expm1(_student_t(len(ratios)) * noise / math.sqrt(pairs))


@functools.cache
def _student_t(degrees: int) -> float:
    """Student's t at 1 - alpha, one-sided."""
    return float(stats.t.ppf(1 - ALPHA, degrees))


def log_ratios(base: Sequence[float], candidate: Sequence[float], higher_is_better: bool) -> Floats:
    """(n,) log ratios of pairs, positive where the candidate is worse.

    Raises ValueError when a value is not positive: it has no ratio.
    """
    before, after = np.asarray(base, np.float64), np.asarray(candidate, np.float64)
    if not ((before > 0).all() and (after > 0).all()):
        raise ValueError("a ratio needs values above zero")
    ratios: Floats = np.log(after / before)
    return -ratios if higher_is_better else ratios


def change(ratios: Floats, margin: float) -> Change:
    """What log ratios (n,) of pairs say, against a margin (0.05 is five percent)."""
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
    """What they prove, each of the two errors with a chance of alpha at the most."""
    if changed.p_worse <= ALPHA:
        return Decision.REGRESSION
    if changed.p_better <= ALPHA:
        return Decision.IMPROVEMENT
    return Decision.NO_WORSE if changed.high < margin else Decision.INCONCLUSIVE


def p_greater(values: Floats) -> float:
    """One-sided exact p of the signed-rank test that (n,) values are centred at zero or below."""
    magnitudes = np.abs(values)
    if not magnitudes.any():
        return 1.0
    has_ties = len(np.unique(magnitudes)) < len(values) or not magnitudes.all()
    if not has_ties:
        return _p_without_ties(values)
    if len(values) > _EXHAUSTIVE_PAIRS:
        return float(stats.wilcoxon(values, alternative="greater", method="approx").pvalue)
    every_sign = stats.PermutationMethod(n_resamples=2**_EXHAUSTIVE_PAIRS + 1)
    result = stats.wilcoxon(values, alternative="greater", method=every_sign, zero_method="zsplit")
    return float(result.pvalue)


def _p_without_ties(values: Floats) -> float:
    """P(W >= w) for the sum w of the ranks of the positive values (n,), none of them equal."""
    ranks = np.argsort(np.argsort(np.abs(values))) + 1
    # W is symmetric about the middle of its range: P(W >= w) = P(W <= highest - w).
    return float(_signed_rank_cdf(len(values))[ranks[values <= 0].sum()])


@functools.cache
def _signed_rank_cdf(pairs: int) -> Floats:
    """P(W <= k) for k = 0 … n(n + 1)/2, W being the signed-rank statistic of n pairs without ties.

    Each subset of the ranks 1 … n is one way for the signs to fall; all are equally likely.
    """
    ways = np.zeros(pairs * (pairs + 1) // 2 + 1)
    ways[0] = 1.0
    for rank in range(1, pairs + 1):
        ways[rank:] += ways[:-rank].copy()
    below: Floats = np.cumsum(ways) / 2.0**pairs
    return below


def estimate(ratios: Floats) -> float:
    """Hodges and Lehmann's estimate of the centre: the median of the Walsh averages."""
    return float(np.median(_walsh_averages(ratios)))


def interval(ratios: Floats, confidence: float) -> tuple[float, float]:
    """The signed-rank confidence interval: the Walsh averages that no exact test would refute.

    Infinite on both sides where the pairs are too few for the confidence.
    """
    averages = np.sort(_walsh_averages(ratios))
    left_out = _left_out(len(ratios), (1 - confidence) / 2)
    if left_out < 0:
        return -math.inf, math.inf
    return float(averages[left_out]), float(averages[len(averages) - 1 - left_out])


def holm(p_values: Sequence[float]) -> list[float]:
    """p values corrected for being several (Holm, 1979), in their order."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    corrected = [0.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(p_values[index] * (len(p_values) - rank), 1.0))
        corrected[index] = highest
    return corrected


def pairs_to_decide(changed: Change, margin: float) -> int | None:
    """How many pairs would probably decide: the interval narrows as the root of their number.

    None where more of the same would not: the change is as good as the margin itself.
    """
    if not math.isfinite(changed.low) or not math.isfinite(changed.high):
        return max(2 * fewest_pairs(1), changed.pairs + 1)
    distance = abs(margin - changed.estimate)
    reach = max(changed.high - changed.estimate, changed.estimate - changed.low)
    if distance <= 0 or reach / distance > math.sqrt(_MOST_PAIRS / changed.pairs):
        return None
    return max(math.ceil(changed.pairs * (reach / distance) ** 2), changed.pairs + 1)


def _walsh_averages(ratios: Floats) -> Floats:
    first, second = np.triu_indices(len(ratios))
    averages: Floats = (ratios[first] + ratios[second]) / 2
    return averages


def _left_out(pairs: int, tail: float) -> int:
    """How many Walsh averages an interval leaves out at each end; -1 where it has no end.

    The largest k with P(W < k) <= tail, W being the signed-rank statistic of that many pairs.
    """
    return int(np.searchsorted(_signed_rank_cdf(pairs), tail, side="right")) - 1

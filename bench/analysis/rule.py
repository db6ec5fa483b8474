"""The decision rule: is the candidate slower, or is it noise? One metric over pairs of runs.

Each pair gives a log ratio, signed so that positive is worse. Two one-sided signed-rank tests
(Wilcoxon), exact at any number of pairs, are made of the ratios: one against the margin, which
proves a regression, and one against its mirror image, which proves an improvement. If neither is
proven, the metric is *no worse* when its whole confidence interval lies below the margin, and
*inconclusive* otherwise. Where a job may stop early, the tests and the interval are sequential
(``sequential.py``), so that the probabilities of errors are the same.

The signed-rank test needs no normal distribution and is robust to outliers. Pairing cancels a slow
drift of the machine, because both runs of a pair are affected alike.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from bench.analysis import sequential, signed_rank
from bench.analysis.sequential import Analyses
from bench.analysis.significance import student_t
from bench.arrays import Floats

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
    """Lower end of the confidence interval; -inf where the pairs are too few."""
    high: float
    """Upper end of the confidence interval; inf where the pairs are too few."""
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
    """Returns the smallest number of pairs that can prove a change of one of that many metrics.

    Of the 2^n ways for n signs to fall, one is the most extreme, and Hochberg's correction requires
    its probability to be at most alpha divided by the number of metrics, if no other one changed.
    """
    return math.ceil(math.log2(max(metrics, 1) / ALPHA))


def decide_together(
    family: Sequence[tuple[Floats, float]], analyses: Analyses | None = None
) -> list[MetricDecision]:
    """Returns the decisions on several metrics, in the order of ``family``.

    Each metric is given as the log ratios of its pairs (n,), in the order of the pairs, and its
    margin. The probability that any of them is falsely called a regression is at most alpha, also
    where a job stops at one of the ``analyses``. None stands for a plan of exactly these pairs.
    """
    changes = [change(ratios, margin, analyses) for ratios, margin in family]
    worse = hochberg([each.p_worse for each in changes])
    better = hochberg([each.p_better for each in changes])
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


def is_plain(decisions: Sequence[MetricDecision]) -> bool:
    """Returns whether the decision on a job can no longer change: a metric is a regression, or all
    are no worse.

    A job whose metrics are no worse goes on where one of them seems to be better by more than the
    margin, which is not proven yet.
    """
    if any(each.decision is Decision.REGRESSION for each in decisions):
        return True
    if any(each.decision is Decision.INCONCLUSIVE for each in decisions):
        return False
    return bool(decisions) and not any(map(_may_be_better, decisions))


def _may_be_better(decided: MetricDecision) -> bool:
    better = 1 / (1 + decided.margin) - 1
    return decided.decision is Decision.NO_WORSE and decided.change.estimate < better


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


def change(ratios: Floats, margin: float, analyses: Analyses | None = None) -> Change:
    """Returns the change that log ratios (n,) show, tested against a margin (0.05 for 5%).

    ``analyses`` are those of the plan; None stands for a plan of exactly these pairs.
    """
    planned = sequential.once(len(ratios)) if analyses is None else analyses
    low, high = sequential.interval(ratios, CONFIDENCE, planned)
    shift = math.log1p(margin)
    return Change(
        pairs=len(ratios),
        estimate=math.expm1(signed_rank.estimate(ratios)),
        low=math.expm1(low) if math.isfinite(low) else -math.inf,
        high=math.expm1(high) if math.isfinite(high) else math.inf,
        p_worse=sequential.p_greater(ratios - shift, planned),
        p_better=sequential.p_greater(-ratios - shift, planned),
    )


def decide(changed: Change, margin: float) -> Decision:
    """Returns what a change proves; each error has a probability of at most alpha."""
    if changed.p_worse <= ALPHA:
        return Decision.REGRESSION
    if changed.p_better <= ALPHA:
        return Decision.IMPROVEMENT
    return Decision.NO_WORSE if changed.high < margin else Decision.INCONCLUSIVE


def hochberg(p_values: Sequence[float]) -> list[float]:
    """Returns p values corrected for multiple testing (Hochberg, 1988), in the given order.

    The largest is left as it is, so that metrics which all change are not penalised for their
    number. The correction is valid where noise moves the metrics of a run independently or together
    (Sarkar, 1998). Where it moves them in opposite directions, the error is still below
    alpha + alpha² for two metrics.
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__, reverse=True)
    corrected = [0.0] * len(p_values)
    lowest = 1.0
    for rank, index in enumerate(order):
        lowest = min(lowest, p_values[index] * (rank + 1))
        corrected[index] = lowest
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

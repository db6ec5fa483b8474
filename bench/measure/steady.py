"""Finds where the warm-up ends.

MSER-5 (White, "An effective truncation heuristic for bias reduction in simulation output", 1997):
the series is averaged in batches of five, and cut where the remaining batches have the smallest
standard error. Applied directly to latencies, the method has a flaw: one stall of the server early
in the run is so large an outlier that cutting everything up to its end minimizes the error, and the
stall would be left out as warm-up. The batches are therefore replaced by their ranks first: a
different level at the beginning still shows, and a stall weighs no more than its share of the time.
"""

from dataclasses import dataclass

import numpy as np

from bench.arrays import Floats

BATCH = 5
_FEWEST_BATCHES = 10
_WORTH_CUTTING = 0.985
"""A cut must reduce the error to at most this share, or noise alone would cause some cuts."""
_LEVEL_CHANGE = 0.3
"""Share of the range of ranks: about three standard deviations for forty batches of pure noise."""


@dataclass(frozen=True)
class Truncation:
    """Number of bins of the series that are warm-up, and whether the rest looks steady."""

    bins: int
    is_steady: bool


def find_warmup(means: Floats, most_points: int) -> Truncation:
    """Returns where to cut a series (n,) of means, NaN for bins without data.

    The cut is at ``most_points`` at the latest. The rest is not steady if the best cut lies at that
    bound or if the levels of its two halves differ: the warm-up may then be longer. A series of
    fewer than fifty bins is too short to judge and is not cut.
    """
    batches = _batch_means(means)
    # MSER is unreliable in the second half, where few batches remain and any few look alike.
    most = min(most_points // BATCH, len(batches) // 2)
    if len(batches) < _FEWEST_BATCHES or most < 1:
        return Truncation(0, True)
    ranks = _ranks(batches)
    errors = [_squared_error(ranks[cut:]) for cut in range(most + 1)]
    best = int(np.argmin(errors))
    if errors[best] > _WORTH_CUTTING * errors[0]:
        best = 0
    return Truncation(best * BATCH, best < most and not _changes_level(ranks[best:]))


def _changes_level(ranks: Floats) -> bool:
    """Whether the mean ranks of the two halves differ by more than noise explains."""
    half = len(ranks) // 2
    distance = abs(float(np.mean(ranks[:half]) - np.mean(ranks[half:])))
    return distance > _LEVEL_CHANGE * len(ranks)


def _batch_means(means: Floats) -> Floats:
    """Means of five bins each; a batch without data repeats the batch before it."""
    whole = means[: len(means) // BATCH * BATCH].reshape(-1, BATCH)
    filled = ~np.isnan(whole)
    counts = filled.sum(axis=1)
    if not counts.any():
        return np.empty(0)
    sums = np.where(filled, whole, 0.0).sum(axis=1)
    last_filled = np.maximum.accumulate(np.where(counts > 0, np.arange(len(counts)), -1))
    source = np.where(last_filled < 0, int(np.argmax(counts > 0)), last_filled)
    batches: Floats = sums[source] / counts[source]
    return batches


def _ranks(values: Floats) -> Floats:
    """Mid-ranks (n,): equal values share the mean of their ranks."""
    ordered = np.sort(values)
    first = np.searchsorted(ordered, values, side="left")
    last = np.searchsorted(ordered, values, side="right")
    return (first + last) / 2


def _squared_error(values: Floats) -> float:
    return float(np.var(values) / len(values))

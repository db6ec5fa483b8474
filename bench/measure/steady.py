"""Where the warm-up ends.

MSER-5 (White, "An effective truncation heuristic for bias reduction in simulation output", 1997):
the series is averaged in batches of five, and cut where the remaining batches have the smallest
standard error. Used as it stands it has a fault for us: one stall of the server early in the run
is an outlier so large that cutting everything before it pays, and the stall would be left out as
warm-up. So the batches are replaced by their ranks first: a level that differs at the beginning
still shows, and one bad moment weighs no more than its share of the time.
"""

from dataclasses import dataclass

import numpy as np

from bench.arrays import Floats

BATCH = 5
_FEWEST_BATCHES = 10
_WORTH_CUTTING = 0.985
"""A cut must make the error smaller by this factor, or chance alone would cut now and then."""
_LEVEL_CHANGE = 0.3
"""Of the range of ranks: about three standard deviations for forty batches of plain noise."""


@dataclass(frozen=True)
class Truncation:
    """How many points of the series are warm-up, and whether the rest looks steady."""

    points: int
    is_steady: bool


def find_warmup(means: Floats, most_points: int) -> Truncation:
    """Cut a fine series (n,) of means, NaN where nothing happened, at ``most_points`` at the most.

    Not steady when the best cut lies at that bound, or the two halves of the rest lie far apart:
    then the warm-up may be longer. A series too short to tell (below fifty points) is left whole.
    """
    batches = _batch_means(means)
    # In the second half MSER is not to be trusted: few batches always look alike.
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
    """Whether the two halves lie so far apart that a transient may fill much of the series."""
    half = len(ranks) // 2
    distance = abs(float(np.mean(ranks[:half]) - np.mean(ranks[half:])))
    return distance > _LEVEL_CHANGE * len(ranks)


def _batch_means(means: Floats) -> Floats:
    """Means of five points each; a batch where nothing happened repeats the one before it."""
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
    """Mid-ranks: equal values share the mean of their places."""
    ordered = np.sort(values)
    first = np.searchsorted(ordered, values, side="left")
    last = np.searchsorted(ordered, values, side="right")
    return (first + last) / 2


def _squared_error(values: Floats) -> float:
    return float(np.var(values) / len(values))

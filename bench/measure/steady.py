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
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

BATCH = 5
_FEWEST_BATCHES = 10


@dataclass(frozen=True)
class Truncation:
    """How many points of the series are warm-up, and whether the rest looks steady."""

    points: int
    is_steady: bool


def find_warmup(means: Floats, most_points: int) -> Truncation:
    """Cut a fine series (n,) of means, NaN where nothing happened, at ``most_points`` at the most.

    Not steady when the best cut lies at that bound: then the warm-up may be longer. A series too
    short to tell (below fifty points) is left whole.
    """
    batches = _batch_means(means)
    most = most_points // BATCH
    if len(batches) < _FEWEST_BATCHES or most < 1:
        return Truncation(0, True)
    ranks = _ranks(batches)
    errors = [_squared_error(ranks[cut:]) for cut in range(most + 1)]
    best = int(np.argmin(errors))
    return Truncation(best * BATCH, best < most)


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

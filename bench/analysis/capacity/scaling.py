"""Fits the Universal Scalability Law, with its uncertainty: how throughput grows with workers.

X(N) = γN / (1 + α(N - 1) + βN(N - 1)): γ is the throughput of one worker, α the share of work that
cannot run in parallel (contention), β the cost of coordination between each pair of workers
(coherency). Source: Gunther, "Guerrilla Capacity Planning", 2007.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.analysis.capacity.scaling_fit import fit_sets
from bench.arrays import Floats

FEWEST_LEVELS = 3
"""Levels that a fit needs: one for each coefficient."""
RESAMPLES = 400
"""Number of fits from which the intervals are taken."""
_SEED = 1
_INTERVAL = (5.0, 95.0)
RUN_NOISE = 0.03
"""Variation of a rate between trials of different days, as a share, because machines drift."""
FARTHEST = 2.0
"""Factor by which a prediction may exceed the largest level. Fitted to 1 to 8 workers with 3% of
noise, X(16) can be off by a fifth."""


@dataclass(frozen=True)
class Level:
    """The bounds of the throughput, in tasks per second, of one number of workers."""

    workers: float
    lower: float
    upper: float

    @property
    def middle(self) -> float:
        """Midpoint of the bounds, in tasks per second."""
        return (self.lower + self.upper) / 2


@dataclass(frozen=True)
class Coefficients:
    """The law's coefficients: contention, coherency, and the tasks per second of one worker."""

    alpha: float
    beta: float
    gamma: float

    def at(self, workers: Floats | float) -> Floats:
        """Returns the throughput in tasks per second, in the shape of ``workers``."""
        count = np.asarray(workers, np.float64)
        throughput: Floats = _throughput(count, self.alpha, self.beta, self.gamma)
        return throughput

    @property
    def peak_workers(self) -> float:
        """Number of workers with the highest throughput; infinite where coherency costs nothing.

        With a contention of 1 or more, each further worker lowers the throughput of the first.
        """
        if self.alpha >= 1:
            return 1.0
        return math.sqrt((1 - self.alpha) / self.beta) if self.beta > 0 else math.inf


def _throughput(count: Any, alpha: Any, beta: Any, gamma: Any) -> Any:
    """X(N) of the law. The arguments are broadcast against each other."""
    return gamma * count / (1 + alpha * (count - 1) + beta * count * (count - 1))


@dataclass(frozen=True)
class Band:
    """A prediction with its 90% interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Law:
    """A fitted law, with fits to resampled measurements that give its uncertainty."""

    levels: Sequence[Level]
    best: Coefficients
    resampled: Sequence[Coefficients]
    residuals: Sequence[float]
    """Deviation of each level from the fit, as a share of the fitted value."""

    @property
    def farthest(self) -> float:
        """Largest number of workers for which a prediction is allowed."""
        return FARTHEST * max(level.workers for level in self.levels)

    def predict(self, workers: float) -> Band:
        """Returns the predicted throughput of a number of workers.

        Raises ValueError for more than ``farthest`` workers.
        """
        if workers > self.farthest:
            raise ValueError(f"{workers:g} workers are more than {self.farthest:g}")
        drawn = np.array([(each.alpha, each.beta, each.gamma) for each in self.resampled]).T
        return self._band(_throughput(np.float64(workers), *drawn), workers)

    def _band(self, values: Floats, workers: float) -> Band:
        low, high = np.percentile(values, _INTERVAL)
        value = float(self.best.at(workers))
        # A measurement there will only be as precise as the width of its bounds.
        width = max((level.upper - level.lower) / 2 / level.middle for level in self.levels)
        slack = math.hypot(width, RUN_NOISE) * value
        return Band(value, min(float(low), value) - slack, max(float(high), value) + slack)

    def interval_of(self, name: str) -> tuple[float, float]:
        """Returns the 90% interval of ``alpha``, ``beta``, ``gamma`` or ``peak_workers``."""
        values = [getattr(each, name) for each in self.resampled]
        finite = np.array([min(value, 1e9) for value in values])
        low, high = np.percentile(finite, _INTERVAL)
        return float(low), math.inf if high >= 1e9 else float(high)


def fit(levels: Sequence[Level]) -> Law | None:
    """Returns the law of these levels; None for fewer than three.

    Each level is weighted by its precision. Intervals come from fits to values drawn around the
    measured ones, which vary by the width of the bounds, the noise of runs and the residuals.
    """
    if len({level.workers for level in levels}) < FEWEST_LEVELS:
        return None
    workers = np.array([level.workers for level in levels], np.float64)
    middles = np.array([level.middle for level in levels])
    widths = np.array([(level.upper - level.lower) / level.middle for level in levels])
    # The standard deviation of a uniform distribution between the bounds is their width / √12.
    relative_sd = np.hypot(widths / math.sqrt(12), RUN_NOISE)
    best = fit_coefficients(workers, middles, relative_sd)
    residuals = middles / best.at(workers) - 1
    # Residuals may be noise, too; fitting three coefficients hides part of it.
    residual_sd = math.sqrt(float(residuals @ residuals) / max(len(levels) - 3, 1))
    noise = np.hypot(relative_sd, residual_sd)
    generator = np.random.default_rng(_SEED)
    drawn = np.exp(noise * generator.standard_normal((RESAMPLES, len(levels)))) * middles
    weights = 1 / (relative_sd * drawn)
    resampled = [Coefficients(*each) for each in fit_sets(workers, drawn, weights).tolist()]
    return Law(levels, best, resampled, [float(each) for each in residuals])


def fit_coefficients(
    workers: Floats, throughput: Floats, relative_sd: Floats | None = None
) -> Coefficients:
    """Returns the coefficients fitted by least squares, none of them negative.

    ``workers`` and ``throughput`` are of shape (n,). ``relative_sd`` (n,) is the standard deviation
    of each throughput as a share of it; without it, absolute deviations count equally.
    """
    weights = np.ones_like(throughput) if relative_sd is None else 1 / (relative_sd * throughput)
    (found,) = fit_sets(workers, throughput[None], weights[None]).tolist()
    return Coefficients(*found)

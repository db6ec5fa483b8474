"""How throughput grows with workers: the Universal Scalability Law, fitted, with its uncertainty.

X(N) = γN / (1 + α(N - 1) + βN(N - 1)): α is the share that cannot go side by side, β what each pair
of workers costs for keeping out of each other's way (Gunther, "Guerrilla Capacity Planning", 2007).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import least_squares

from bench.arrays import Floats

FEWEST_LEVELS = 3
"""One for each coefficient."""
RESAMPLES = 400
"""Number of fits from which the intervals are taken."""
_SEED = 1
_INTERVAL = (5.0, 95.0)
_RUN_NOISE = 0.03
"""Of a rate from one day's trials to another's, as a share: machines drift."""
_PRECISE: dict[str, Any] = {"ftol": 1e-12, "xtol": 1e-12, "gtol": 1e-12}
FARTHEST = 2.0
"""How far beyond the largest level a prediction may reach: from 1 to 8 workers with 3% of noise,
X(16) can be wrong by a fifth."""


@dataclass(frozen=True)
class Level:
    """Between which throughputs (tasks a second) the limit of one number of workers lies."""

    workers: float
    lower: float
    upper: float

    @property
    def middle(self) -> float:
        """The best single guess."""
        return (self.lower + self.upper) / 2


@dataclass(frozen=True)
class Coefficients:
    """Of the law: contention, coherency, and the throughput of one worker alone."""

    alpha: float
    beta: float
    gamma: float

    def at(self, workers: Floats | float) -> Floats:
        """Throughput (tasks a second) of so many workers, of any shape."""
        count = np.asarray(workers, np.float64)
        shared = 1 + self.alpha * (count - 1) + self.beta * count * (count - 1)
        throughput: Floats = self.gamma * count / shared
        return throughput

    @property
    def peak_workers(self) -> float:
        """Where throughput is highest; infinite where workers never hinder each other."""
        return math.sqrt((1 - self.alpha) / self.beta) if self.beta > 0 else math.inf


@dataclass(frozen=True)
class Band:
    """A prediction with its 90% interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Law:
    """A fit. ``resampled`` are fits to other values that the same measurements allow."""

    levels: Sequence[Level]
    best: Coefficients
    resampled: Sequence[Coefficients]
    residuals: Sequence[float]
    """Of each level, as a share of what the fit says."""

    @property
    def farthest(self) -> float:
        """The largest number of workers that may be predicted."""
        return FARTHEST * max(level.workers for level in self.levels)

    def predict(self, workers: float) -> Band:
        """Throughput of so many workers. Raises ValueError past ``farthest``."""
        if workers > self.farthest:
            raise ValueError(f"{workers:g} workers are more than {self.farthest:g}")
        return self._band([float(each.at(workers)) for each in self.resampled], workers)

    def _band(self, values: Sequence[float], workers: float) -> Band:
        low, high = np.percentile(values, _INTERVAL)
        value = float(self.best.at(workers))
        # What is measured there will be known to the width of its bounds, and no better.
        width = max((level.upper - level.lower) / 2 / level.middle for level in self.levels)
        slack = math.hypot(width, _RUN_NOISE) * value
        return Band(value, min(float(low), value) - slack, max(float(high), value) + slack)

    def interval_of(self, name: str) -> tuple[float, float]:
        """The 90% interval of a coefficient, or of ``peak_workers``."""
        values = [getattr(each, name) for each in self.resampled]
        finite = np.array([min(value, 1e9) for value in values])
        low, high = np.percentile(finite, _INTERVAL)
        return float(low), math.inf if high >= 1e9 else float(high)


def fit(levels: Sequence[Level]) -> Law | None:
    """The law of these levels, or None where they are too few to tell.

    Each level counts by how well it is known. Intervals come from fits to values drawn around the
    measured ones: by the width of the bounds, by the noise of runs, and by what the fit misses.
    """
    if len({level.workers for level in levels}) < FEWEST_LEVELS:
        return None
    workers = np.array([level.workers for level in levels], np.float64)
    middles = np.array([level.middle for level in levels])
    widths = np.array([(level.upper - level.lower) / level.middle for level in levels])
    known = np.hypot(widths / math.sqrt(12), _RUN_NOISE)  # of a value anywhere between its bounds
    best = fit_coefficients(workers, middles, known)
    residuals = middles / best.at(workers) - 1
    # What the fit misses at the levels may be noise, too; three coefficients hide some of it.
    missed = math.sqrt(float(residuals @ residuals) / max(len(levels) - 3, 1))
    noise = np.hypot(known, missed)
    generator = np.random.default_rng(_SEED)
    drawn = np.exp(noise * generator.standard_normal((RESAMPLES, len(levels)))) * middles
    resampled = [fit_coefficients(workers, throughput, known) for throughput in drawn]
    return Law(levels, best, resampled, [float(each) for each in residuals])


def fit_coefficients(
    workers: Floats, throughput: Floats, known: Floats | None = None
) -> Coefficients:
    """Least squares, all coefficients at or above zero.

    ``known`` (n,) is how well each throughput is known, as a share of it; without it all count
    alike, as they stand.
    """
    scale = 1.0 if known is None else 1 / (known * throughput)
    guess = np.array([0.02, 0.0001, float(np.max(throughput / workers))])

    def missed(values: Floats) -> Floats:
        off: Floats = (Coefficients(*values.tolist()).at(workers) - throughput) * scale
        return off

    found = least_squares(
        missed,
        guess,
        bounds=(0.0, np.inf),
        x_scale=np.array([0.01, 0.0001, guess[2]]),
        max_nfev=5000,
        **_PRECISE,
    )
    return Coefficients(*(float(each) for each in found.x))

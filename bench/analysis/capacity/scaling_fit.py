"""Least squares for the Universal Scalability Law, with coefficients that are not negative.

The law is X(N) = N / (a + b(N - 1) + cN(N - 1)) with a = 1/γ, b = α/γ and c = β/γ. In this form its
denominator is linear, so that a linear fit finds a good start, and Levenberg's and Marquardt's
method ("An algorithm for least-squares estimation of nonlinear parameters", 1963) needs a few
steps from there. Many sets of throughputs are fitted at once. The fit without bounds holds where
no parameter is negative. Elsewhere the best fit lies on a bound, where some of them are zero.
"""

from dataclasses import dataclass

import numpy as np

from bench.arrays import Flags, Floats

_FREE = ((0, 1, 2), (0, 1), (0, 2), (0,), (1, 2), (1,), (2,))
"""Which of a, b and c are fitted while the others are at their lower bounds."""
_SMALLEST_SHARE = 1e-9
"""Lower bound of a, as a share of the smallest denominator, since γ would be infinite at zero.

It is reached where throughput only falls from the first level on.
"""
_MOST_STEPS = 200
_SMALLEST_DAMPING = 1e-10
"""Damping that keeps the equations solvable where levels lie close together."""
_LARGEST_DAMPING = 1e8
"""Damping at which no step in any direction makes a fit better."""


@dataclass(frozen=True)
class _Problem:
    """m sets of n throughputs (m, n), with their weights, and the law's denominator."""

    workers: Floats
    throughput: Floats
    weights: Floats
    """Inverse of the standard deviation of each throughput (m, n)."""
    fixed: Floats
    """Part of the denominators that no parameter changes (m,)."""
    design: Floats
    """Derivatives of the denominator (n, k) by the k free parameters, scaled to at most 1."""

    def denominators(self, found: Floats) -> Floats:
        """Returns the denominators (m, n) for parameters (m, k)."""
        shared: Floats = self.fixed[:, None] + found @ self.design.T
        return shared

    def costs(self, found: Floats) -> Floats:
        """Returns the sums of squares (m,) for parameters (m, k); infinite beyond a pole."""
        shared = self.denominators(found)
        is_valid = np.all(shared > 0, axis=1)
        shared = np.where(is_valid[:, None], shared, 1.0)
        sums = (((self.workers / shared - self.throughput) * self.weights) ** 2).sum(axis=1)
        return np.where(is_valid, sums, np.inf)


def fit_sets(workers: Floats, throughput: Floats, weights: Floats) -> Floats:
    """Returns the coefficients α, β and γ (m, 3) of m sets of throughputs.

    ``workers`` (n,) has at least three different values; ``throughput`` and ``weights``, the
    inverse of each throughput's standard deviation, are positive and of shape (m, n).
    """
    design = np.stack((np.ones_like(workers), workers - 1, workers * (workers - 1)), axis=1)
    bounds = np.zeros((len(throughput), 3))
    bounds[:, 0] = _SMALLEST_SHARE * (workers / throughput).min(axis=1)
    best, lowest = bounds, np.full(len(throughput), np.inf)
    for free in map(list, _FREE):
        fixed = bounds[:, 0] * (0 not in free)
        largest = np.abs(design[:, free]).max(axis=0)
        problem = _Problem(workers, throughput, weights, fixed, design[:, free] / largest)
        fitted = _descended(problem, _start(problem))
        found = bounds.copy()
        found[:, free] = fitted / largest
        costs = np.where((found >= bounds).all(axis=1), problem.costs(fitted), np.inf)
        is_better = costs < lowest
        lowest = np.where(is_better, costs, lowest)
        best = np.where(is_better[:, None], found, best)
    return np.stack((best[:, 1] / best[:, 0], best[:, 2] / best[:, 0], 1 / best[:, 0]), axis=1)


def _start(problem: _Problem) -> Floats:
    """Returns the parameters (m, k) of a linear fit of the denominator, where it has no pole."""
    measured = problem.workers / problem.throughput
    weights = problem.weights * problem.throughput / measured  # a ratio's error in tasks per second
    rows = problem.design * weights[:, :, None]
    found = np.stack(
        [
            np.linalg.lstsq(row, column, rcond=None)[0]
            for row, column in zip(rows, measured * weights, strict=True)
        ]
    )
    flat = np.zeros_like(found)
    flat[:, 0] = measured.mean(axis=1)
    is_valid = np.all(problem.denominators(found) > 0, axis=1)
    return np.where(is_valid[:, None], found, flat)


def _descended(problem: _Problem, found: Floats) -> Floats:
    """Returns the parameters (m, k) of the least squares near those that were found."""
    damping = np.full(len(found), 1e-3)
    costs: Floats = problem.costs(found)
    for _ in range(_MOST_STEPS):
        tried = found + _steps(problem, found, damping)
        tried_costs = problem.costs(tried)
        is_better: Flags = tried_costs < costs
        if not is_better.any() and (damping > _LARGEST_DAMPING).all():
            break
        found = np.where(is_better[:, None], tried, found)
        costs[is_better] = tried_costs[is_better]
        changed = damping * np.where(is_better, 0.1, 10.0)
        damping[:] = np.clip(changed, _SMALLEST_DAMPING, 10 * _LARGEST_DAMPING)
    return found


def _steps(problem: _Problem, found: Floats, damping: Floats) -> Floats:
    """Returns the damped Gauss-Newton steps (m, k) from parameters (m, k)."""
    shared = problem.denominators(found)
    residuals = (problem.workers / shared - problem.throughput) * problem.weights
    slopes = (-problem.weights * problem.workers / shared**2)[:, :, None] * problem.design
    normal = slopes.transpose(0, 2, 1) @ slopes
    damped = normal * (1 + damping[:, None, None] * np.eye(normal.shape[1]))
    gradients = slopes.transpose(0, 2, 1) @ residuals[:, :, None]
    return -np.asarray(np.linalg.solve(damped, gradients)[:, :, 0], np.float64)

"""Pairs of runs on a machine as it is: it drifts by 8%, and its runs have a noise of 3%."""

import math

import numpy as np

from bench.analysis.rule import Floats, log_ratios

DRIFT = 0.08
NOISE = 0.03
_KEPT = 0.9
"""How much of its drift the machine still has at the next run."""
_FREEDOM = 3
"""Degrees of freedom of Student's t: one run in fifty is far off."""


def pairs(generator: np.random.Generator, count: int, worse: float) -> Floats:
    """Log ratios of ABBA pairs whose candidate takes ``worse`` (0.1 is ten percent) longer."""
    runs = 2 * count
    drift = np.empty(runs)
    drift[0] = generator.normal(0, DRIFT)
    for run in range(1, runs):
        fresh = generator.normal(0, DRIFT * math.sqrt(1 - _KEPT**2))
        drift[run] = _KEPT * drift[run - 1] + fresh
    scale = NOISE / math.sqrt(_FREEDOM / (_FREEDOM - 2))
    times = np.exp(drift + generator.standard_t(_FREEDOM, runs) * scale).reshape(count, 2)
    times[1::2] = times[1::2, ::-1]  # every second pair ran the candidate first
    return log_ratios(times[:, 0].tolist(), (times[:, 1] * (1 + worse)).tolist(), False)

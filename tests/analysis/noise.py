"""Jobs on a machine as it is: it drifts by 8%, and its runs have a noise of 3%."""

import math
from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from bench.analysis import rule
from bench.analysis.rule import Decision
from bench.arrays import Floats

DRIFT = 0.08
NOISE = 0.03
_KEPT = 0.9
"""How much of its drift the machine still has at the next run."""
_FREEDOM = 3
"""Degrees of freedom of Student's t: one run in fifty is far off."""
_SHARED = 0.5
"""Of a run's noise: what several metrics of the same run have in common, as a variance."""


def runs(generator: np.random.Generator, count: int, metrics: int = 1) -> Floats:
    """(count, metrics) logarithms of what runs in a row take, by drift and noise alone."""
    first, *fresh = (generator.standard_normal(count) * DRIFT).tolist()
    steps = (first, *(math.sqrt(1 - _KEPT**2) * each for each in fresh))
    drift = np.array(list(accumulate(steps, lambda before, step: _KEPT * before + step)))
    scale = NOISE / math.sqrt(_FREEDOM / (_FREEDOM - 2))
    shared = generator.standard_t(_FREEDOM, (count, 1)) * scale
    if metrics == 1:
        return drift[:, None] + shared
    own = generator.standard_t(_FREEDOM, (count, metrics)) * scale
    return drift[:, None] + math.sqrt(_SHARED) * shared + math.sqrt(1 - _SHARED) * own


def abba(times: Floats) -> Floats:
    """(pairs, metrics) log ratios of runs in a row, taken as AB, BA, AB, …"""
    ratios = times[1::2] - times[0::2]
    ratios[1::2] *= -1  # every second pair ran the candidate first
    return ratios


def pairs(generator: np.random.Generator, count: int, worse: float) -> Floats:
    """(count,) log ratios of ABBA pairs whose candidate takes ``worse`` (0.1 is 10%) longer."""
    return abba(runs(generator, 2 * count))[:, 0] + math.log1p(worse)


def blocks(generator: np.random.Generator, count: int, worse: float) -> Floats:
    """The same for all runs of the base first, and then all of the candidate."""
    times = runs(generator, 2 * count)[:, 0]
    return times[count:] - times[:count] + math.log1p(worse)


def job(
    generator: np.random.Generator, count: int, worse: Sequence[float], noise_pairs: int = 3
) -> list[Decision]:
    """A whole job, as 'bench ab' does it: the base against itself, the margins that follow, and
    the pairs, for as many metrics as there are true changes."""
    times = runs(generator, 2 * (noise_pairs + count), len(worse))
    base, measured = times[: 2 * noise_pairs], abba(times[2 * noise_pairs :])
    alone = base[1::2] - base[0::2]
    family = []
    for metric, change in enumerate(worse):
        floor = rule.noise_floor(alone[:, metric], count)
        family.append((measured[:, metric] + math.log1p(change), max(rule.MARGIN, floor)))
    return [each.decision for each in rule.decide_together(family)]

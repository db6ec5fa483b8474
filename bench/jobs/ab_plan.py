"""Decides the number of pairs and the length of each run, before the first pair is measured.

The plan never changes afterwards: adding pairs until the figures please makes false alarms likely.
"""

import math

import msgspec

from bench.analysis import rule
from bench.errors import UsageError
from bench.units import format_duration

WANTED_PAIRS = 10
NOISE_PAIRS = 3
OVERHEAD_S = 1.5
"""Time of a run beyond its enqueueing: starting server and processes, clocks, drain, record."""
SHORTEST_RUN_S = 4.0
"""Shortest enqueueing time: below it, warm-up and start are much of what is measured."""


class PairPlan(msgspec.Struct, frozen=True):
    """Number and length of a job's runs. A pair is two runs."""

    noise_pairs: int
    pairs: int
    run_s: float
    """Time of a whole run, from start to end."""
    duration_s: float | None = None
    """Enqueueing time of every run where the budget asks for less than the scenario, else None."""

    @property
    def runs(self) -> int:
        """Number of runs of both phases."""
        return 2 * (self.noise_pairs + self.pairs)

    @property
    def estimate_s(self) -> float:
        """Time of the whole job if no run has to be repeated."""
        return self.runs * self.run_s


def make_plan(
    budget_s: float,
    run_s: float,
    duration_s: float | None,
    metrics: int,
    noise_pairs: int,
    pairs: int | None,
) -> PairPlan:
    """Fit a job into a budget: full runs if ten pairs fit, shorter runs if not, then fewer pairs.

    ``run_s`` is the time of a whole run. ``duration_s`` is the part of it that is enqueueing and
    may be shortened, None where nothing may. ``metrics`` is the number of gated metrics. ``pairs``,
    when given, overrules the budget. Raises UsageError when the budget does not hold the fewest
    pairs that can prove a difference.
    """
    if pairs is not None:
        return PairPlan(noise_pairs, pairs, run_s)
    runs = 2 * (noise_pairs + WANTED_PAIRS)
    if runs * run_s <= budget_s:
        return PairPlan(noise_pairs, WANTED_PAIRS, run_s)
    shorter_s = None
    if duration_s is not None:
        overhead_s = run_s - duration_s
        fitting_s = math.floor((budget_s / runs - overhead_s) * 2) / 2
        shorter_s = min(max(fitting_s, SHORTEST_RUN_S), duration_s)
        run_s = shorter_s + overhead_s
    fit = min(math.floor(budget_s / run_s / 2 + 1e-9) - noise_pairs, WANTED_PAIRS)
    fewest = rule.fewest_pairs(metrics)
    if fit < fewest:
        needed_s = 2 * (noise_pairs + fewest) * run_s
        raise UsageError(
            f"a budget of {format_duration(budget_s)} is too small: {fewest} pairs, the fewest that"
            f" can prove anything here, take about {format_duration(needed_s)}: give --budget"
            f" {math.ceil(needed_s / 60)}m, or a shorter --duration"
        )
    return PairPlan(noise_pairs, fit, run_s, shorter_s)

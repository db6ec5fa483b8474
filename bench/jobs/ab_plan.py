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


_OVERRUN = 0.1
"""Share of the budget by which a pair may exceed it: runs are not all equally long."""
_MOST_OVERRUN = 0.25
"""Share by which the fewest pairs that can prove something may exceed the budget."""


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


def most_made_up_for(planned: int) -> int:
    """Returns the most pairs that are measured beyond so many planned ones, in place of those that
    are not valid or void."""
    return math.ceil(planned / 2)


def has_time_for(number: int, spent_s: float, pair_s: float, budget_s: float, fewest: int) -> bool:
    """Returns whether the pair with that number, from 1, may begin ``spent_s`` after the first run.

    ``pair_s`` is the time of a pair as measured so far.
    """
    overrun = _OVERRUN if number > fewest else _MOST_OVERRUN
    return spent_s + pair_s <= budget_s * (1 + overrun)


def after_noise(
    plan: PairPlan, spent_s: float, noise_left: int, run_s: float, budget_s: float, metrics: int
) -> PairPlan:
    """Returns the plan for runs that take ``run_s``, as measured while the base is compared with
    itself: with fewer pairs where those that were planned would not fit into the budget.

    ``noise_left`` is the number of noise runs that are still to be made. Raises UsageError as soon
    as the fewest pairs that can prove a difference would exceed the budget by far.
    """
    fewest = rule.fewest_pairs(metrics)
    spent_s += noise_left * run_s
    needed_s = spent_s + 2 * fewest * run_s
    if needed_s > budget_s * (1 + _MOST_OVERRUN):
        raise UsageError(
            f"a budget of {format_duration(budget_s)} is too small: a run takes "
            f"{format_duration(run_s)} here, and {fewest} pairs are the fewest that can prove "
            f"anything: give --budget {math.ceil(needed_s / 60)}m, or a shorter --duration"
        )
    fit = math.floor((budget_s * (1 + _OVERRUN) - spent_s) / (2 * run_s))
    return msgspec.structs.replace(plan, pairs=min(plan.pairs, max(fit, fewest)), run_s=run_s)

"""How thoroughly to search, given the time: longer trials for a larger budget."""

import math
from collections.abc import Sequence
from itertools import pairwise

from bench.analysis.capacity.search import Goal
from bench.errors import UsageError
from bench.records.capacity_record import Effort
from bench.units import format_duration

OVERHEAD_S = 2.5
"""Of a trial, beyond its load: server and processes up, clocks, drain, record."""
SHORTEST_S = 3.0
"""Of a trial's load: below it, start and warm-up are much of what is seen."""
LONGEST_S = 60.0
_SHORT_TRIALS, _FULL_TRIALS = 9, 5
"""What a search usually takes: to come near and to look into gaps, and to prove both bounds."""
_EXCEED_RATIO = 0.33
_SUM = 4
"""Full trials that a bound rests on: three good ones with at most one bad, or two bad ones."""


def effort_for(budget_s: float, levels: int, held_out: int, width: float) -> Effort:
    """Trials that fit a budget for so many levels, and those that are held out.

    Raises UsageError when not even short ones do.
    """
    share_s = budget_s / (levels + held_out)
    # Short trials take half as long; one more shows how fast the workers are at all.
    trials = _SHORT_TRIALS + _FULL_TRIALS + 1
    final_s = (share_s - trials * OVERHEAD_S) / (_FULL_TRIALS + (_SHORT_TRIALS + 1) / 2)
    if final_s < SHORTEST_S:
        least_s = trials * OVERHEAD_S + SHORTEST_S * (_FULL_TRIALS + (_SHORT_TRIALS + 1) / 2)
        needed_s = least_s * (levels + held_out)
        raise UsageError(
            f"a budget of {format_duration(budget_s)} is too small: {levels} levels, and {held_out}"
            f" to check the model with, take {format_duration(needed_s)} at the least: give "
            f"--budget {math.ceil(needed_s / 60)}m, or fewer levels"
        )
    final_s = min(math.floor(final_s * 2) / 2, LONGEST_S)
    return Effort(
        budget_s=budget_s,
        initial_s=max(final_s / 2, 2.0),
        final_s=final_s,
        sum_s=_SUM * final_s,
        exceed_ratio=_EXCEED_RATIO,
        width=width,
    )


def goal_of(effort: Effort) -> Goal:
    """The search's goal."""
    return Goal(
        initial_s=effort.initial_s,
        final_s=effort.final_s,
        sum_s=effort.sum_s,
        exceed_ratio=effort.exceed_ratio,
        width=effort.width,
    )


def held_out_levels(asked: Sequence[int]) -> list[int]:
    """Levels to predict before measuring them: one inside of those asked, one beyond.

    None where the levels are too few to fit anything.
    """
    known = sorted(set(asked))
    if len(known) < 3:
        return []
    inside = [
        (above - below, (below + above) // 2)
        for below, above in pairwise(known)
        if above - below > 1
    ]
    beyond = math.ceil(known[-1] * 1.5)
    return [*([max(inside)[1]] if inside else []), beyond]

"""How thoroughly to search in a given time: a larger budget makes longer trials."""

import math
from collections.abc import Sequence
from itertools import pairwise

from bench.analysis.capacity.search import Goal
from bench.errors import UsageError
from bench.records.capacity_record import Effort
from bench.units import format_duration

OVERHEAD_S = 2.0
"""Time that a trial is assumed to take beyond its load, before the first was made: starting,
synchronising clocks, draining, saving."""
SHORTEST_S = 3.0
"""Shortest load of a full trial; in a shorter one, start and warm-up would dominate."""
LONGEST_S = 60.0
"""Longest load of a full trial."""
_SHORT_TRIALS, _FULL_TRIALS = 9, 5
"""Trials that a level usually takes: short ones to narrow the range and to check gaps, and full
ones to prove both bounds."""
_EXCEED_RATIO = 0.33
_SUM = 4
"""Full trials that a bound is based on: three good ones with at most one bad, or two bad ones."""


def effort_for(budget_s: float, levels: int, held_out: int, width: float) -> Effort:
    """Returns trial lengths that fit a budget of seconds.

    ``levels`` were requested and ``held_out`` more check the model; ``width`` is how close the two
    bounds of a level must come, as a share. Raises UsageError when the budget is too small even for
    the shortest trials.
    """
    # Short trials take half as long. One more at each level measures its saturation. Before all of
    # them a queue is filled, which is short, and after them a full trial checks the latency.
    trials = (_SHORT_TRIALS + _FULL_TRIALS + 1) * (levels + held_out) + 2
    full = (_FULL_TRIALS + (_SHORT_TRIALS + 1) / 2) * (levels + held_out) + 1.5
    final_s = (budget_s - trials * OVERHEAD_S) / full
    if final_s < SHORTEST_S:
        raise _too_small(budget_s, trials * OVERHEAD_S + full * SHORTEST_S, levels, held_out)
    final_s = min(math.floor(final_s * 2) / 2, LONGEST_S)
    return Effort(
        budget_s=budget_s,
        initial_s=max(final_s / 2, 2.0),
        final_s=final_s,
        sum_s=_SUM * final_s,
        exceed_ratio=_EXCEED_RATIO,
        width=width,
    )


def _too_small(budget_s: float, needed_s: float, levels: int, held_out: int) -> UsageError:
    counted = f"{levels} level{'' if levels == 1 else 's'}"
    if held_out:
        counted += f", and {held_out} more to check the model,"
    return UsageError(
        f"a budget of {format_duration(budget_s)} is too small: {counted} "
        f"take{'s' if levels == 1 and not held_out else ''} at least "
        f"{format_duration(needed_s)}; use --budget {math.ceil(needed_s / 60)}m"
        f"{', or fewer levels' if levels > 1 else ''}"
    )


def goal_of(effort: Effort) -> Goal:
    """Returns the goal of a level's search, from the effort that its record holds."""
    return Goal(
        initial_s=effort.initial_s,
        final_s=effort.final_s,
        sum_s=effort.sum_s,
        exceed_ratio=effort.exceed_ratio,
        width=effort.width,
    )


def held_out_levels(asked: Sequence[int]) -> list[int]:
    """Returns levels to predict before they are measured, to check the scaling law.

    One lies within the requested levels, in their widest gap, and one beyond them. Empty for fewer
    than three levels, which are too few to fit a law.
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

"""The highest load that holds: a search in the manner of MLRsearch (draft-ietf-bmwg-mlrsearch).

A trial offers a load for a while, and is good or bad. What a load is worth follows from all its
trials: it is a *lower bound* once bad trials cannot make up more than the exceed ratio of the
duration sum any more, an *upper bound* once they must; short trials may warn of a bad load, and
prove no good one. Wanted is the relevant lower bound: the largest lower bound below the smallest
upper bound, as a load that holds above one that does not is luck.

The search has no clock and runs nothing: it says which trial comes next, given those before.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

_ROUNDED = 1.01
"""Who asks for the trials may round the loads by so much."""


@dataclass(frozen=True)
class Goal:
    """What the search is after. Times in seconds; the rest are shares and factors.

    ``width`` is how far the bounds may lie apart, as a share of the upper one. A system can fail at
    one load and hold at a higher one: so below the bound found, down to its ``reach``-th part, no
    two loads that were tried may lie further apart than by a factor of ``gap``.
    """

    initial_s: float = 10.0
    final_s: float = 60.0
    sum_s: float = 180.0
    exceed_ratio: float = 0.33
    width: float = 0.05
    expansion: float = 2.0
    gap: float = 1.4
    reach: float = 3.0


@dataclass(frozen=True)
class Trial:
    """A load in tasks a second, how long it was offered, and whether it held."""

    load: float
    duration_s: float
    good: bool


class Kind(StrEnum):
    """What a load's trials prove."""

    LOWER = "lower bound"
    UPPER = "upper bound"
    OPEN = "open"


@dataclass(frozen=True)
class Wanted:
    """The next trial."""

    load: float
    duration_s: float


@dataclass(frozen=True)
class Bounds:
    """Between which loads the limit lies. ``lower`` is None where no load held, ``upper`` where
    none failed; ``is_settled`` says whether both are proven, and close enough."""

    lower: float | None
    upper: float | None
    is_settled: bool


def classify(trials: Sequence[Trial], goal: Goal) -> Kind:
    """What the trials of one load prove."""
    full = [trial for trial in trials if trial.duration_s >= goal.final_s]
    short = [trial for trial in trials if trial.duration_s < goal.final_s]
    good_s = _seconds(full, good=True)
    # Short good trials only excuse as many short bad ones as the exceed ratio allows.
    excused_s = _seconds(short, good=True) * goal.exceed_ratio / (1 - goal.exceed_ratio)
    bad_s = _seconds(full, good=False) + max(_seconds(short, good=False) - excused_s, 0.0)
    whole_s = max(good_s + bad_s, goal.sum_s)
    if bad_s / whole_s > goal.exceed_ratio:
        return Kind.UPPER
    missing_s = whole_s - good_s - bad_s
    return Kind.LOWER if (bad_s + missing_s) / whole_s <= goal.exceed_ratio else Kind.OPEN


def next_step(
    trials: Sequence[Trial], goal: Goal, first: float, lowest: float, highest: float
) -> Wanted | Bounds:
    """The next trial, or the bounds once they are found.

    ``first`` is the load to begin with; no load outside of ``lowest`` and ``highest`` is tried.
    """
    at = _by_load(trials)
    if not at:
        return Wanted(min(max(first, lowest), highest), goal.initial_s)
    lower, upper = _relevant(at, goal)
    if upper is None:
        return _without_upper(at, goal, lower, lowest, highest)
    return (
        _doubted(at, goal, upper)
        or _narrowed(at, goal, lower, upper, lowest)
        or Bounds(lower, upper, is_settled=True)
    )


def _doubted(at: dict[float, list[Trial]], goal: Goal, upper: float) -> Wanted | None:
    """Another trial of a load that failed below one that held, before anything is looked for below
    it: it may have been a moment's trouble."""
    held_above = any(load > upper and _leans_good(made, goal) for load, made in at.items())
    return _confirmed(at, goal, upper) if held_above else None


def _narrowed(
    at: dict[float, list[Trial]], goal: Goal, lower: float | None, upper: float, lowest: float
) -> Wanted | None:
    """What brings the bounds nearer to each other, or proves them; None when they are found."""
    if lower is None:
        if upper > lowest:
            return Wanted(max(upper / goal.expansion, lowest), goal.initial_s)
        return _confirmed(at, goal, upper)
    if (upper - lower) / upper > goal.width:
        is_near = (upper - lower) / upper <= 2 * goal.width
        return Wanted(math.sqrt(lower * upper), goal.final_s if is_near else goal.initial_s)
    return (
        _confirmed(at, goal, upper)
        or _confirmed(at, goal, lower)
        or _in_a_gap(at, goal, lower, lowest)
    )


def closing_step(trials: Sequence[Trial], goal: Goal) -> Wanted | None:
    """For a search whose time is over: a trial that helps to prove a lower bound, where none is.

    It looks for no better one. None when there is one, or nothing leans to being one.
    """
    if bounds(trials, goal).lower is not None:
        return None
    lower, _ = _relevant(_by_load(trials), goal)
    return None if lower is None else Wanted(lower, goal.final_s)


def bounds(trials: Sequence[Trial], goal: Goal) -> Bounds:
    """How far the trials so far have come, where the search had to end early.

    Only what is proven is called safe; a load that a trial or two speak against, without proving
    it, takes nothing away from that, but the search is not settled.
    """
    at = _by_load(trials)
    kinds = {load: classify(made, goal) for load, made in at.items()}
    proven = min((load for load, kind in kinds.items() if kind is Kind.UPPER), default=math.inf)
    lower = max(
        (load for load, kind in kinds.items() if kind is Kind.LOWER and load < proven),
        default=None,
    )
    bad = [load for load, made in at.items() if not _leans_good(made, goal)]
    upper = min((load for load in bad if lower is None or load > lower), default=None)
    return Bounds(lower, upper, is_settled=False)


def _without_upper(
    at: dict[float, list[Trial]],
    goal: Goal,
    lower: float | None,
    lowest: float,
    highest: float,
) -> Wanted | Bounds:
    if lower is None:
        raise ValueError("every load leans to one side")
    if lower < highest:
        return Wanted(min(lower * goal.expansion, highest), goal.initial_s)
    return (
        _confirmed(at, goal, lower)
        or _in_a_gap(at, goal, lower, lowest)
        or Bounds(lower, None, is_settled=True)
    )


def _confirmed(at: dict[float, list[Trial]], goal: Goal, load: float) -> Wanted | None:
    """Another full trial of a bound that is not proven yet; None once it is."""
    return Wanted(load, goal.final_s) if classify(at[load], goal) is Kind.OPEN else None


def _in_a_gap(
    at: dict[float, list[Trial]], goal: Goal, lower: float, lowest: float
) -> Wanted | None:
    """A load in the uppermost wide gap below the bound, as far down as the goal reaches."""
    load = lower
    while load > max(lower / goal.reach, lowest):
        below = max((each for each in at if each < load), default=0.0)
        if below * goal.gap * _ROUNDED < load:
            return Wanted(max(load / goal.gap, math.sqrt(below * load), lowest), goal.initial_s)
        load = below
    return None


def _relevant(at: dict[float, list[Trial]], goal: Goal) -> tuple[float | None, float | None]:
    """The largest load that leans good below the smallest that leans bad, and that one."""
    upper = min((load for load in at if not _leans_good(at[load], goal)), default=None)
    lower = max((load for load in at if upper is None or load < upper), default=None)
    return lower, upper


def _leans_good(trials: Sequence[Trial], goal: Goal) -> bool:
    """What a load's trials suggest, proven or not; full trials outweigh short ones."""
    kind = classify(trials, goal)
    if kind is not Kind.OPEN:
        return kind is Kind.LOWER
    full = [trial for trial in trials if trial.duration_s >= goal.final_s] or trials
    bad_s = _seconds(full, good=False)
    return bad_s <= goal.exceed_ratio * (bad_s + _seconds(full, good=True))


def _by_load(trials: Sequence[Trial]) -> dict[float, list[Trial]]:
    at: dict[float, list[Trial]] = {}
    for trial in trials:
        at.setdefault(trial.load, []).append(trial)
    return at


def _seconds(trials: Sequence[Trial], *, good: bool) -> float:
    return math.fsum(trial.duration_s for trial in trials if trial.good is good)

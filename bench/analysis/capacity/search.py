"""Search for the highest load that meets all objectives, after MLRsearch.

Source: draft-ietf-bmwg-mlrsearch. A trial offers a load for a while, and is good or bad. All trials
of a load together classify it: it is a *lower bound* once bad trials can no longer exceed the
exceed ratio of the duration sum, and an *upper bound* once they must. Short trials can show that a
load is bad, but not that it is good. The result is the relevant lower bound: the largest lower
bound below the smallest upper bound, because a good load above a bad one may be luck.

The search has no clock and runs nothing: given the trials so far, it returns the next one.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

_ROUNDED = 1.01
"""Factor by which a caller may have rounded the loads of trials."""


@dataclass(frozen=True)
class Goal:
    """The precision that a search must reach."""

    initial_s: float = 10.0
    """Length of a short trial."""
    final_s: float = 60.0
    """Length of a full trial."""
    sum_s: float = 180.0
    """Total length of the trials that classify a load."""
    exceed_ratio: float = 0.33
    """Share of ``sum_s`` that may be bad."""
    width: float = 0.05
    """Allowed distance between the bounds, as a share of the upper one."""
    expansion: float = 2.0
    """Factor between loads while one bound is missing."""
    gap: float = 1.4
    """Largest factor between neighbouring loads below the bound: a system can fail at one load and
    pass at a higher one."""
    reach: float = 3.0
    """How far below the bound ``gap`` must hold, as a factor."""


@dataclass(frozen=True)
class Trial:
    """A load in tasks per second, how long it was offered, and whether it met all objectives."""

    load: float
    duration_s: float
    good: bool


class BoundKind(StrEnum):
    """What the trials of a load prove."""

    LOWER = "lower bound"
    UPPER = "upper bound"
    OPEN = "open"


@dataclass(frozen=True)
class WantedTrial:
    """The next trial to run: a load in tasks per second, and its length."""

    load: float
    duration_s: float


@dataclass(frozen=True)
class Bounds:
    """The loads between which the limit lies, in tasks per second.

    ``lower`` is None where no load passed, ``upper`` where none failed. ``is_settled`` tells
    whether both are proven and close enough.
    """

    lower: float | None
    upper: float | None
    is_settled: bool


def classify(trials: Sequence[Trial], goal: Goal) -> BoundKind:
    """Returns what the trials of one load prove."""
    full = [trial for trial in trials if trial.duration_s >= goal.final_s]
    short = [trial for trial in trials if trial.duration_s < goal.final_s]
    good_s = _seconds(full, good=True)
    # Short good trials offset only as many short bad ones as the exceed ratio allows.
    excused_s = _seconds(short, good=True) * goal.exceed_ratio / (1 - goal.exceed_ratio)
    bad_s = _seconds(full, good=False) + max(_seconds(short, good=False) - excused_s, 0.0)
    whole_s = max(good_s + bad_s, goal.sum_s)
    if bad_s / whole_s > goal.exceed_ratio:
        return BoundKind.UPPER
    missing_s = whole_s - good_s - bad_s
    return BoundKind.LOWER if (bad_s + missing_s) / whole_s <= goal.exceed_ratio else BoundKind.OPEN


def next_step(
    trials: Sequence[Trial], goal: Goal, first: float, lowest: float, highest: float
) -> WantedTrial | Bounds:
    """Returns the next trial, or the bounds once they are found.

    ``first`` is the load to start with; no load outside ``lowest`` and ``highest`` is tested.
    """
    at = _by_load(trials)
    if not at:
        return WantedTrial(min(max(first, lowest), highest), goal.initial_s)
    lower, upper = _relevant(at, goal)
    if upper is None:
        return _without_upper(at, goal, lower, lowest, highest)
    return (
        _recheck(at, goal, upper)
        or _narrowing(at, goal, lower, upper, lowest)
        or Bounds(lower, upper, is_settled=True)
    )


def _recheck(at: dict[float, list[Trial]], goal: Goal, upper: float) -> WantedTrial | None:
    """Returns another trial of a load that failed below one that passed; None where there is none.

    The failure may have been a brief disturbance, so it is confirmed before lower loads are tested.
    """
    held_above = any(load > upper and _seems_good(made, goal) for load, made in at.items())
    return _confirmed(at, goal, upper) if held_above else None


def _narrowing(
    at: dict[float, list[Trial]], goal: Goal, lower: float | None, upper: float, lowest: float
) -> WantedTrial | None:
    """Returns a trial that narrows or proves the bounds; None when they are found."""
    if lower is None:
        if upper > lowest:
            return WantedTrial(max(upper / goal.expansion, lowest), goal.initial_s)
        return _confirmed(at, goal, upper)
    if (upper - lower) / upper > goal.width:
        is_near = (upper - lower) / upper <= 2 * goal.width
        return WantedTrial(math.sqrt(lower * upper), goal.final_s if is_near else goal.initial_s)
    return (
        _confirmed(at, goal, upper)
        or _confirmed(at, goal, lower)
        or _in_a_gap(at, goal, lower, lowest)
    )


def closing_step(
    trials: Sequence[Trial], goal: Goal, most_trials: float = math.inf
) -> WantedTrial | None:
    """Returns a trial that helps to prove a lower bound, for a search whose time is nearly up.

    It does not look for a better bound. Of the loads that seem good it takes the highest that
    ``most_trials`` more full trials can prove, or the highest of all where they can prove none.
    None where a lower bound is proven, or no load seems good.
    """
    if bounds(trials, goal).lower is not None:
        return None
    loads = promising(trials, goal)
    provable = [
        load for load in loads if trials_to_prove(_by_load(trials)[load], goal) <= most_trials
    ]
    load = max(provable or loads, default=None)
    return None if load is None else WantedTrial(load, goal.final_s)


def promising(trials: Sequence[Trial], goal: Goal) -> list[float]:
    """Returns the loads that seem good, below every load that seems bad, the lowest first."""
    at = _by_load(trials)
    highest, _ = _relevant(at, goal)
    return [] if highest is None else sorted(load for load in at if load <= highest)


def trials_to_prove(trials: Sequence[Trial], goal: Goal) -> int:
    """Returns how many more full trials, all of them good, make a load a lower bound."""
    load = trials[0].load
    more: list[Trial] = []
    while classify([*trials, *more], goal) is not BoundKind.LOWER:
        more.append(Trial(load, goal.final_s, good=True))
    return len(more)


def bounds(trials: Sequence[Trial], goal: Goal) -> Bounds:
    """Returns the bounds that the trials show so far, for a search that ends early.

    Only a proven load becomes the lower bound. Unproven bad loads above it bound it from above but
    do not invalidate it, and the bounds are not settled.
    """
    at = _by_load(trials)
    kinds = {load: classify(made, goal) for load, made in at.items()}
    proven = min(
        (load for load, kind in kinds.items() if kind is BoundKind.UPPER), default=math.inf
    )
    lower = max(
        (load for load, kind in kinds.items() if kind is BoundKind.LOWER and load < proven),
        default=None,
    )
    bad = [load for load, made in at.items() if not _seems_good(made, goal)]
    upper = min((load for load in bad if lower is None or load > lower), default=None)
    return Bounds(lower, upper, is_settled=False)


def _without_upper(
    at: dict[float, list[Trial]],
    goal: Goal,
    lower: float | None,
    lowest: float,
    highest: float,
) -> WantedTrial | Bounds:
    if lower is None:
        raise ValueError("a search without an upper bound needs a good load")
    if lower < highest:
        return WantedTrial(min(lower * goal.expansion, highest), goal.initial_s)
    return (
        _confirmed(at, goal, lower)
        or _in_a_gap(at, goal, lower, lowest)
        or Bounds(lower, None, is_settled=True)
    )


def _confirmed(at: dict[float, list[Trial]], goal: Goal, load: float) -> WantedTrial | None:
    """Returns another full trial of a bound that is not proven yet; None once it is."""
    return WantedTrial(load, goal.final_s) if classify(at[load], goal) is BoundKind.OPEN else None


def _in_a_gap(
    at: dict[float, list[Trial]], goal: Goal, lower: float, lowest: float
) -> WantedTrial | None:
    """Returns a trial in the highest wide gap below the bound, within the goal's reach, or None."""
    load = lower
    while load > max(lower / goal.reach, lowest):
        below = max((each for each in at if each < load), default=0.0)
        if below * goal.gap * _ROUNDED < load:
            return WantedTrial(
                max(load / goal.gap, math.sqrt(below * load), lowest), goal.initial_s
            )
        load = below
    return None


def _relevant(at: dict[float, list[Trial]], goal: Goal) -> tuple[float | None, float | None]:
    """Returns the largest seemingly good load below the smallest seemingly bad one, and both."""
    upper = min((load for load in at if not _seems_good(at[load], goal)), default=None)
    lower = max((load for load in at if upper is None or load < upper), default=None)
    return lower, upper


def _seems_good(trials: Sequence[Trial], goal: Goal) -> bool:
    """Returns whether the trials suggest a good load; full trials outweigh short ones."""
    kind = classify(trials, goal)
    if kind is not BoundKind.OPEN:
        return kind is BoundKind.LOWER
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

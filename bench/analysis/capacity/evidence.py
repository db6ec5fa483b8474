"""What the trials of a search show: the best rate that is known, and why the search ended."""

from dataclasses import dataclass
from typing import Literal

from bench.analysis.capacity.effort import goal_of
from bench.analysis.capacity.search import Trial, promising
from bench.records.capacity_record import CapacityRecord, TrialRow

Ending = Literal["", "finished", "budget", "interrupted", "failed"]
"""Why a search is not going on, as its record says it."""


@dataclass(frozen=True)
class HeldRate:
    """A rate in tasks per second that held, proven or not, with a number of workers or slots."""

    units: int
    rate_per_s: float
    good: int
    """How many of its trials were good."""
    made: int
    """How many trials it had."""
    is_proven: bool
    """Whether it is the proven lower bound of its level."""
    fails_below: float | None
    """Highest lower rate that seems to fail, in tasks per second; None where there is none."""


def search_trials(record: CapacityRecord, units: int) -> list[Trial]:
    """Returns the trials that looked for the limit of one level, in the order of the record."""
    return [
        Trial(each.rate_per_s, each.duration_s, each.good)
        for each in record.trials
        if each.units == units and each.purpose == "search" and each.rate_per_s is not None
    ]


def saturation_trial(record: CapacityRecord, units: int) -> TrialRow | None:
    """Returns the trial whose throughput is the saturation of a level; None without any.

    That is the trial with saturated workers, unless a higher rate than it completed was offered and
    held: then something slowed the workers down, and the highest such rate counts. What a trial
    happened to complete beyond its rate does not: the most of many trials is too much by chance.
    """
    made = [each for each in record.trials if each.units == units and each.completed_per_s]
    full = next((each for each in made if each.purpose == "saturation"), None)
    if full is None or full.completed_per_s is None:
        return None
    higher = [
        each
        for each in made
        if each.purpose == "search" and each.good and _rate(each) > full.completed_per_s
    ]
    return max(higher, key=_rate, default=full)


def _rate(trial: TrialRow) -> float:
    return trial.rate_per_s or 0.0


def held_rate(record: CapacityRecord, units: int, proven: float | None) -> HeldRate | None:
    """Returns the highest rate of a level that held in its trials; None where none did.

    That is the ``proven`` lower bound where there is one, else the highest rate that seems to hold
    below all that seem to fail, else the highest all of whose trials were good.
    """
    trials = search_trials(record, units)
    if proven is not None:
        return _held(trials, units, proven, is_proven=True)
    loads = promising(trials, goal_of(record.effort))
    if not loads:
        bad = {each.load for each in trials if not each.good}
        loads = sorted({each.load for each in trials} - bad)
    return _held(trials, units, loads[-1], is_proven=False) if loads else None


def best_held(record: CapacityRecord) -> HeldRate | None:
    """Returns the highest rate that held at any requested level; None where none did.

    A proven rate comes before any that is not.
    """
    rates = [
        held
        for level in record.levels
        if not level.is_held_out
        and (held := held_rate(record, level.units, level.lower_per_s)) is not None
    ]
    return max(rates, key=lambda each: (each.is_proven, each.rate_per_s), default=None)


def ending(record: CapacityRecord) -> Ending:
    """Returns why a search is not going on; empty for one that never got as far as to say it."""
    if record.ended:
        return record.ended
    if not record.is_complete:
        return "interrupted" if record.trials else ""
    return "budget" if lacks_time(record) else "finished"


def lacks_time(record: CapacityRecord) -> bool:
    """Returns whether a complete search left something open: a level, or a check of its model."""
    reached = {level.units for level in record.levels}
    return (
        not reached.issuperset(record.asked)
        or any(not level.is_settled for level in record.levels)
        or any(each.measured is None and each.units not in reached for each in record.predictions)
    )


def _held(trials: list[Trial], units: int, load: float, *, is_proven: bool) -> HeldRate:
    at = [each.good for each in trials if each.load == load]
    good = {each.load for each in trials if each.good}
    bad = [each.load for each in trials if each.load < load and each.load not in good]
    return HeldRate(units, load, sum(at), len(at), is_proven, max(bad, default=None))

"""The next trial of a capacity search, from its record alone.

The order: fill a queue, which shows the memory per task and the enqueue rate; then, for each level,
a saturation run and the search for the highest sustained rate; then predictions, and the levels and
the load that check them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from bench.analysis.capacity import budget, models
from bench.analysis.capacity.effort import goal_of, held_out_levels
from bench.analysis.capacity.evidence import held_rate, saturation_trial, search_trials
from bench.analysis.capacity.scaling import Law
from bench.analysis.capacity.search import (
    Bounds,
    WantedTrial,
    bounds,
    closing_step,
    next_step,
    promising,
    trials_to_prove,
)
from bench.names import ALL_QUEUES
from bench.records import timestamps
from bench.records.capacity_record import CapacityRecord, LevelRow, Prediction, Purpose, TrialRow

_FIRST_SHARE = 0.6
"""First load of a search as a share of the saturation: one that should be sustained."""
_HIGHEST_SHARE = 1.3
"""Highest load of a search as a share of the saturation."""
_LOWEST_SHARE = 1 / 64
"""Lowest load of a search as a share of the saturation."""
LOAD_SHARE = 0.8
"""The rate whose latency is predicted, as a share of the highest sustained rate."""
_DIGITS = 3
"""Significant digits of a trial's rate."""


@dataclass(frozen=True)
class SearchStep:
    """One trial to run, with ``units`` workers or slots.

    ``rate_per_s`` is None for a trial that sends as fast as possible.
    """

    purpose: Purpose
    units: int
    rate_per_s: float | None
    duration_s: float


def next_trial(record: CapacityRecord) -> SearchStep | None:
    """Returns the next trial of a search; None when all have been run, or none fits the budget."""
    short_s, full_s = record.effort.initial_s, record.effort.final_s
    if not _was_run(record, "fill"):
        return SearchStep("fill", 0, None, short_s)
    for units in levels_to_search(record):
        if not _was_run(record, "saturation", units):
            if not budget.fits(record, short_s):
                return None
            return SearchStep("saturation", units, None, short_s)
        wanted = _search(record, units)
        if isinstance(wanted, WantedTrial):
            return SearchStep("search", units, _rounded(wanted.load), wanted.duration_s)
    loads = [each for each in record.predictions if each.kind == "load"]
    is_due = loads and not _was_run(record, "load", loads[0].units)
    if is_due and budget.fits(record, full_s):
        return SearchStep("load", loads[0].units, loads[0].rate_per_s, full_s)
    return None


def levels_to_search(record: CapacityRecord) -> list[int]:
    """Returns the requested levels, followed by the predicted ones once there are predictions."""
    predicted = [each.units for each in record.predictions if each.what == "capacity"]
    return [*sorted(set(record.asked)), *predicted]


def updated(record: CapacityRecord) -> CapacityRecord:
    """Returns the record with the levels, fit and predictions that follow from its trials.

    A prediction is made once, after all requested levels and before its own point is measured, and
    never changes afterwards except for the measured value.
    """
    levels = [_level(record, units) for units in levels_to_search(record)]
    record = msgspec.structs.replace(
        record, levels=[level for level in levels if level is not None]
    )
    if record.scaling is None and not record.predictions and _requested_are_done(record):
        law = models.law_of(record.levels)
        record = msgspec.structs.replace(
            record,
            scaling=None if law is None else models.scaling_row(law),
            predictions=_predictions(record, law),
        )
    redis = record.redis
    if redis is not None:
        ceiling = models.server_ceiling_per_s(record)
        redis = msgspec.structs.replace(redis, ceiling_per_s=ceiling or redis.ceiling_per_s)
    return msgspec.structs.replace(
        record,
        redis=redis,
        predictions=[_checked(record, each) for each in record.predictions],
    )


def _search(record: CapacityRecord, units: int) -> WantedTrial | Bounds:
    """Returns the next trial of a level, or its bounds: final ones, or those reached in time."""
    goal, trials = goal_of(record.effort), search_trials(record, units)
    saturation = _saturation(record, units) or 1.0
    first = _predicted(record, units) or saturation * _FIRST_SHARE
    step = next_step(
        trials,
        goal,
        _rounded(first),
        _rounded(saturation * _LOWEST_SHARE),
        _rounded(saturation * _HIGHEST_SHARE),
    )
    if isinstance(step, Bounds) or _has_time(record, units, step):
        return step
    left_s = budget.level_left_s(record, units, is_overtime=True)
    full_s = budget.trial_s(record, goal.final_s)
    closing = closing_step(trials, goal, left_s / full_s) if full_s <= left_s else None
    return closing or bounds(trials, goal)


def _has_time(record: CapacityRecord, units: int, step: WantedTrial) -> bool:
    """Returns whether a level's time allows a trial and, after it, the proof of a lower bound.

    What the proof takes is set aside as soon as a load seems good and none is proven.
    """
    goal, trials = goal_of(record.effort), search_trials(record, units)
    loads = promising(trials, goal)
    needed_s = budget.trial_s(record, step.duration_s)
    if loads and bounds(trials, goal).lower is None:
        best = [each for each in trials if each.load == loads[-1]]
        is_part = step == WantedTrial(loads[-1], goal.final_s)
        missing = trials_to_prove(best, goal) - is_part
        needed_s += missing * budget.trial_s(record, goal.final_s)
    return needed_s <= budget.level_left_s(record, units)


def _level(record: CapacityRecord, units: int) -> LevelRow | None:
    trials = search_trials(record, units)
    if not trials:
        return None
    found = _search(record, units)
    settled = isinstance(found, Bounds)
    now = found if isinstance(found, Bounds) else bounds(trials, goal_of(record.effort))
    held = held_rate(record, units, now.lower)
    return LevelRow(
        units=units,
        saturation_per_s=_saturation(record, units),
        lower_per_s=now.lower,
        upper_per_s=now.upper,
        is_settled=settled and now.is_settled,
        is_held_out=units not in record.asked,
        limit=_limit(record, units, now.upper),
        held_per_s=None if held is None else held.rate_per_s,
        held_trials=None if held is None else (held.good, held.made),
    )


def _limit(record: CapacityRecord, units: int, upper: float | None) -> str:
    """Returns how the lowest failing load failed; empty where no load failed."""
    failed = [
        each
        for each in record.trials
        if each.units == units and each.purpose == "search" and each.rate_per_s == upper
    ]
    bad = [each for each in failed if not each.good]
    if not bad or upper is None:
        return ""
    text = bad[-1].reason
    saturation = _saturation(record, units)
    if saturation:
        text += f", at {upper / saturation:.0%} of saturation"
    if any(each.attribution.startswith(("server", "generator")) for each in bad):
        text += f"; {bad[-1].attribution}"
    return text


def _requested_are_done(record: CapacityRecord) -> bool:
    return _was_run(record, "fill") and all(
        _was_run(record, "saturation", units) and isinstance(_search(record, units), Bounds)
        for units in set(record.asked)
    )


def _predictions(record: CapacityRecord, law: Law | None) -> list[Prediction]:
    now = timestamps.now()
    capacities = (
        []
        if law is None
        else [
            _capacity(law, units, units < max(record.asked), now)
            for units in held_out_levels(record.asked)
        ]
    )
    latency = _latency(record, now)
    return capacities if latency is None else [*capacities, latency]


def _capacity(law: Law, units: int, is_inside: bool, now: str) -> Prediction:
    band = law.predict(units)
    return Prediction(
        what="capacity",
        kind="interior" if is_inside else "extrapolated",
        units=units,
        rate_per_s=None,
        value=band.value,
        low=band.low,
        high=band.high,
        made_at=now,
    )


def _latency(record: CapacityRecord, now: str) -> Prediction | None:
    """Returns the prediction of p99 at 80% of the highest sustained rate; None without a model."""
    best = models.best_level(record)
    if best is None or record.service is None or best.saturation_per_s is None:
        return None
    rate = _rounded(LOAD_SHARE * (best.lower_per_s or 0.0))
    band = models.latency_at(record.service, best.units, best.saturation_per_s, rate)
    if not math.isfinite(band.high_s):
        return None
    return Prediction(
        what="e2e.p99",
        kind="load",
        units=best.units,
        rate_per_s=rate,
        value=band.value_s,
        low=band.low_s,
        high=band.high_s,
        made_at=now,
    )


def _checked(record: CapacityRecord, prediction: Prediction) -> Prediction:
    """Returns the prediction with its measured value, once its point has been measured."""
    if prediction.measured is not None:
        return prediction
    now = timestamps.now()
    if prediction.what == "e2e.p99":
        made = [each for each in record.trials if each.purpose == "load"]
        value = made[-1].e2e_s.get(ALL_QUEUES, {}).get("p99") if made else None
        if value is None:
            return prediction
        sure = made[-1].e2e_confidence.get(ALL_QUEUES, {}).get("p99")
        return msgspec.structs.replace(
            prediction, measured=value, measured_at=now, measured_confidence=sure
        )
    level = models.level_of(record, prediction.units)
    is_done = level is not None and isinstance(_search(record, prediction.units), Bounds)
    if not is_done or level is None or level.lower_per_s is None or level.upper_per_s is None:
        return prediction
    return msgspec.structs.replace(
        prediction,
        measured=(level.lower_per_s + level.upper_per_s) / 2,
        measured_low=level.lower_per_s,
        measured_high=level.upper_per_s,
        measured_at=now,
    )


def _predicted(record: CapacityRecord, units: int) -> float | None:
    """Returns the first load for a predicted level: one that it should just sustain."""
    capacity = (each for each in record.predictions if each.what == "capacity")
    value = next((each.value for each in capacity if each.units == units), None)
    return None if value is None else value * (1 - record.effort.width)


def _saturation(record: CapacityRecord, units: int) -> float | None:
    found = saturation_trial(record, units)
    return None if found is None else found.completed_per_s


def _was_run(record: CapacityRecord, purpose: Purpose, units: int = 0) -> bool:
    return bool(_of(record, purpose, units))


def _of(record: CapacityRecord, purpose: Purpose, units: int) -> Sequence[TrialRow]:
    return [each for each in record.trials if each.purpose == purpose and each.units == units]


def _rounded(rate: float) -> float:
    """Returns a rate rounded to three digits, so that it can be typed by hand."""
    return float(f"{rate:.{_DIGITS}g}")

"""Sentences about a capacity search: the answer, what limits it, and what a reader must know."""

import math
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench import units
from bench.analysis.capacity.evidence import (
    Ending,
    HeldRate,
    best_held,
    ending,
    held_rate,
    lacks_time,
    search_trials,
)
from bench.analysis.capacity.models import level_of
from bench.records import capacity_record
from bench.records.capacity_record import CapacityRecord, LevelRow
from bench.records.formats import server_name
from bench.workload.metrics import parse_objective

_CLEARLY_LESS = 0.9
"""Share of a level's saturation below which the trial at full speed is named as disturbed."""
_WHY: Mapping[Ending, str] = {
    "": "the search has not ended",
    "finished": "the search is finished",
    "budget": "the budget ended",
    "interrupted": "the search was interrupted",
    "failed": "a trial could not be made",
}
"""Why a search found no more, by its ending."""


def sentence(record: CapacityRecord) -> str:
    """Returns the answer: the highest rate that is known to hold, by which level, the rate that
    fails, and what is not proven."""
    objectives = " and ".join(record.slo)
    best = best_held(record)
    if best is None:
        open_end = f"; {_WHY[ending(record)]}" if _is_open(record) else ""
        if not any(each.purpose == "search" for each in record.trials):
            return f"No rate was tested for {objectives}: {_WHY[ending(record)]}."
        return f"No tested rate meets {objectives}{_closest(record)}{open_end}."
    level = level_of(record, best.units)
    is_settled = level is not None and level.is_settled
    subject = f"{counted_units(best.units, record.axis)} on {server_name(record.server)}"
    rate, few = units.format_rate(best.rate_per_s), best.units == 1
    if not best.is_proven:
        text = f"{subject} held {rate} in {_runs(best)}, with {objectives}"
    elif is_settled:
        text = f"{subject} {'sustains' if few else 'sustain'} {rate} with {objectives}"
    else:
        text = (
            f"{subject} {'sustains' if few else 'sustain'} at least {rate}, which held in "
            f"{_runs(best)}, with {objectives}"
        )
    if level is not None and level.upper_per_s is not None:
        text += f"; {units.format_rate(level.upper_per_s)} fails"
        text += f": {level.limit}" if level.limit else ""
    if not is_settled:
        text += f"; not proven{' to be the highest' if best.is_proven else ''}: "
        text += _WHY[ending(record)]
    return f"{text}."


def sustained_cell(record: CapacityRecord, level: LevelRow) -> str:
    """Returns the sustained rate of a level; in brackets one that held but is not proven."""
    held = held_rate(record, level.units, level.lower_per_s)
    if held is None:
        return units.format_rate(None)
    rate = units.format_rate(held.rate_per_s)
    return rate if held.is_proven else f"({rate})"


def proof_cell(record: CapacityRecord, level: LevelRow) -> str:
    """Returns what of a level is proven: both bounds, the lower one, or none and what is known."""
    if level.is_settled:
        return "yes"
    held = held_rate(record, level.units, level.lower_per_s)
    if held is None:
        return "no"
    return f"{'only the lower' if held.is_proven else 'no'}: held in {_runs(held)}"


def continuation(record: CapacityRecord, path: Path | None) -> str:
    """Returns the command that continues a search; empty for one that has nothing left to find, and
    for one that was not saved in a file."""
    if path is None or not _is_open(record):
        return ""
    return f"bench capacity --resume {shlex.quote(str(path))}"


def _is_open(record: CapacityRecord) -> bool:
    return ending(record) != "finished" and (not record.is_complete or lacks_time(record))


def _runs(held: HeldRate) -> str:
    return f"{held.good} of {held.made} run{'' if held.made == 1 else 's'}"


def counted_units(count: int, axis: str) -> str:
    """Returns a number of workers or slots with its noun: ``1 slot``, ``4 workers``."""
    return f"{count} {axis.removesuffix('s') if count == 1 else axis}"


def notes(record: CapacityRecord) -> Iterator[str]:
    """Yields what a reader must know besides the answer, one line per note."""
    missing = sorted(set(record.asked) - {level.units for level in record.levels})
    if _is_open(record):
        if missing:
            levels = ", ".join(map(str, missing))
            yield f"{record.axis} {levels}: not searched, because {_WHY[ending(record)]}"
        elif ending(record) != "budget":
            yield f"the search is incomplete: {_WHY[ending(record)]}"
    yield from _open_bounds(record)
    yield from _slowed(record)
    if record.scaling is None and record.is_complete:
        yield (
            "no scaling law was fitted: that needs at least three levels with both bounds, and "
            f"this search found {sum(_has_both(level) for level in record.levels)}"
        )
    if any("generator limited" in trial.reason for trial in record.trials):
        yield "in some trials the load generator, not the workers, was the bottleneck"
    for what, name in (("capacity", "scaling law"), ("e2e.p99", "queueing model")):
        if capacity_record.is_rejected(record, what):
            yield f"the {name} is rejected: a measurement fell outside its prediction"


def _open_bounds(record: CapacityRecord) -> Iterator[str]:
    """Yields a note for each level of which something is not known, or contradictory."""
    best = best_held(record)
    for level in record.levels:
        name = f"{record.axis} {level.units}"
        held = held_rate(record, level.units, level.lower_per_s)
        if held is None:
            yield f"{name}: no tested rate is sustained, down to {_lowest(record, level)}"
            continue
        rate = units.format_rate(held.rate_per_s)
        if not level.is_settled and (best is None or level.units != best.units):
            proven = "not proven to be the highest" if held.is_proven else "not proven"
            yield f"{name}: {rate} held in {_runs(held)}; {proven}"
        elif level.is_settled and level.upper_per_s is None:
            yield f"{name}: no tested rate fails; the limit is higher"
        if held.fails_below is not None:
            yield (
                f"{name}: {rate} held in {_runs(held)}, but {units.format_rate(held.fails_below)} "
                "below it failed; repeat the search on a machine that does nothing else"
            )


def _slowed(record: CapacityRecord) -> Iterator[str]:
    """Yields a note for each trial that was to saturate the workers and completed clearly less than
    one whose load held."""
    for trial in record.trials:
        level = level_of(record, trial.units)
        most = None if level is None else level.saturation_per_s
        if trial.purpose != "saturation" or not most or not trial.completed_per_s:
            continue
        if trial.completed_per_s < _CLEARLY_LESS * most:
            yield (
                f"{record.axis} {trial.units}: the trial at full speed completed "
                f"{units.format_rate(trial.completed_per_s)}, one whose "
                f"load held {units.format_rate(most)}: something slowed it down"
            )


def _lowest(record: CapacityRecord, level: LevelRow) -> str:
    loads = [each.load for each in search_trials(record, level.units)]
    return units.format_rate(min(loads, default=level.upper_per_s))


def _has_both(level: capacity_record.LevelRow) -> bool:
    return level.lower_per_s is not None and level.upper_per_s is not None


def _closest(record: CapacityRecord) -> str:
    """Returns the lowest measured percentile for each latency objective that no rate met."""
    texts = []
    for expression in record.slo:
        objective = parse_objective(expression)
        metric = objective.metric
        if metric.percent is None or metric.subject.name != "e2e":
            continue
        name = f"p{metric.percent:g}"
        measured = [
            (value, trial.rate_per_s)
            for trial in record.trials
            if trial.purpose == "search"
            and (value := trial.e2e_s.get(metric.queue, {}).get(name)) is not None
        ]
        value, rate = min(measured, default=(math.inf, None))
        if rate is not None and not objective.holds(value):
            objective_text = f" to {expression}" if len(record.slo) > 1 else ""
            texts.append(
                f"; the closest{objective_text} was {units.format_duration(value)} at "
                f"{units.format_rate(rate)}"
            )
    return "".join(texts)

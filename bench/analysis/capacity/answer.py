"""Sentences about a capacity search: the answer, what limits it, and what a reader must know."""

import math
from collections.abc import Iterator

from bench import units
from bench.analysis.capacity.models import best_level
from bench.records import capacity_record
from bench.records.capacity_record import CapacityRecord, Prediction
from bench.records.formats import server_name
from bench.workload.metrics import parse_objective

_KINDS = {"interior": " (interpolated)", "extrapolated": " (extrapolated)", "load": ""}
"""How a prediction was made, by its kind in the record; a prediction under load names its rate."""


def sentence(record: CapacityRecord) -> str:
    """Returns the answer: the highest sustained rate, by which level, and the rate that fails."""
    objectives = " and ".join(record.slo)
    best = best_level(record)
    if best is None:
        return f"No tested rate meets {objectives}{_closest(record)}."
    product = server_name(record.server)
    verb = "sustains" if best.units == 1 else "sustain"
    text = (
        f"{counted_units(best.units, record.axis)} on {product} {verb} "
        f"{units.format_rate(best.lower_per_s)} with {objectives}"
    )
    if best.upper_per_s is not None:
        text += f"; {units.format_rate(best.upper_per_s)} fails"
        text += f": {best.limit}" if best.limit else ""
    return f"{text}."


def counted_units(count: int, axis: str) -> str:
    """Returns a number of workers or slots with its noun: ``1 slot``, ``4 workers``."""
    return f"{count} {axis.removesuffix('s') if count == 1 else axis}"


def notes(record: CapacityRecord) -> Iterator[str]:
    """Yields what a reader must know besides the answer, one line per note."""
    if not record.is_complete:
        yield "the search is incomplete"
    yield from _open_bounds(record)
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
    """Yields a note for each level that lacks a bound, and one for all unproven levels."""
    unproven: list[str] = []
    for level in record.levels:
        name = f"{record.axis} {level.units}"
        if level.lower_per_s is None and level.upper_per_s is not None:
            rate = units.format_rate(level.upper_per_s)
            yield f"{name}: no tested rate is sustained, down to {rate}"
        elif not level.is_settled:
            unproven.append(str(level.units))
        elif level.upper_per_s is None:
            yield f"{name}: no tested rate fails; the limit is higher"
    if unproven:
        yield (
            f"{record.axis} {', '.join(unproven)}: the time ran out before both bounds were "
            "proven; use a longer --budget"
        )


def prediction_cells(prediction: Prediction, axis: str) -> tuple[str, str, str, str, str]:
    """Returns the cells of a prediction: subject, value, 90% interval, measured value, outcome."""
    form = units.format_rate if prediction.what == "capacity" else units.format_duration
    subject = f"{prediction.what} with {counted_units(prediction.units, axis)}"
    if prediction.rate_per_s is not None:
        subject += f" at {units.format_rate(prediction.rate_per_s)}"
    interval = f"{form(prediction.low)} to {form(prediction.high)}"
    measured = form(prediction.measured)
    if prediction.measured_low is not None:
        measured = f"{form(prediction.measured_low)} to {form(prediction.measured_high)}"
    return (
        f"{subject}{_KINDS[prediction.kind]}",
        form(prediction.value),
        interval,
        measured,
        _outcome(prediction),
    )


def _outcome(prediction: Prediction) -> str:
    if prediction.error is None:
        return "not measured"
    error = f"{prediction.error:+.1%}"
    return f"{error}, {'rejected' if capacity_record.missed(prediction) else 'confirmed'}"


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

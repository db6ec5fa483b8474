"""A search for capacity in words: what holds, what gives way, and what must be known besides."""

import math
from collections.abc import Iterator

from bench import units
from bench.analysis.capacity.models import best_level
from bench.records import capacity_record
from bench.records.capacity_record import CapacityRecord, Prediction
from bench.workload.metrics import parse_objective


def sentence(record: CapacityRecord) -> str:
    """The answer to the question that the search was asked."""
    promises = " and ".join(record.slo)
    best = best_level(record)
    if best is None:
        return f"No rate that was tried holds {promises}{_nearest(record)}."
    bounds = f"{units.format_rate(best.lower_per_s)}"
    if best.upper_per_s is not None:
        bounds += f" (and not {units.format_rate(best.upper_per_s)})"
    product = f"{record.server.get('product')} {record.server.get('version')}"
    verb = "holds" if best.units == 1 else "hold"
    said = f"{counted(best.units, record.axis)} on {product} {verb} {bounds} with {promises}"
    limit = f"; the first to give way: {best.limit}" if best.limit else ""
    return f"{said}{limit}."


def counted(units_: int, axis: str) -> str:
    """``1 slot``, ``4 workers``."""
    return f"{units_} {axis.removesuffix('s') if units_ == 1 else axis}"


def notes(record: CapacityRecord) -> Iterator[str]:
    """What a reader must know, a line each."""
    if not record.is_complete:
        yield "the search was not brought to its end"
    yield from _open_bounds(record)
    if record.scaling is None and record.is_complete:
        yield (
            "no law of scaling was fitted: that takes three levels or more with both bounds found, "
            f"and there are {sum(_has_both(level) for level in record.levels)}"
        )
    if any("generator limited" in trial.reason for trial in record.trials):
        yield "in some trials the generator, and not the workers, was the limit"
    for what, name in (("capacity", "law of scaling"), ("e2e.p99", "model of the queue")):
        if capacity_record.is_rejected(record, what):
            yield f"the {name} is rejected: it missed what was measured after it was asked"


def _open_bounds(record: CapacityRecord) -> Iterator[str]:
    """Levels of which the search could not say all."""
    unproven: list[str] = []
    for level in record.levels:
        name = f"{record.axis} {level.units}"
        if level.lower_per_s is None and level.upper_per_s is not None:
            rate = units.format_rate(level.upper_per_s)
            yield f"{name}: no rate that was tried holds, down to {rate}"
        elif not level.is_settled:
            unproven.append(str(level.units))
        elif level.upper_per_s is None:
            yield f"{name}: no rate that was tried fails; the limit lies higher"
    if unproven:
        yield (
            f"{record.axis} {', '.join(unproven)}: the time was over before both bounds were "
            "proven; a longer --budget proves them"
        )


def told(prediction: Prediction, axis: str) -> tuple[str, str, str, str, str]:
    """A checked prediction: what, said, with its interval, measured, and the verdict."""
    form = units.format_rate if prediction.what == "capacity" else units.format_duration
    where = f"{axis} {prediction.units}"
    if prediction.rate_per_s is not None:
        where += f" at {units.format_rate(prediction.rate_per_s)}"
    interval = f"{form(prediction.low)} to {form(prediction.high)}"
    measured = form(prediction.measured)
    if prediction.measured_low is not None:
        measured = f"{form(prediction.measured_low)} to {form(prediction.measured_high)}"
    return (
        f"{prediction.what} of {where} ({prediction.kind})",
        form(prediction.value),
        interval,
        measured,
        _verdict(prediction),
    )


def _verdict(prediction: Prediction) -> str:
    if prediction.error is None:
        return "not measured"
    off = f"{prediction.error:+.1%}"
    return f"{off}, model rejected" if capacity_record.missed(prediction) else f"{off}, inside"


def _has_both(level: capacity_record.LevelRow) -> bool:
    return level.lower_per_s is not None and level.upper_per_s is not None


def _nearest(record: CapacityRecord) -> str:
    """The best figure that was seen for the objectives that no rate met."""
    said = []
    for expression in record.slo:
        objective = parse_objective(expression)
        metric = objective.metric
        if metric.percent is None or metric.subject.name != "e2e":
            continue
        name = f"p{metric.percent:g}"
        seen = [
            (value, trial.rate_per_s)
            for trial in record.trials
            if trial.purpose == "search"
            and (value := trial.e2e_s.get(metric.queue, {}).get(name)) is not None
        ]
        value, rate = min(seen, default=(math.inf, None))
        if rate is not None and not objective.holds(value):
            said.append(
                f"; the nearest to {expression} was {units.format_duration(value)} at "
                f"{units.format_rate(rate)}"
            )
    return "".join(said)

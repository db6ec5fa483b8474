"""A record's figures for services that track them over time: Bencher and github-action-benchmark.

Percentiles and rates of a run have the bounds of its 95% confidence interval, unless that is
withheld. Other figures have bounds where something was repeated: runs by restarts, pairs by a
comparison, runs by a set of faults, repetitions by a comparison of clients. A capacity lies between
the rates that were proven.
"""

import json
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

from bench.analysis import sweep
from bench.analysis.metric_values import confidence_of, gated_by_default, shown_besides, value_of
from bench.errors import MeasurementError
from bench.measure.confidence import ConfidenceInterval
from bench.measure.verdict_inputs import Verdict
from bench.records.capacity_record import CapacityRecord
from bench.records.chaos_record import ChaosRecord
from bench.records.clients_record import ClientsRecord
from bench.records.comparison_record import GateRecord
from bench.records.restarts_record import RestartsRecord
from bench.records.run_record import RunRecord
from bench.records.selftest_record import SelftestRecord
from bench.records.sweep_record import SweepRecord
from bench.workload.comparisons import Unit
from bench.workload.metrics import Metric, parse_metric
from bench.workload.scenario import Scenario

_LATENCY, _THROUGHPUT = "latency", "throughput"
"""Measures that Bencher has from the start, in nanoseconds and per second."""


@dataclass(frozen=True)
class TrackedValue:
    """One figure, in the unit of its metric."""

    name: str
    """Of what it is a figure, the same for every record of the same scenario."""
    measure: str
    unit: str
    value: float
    low: float | None = None
    high: float | None = None
    higher_is_better: bool = False


def bmf(values: Iterable[TrackedValue]) -> str:
    """Returns Bencher's Metric Format (https://bencher.dev/bmf.json), latencies in nanoseconds."""
    written: dict[str, dict[str, dict[str, float]]] = {}
    for each in values:
        factor = 1e9 if each.unit == Unit.SECONDS else 1.0
        ends = {"value": each.value, "lower_value": each.low, "upper_value": each.high}
        scaled = {name: _scaled(end, factor) for name, end in ends.items() if end is not None}
        written.setdefault(each.name, {})[each.measure] = scaled
    return _json(written)


def github(values: Iterable[TrackedValue], *, bigger_is_better: bool) -> str:
    """Returns the figures whose improvement goes one way, as github-action-benchmark reads them.

    They are for its tool ``customBiggerIsBetter`` or ``customSmallerIsBetter``; latencies in
    milliseconds. Raises MeasurementError where there are none.
    """
    written = []
    for each in values:
        if each.higher_is_better != bigger_is_better:
            continue
        is_time = each.unit == Unit.SECONDS
        factor, unit = (1e3, "ms") if is_time else (1.0, str(each.unit))
        value = _scaled(each.value, factor)
        entry: dict[str, Any] = {"name": each.name, "unit": unit, "value": value}
        if each.low is not None and each.high is not None:
            entry["range"] = f"{each.low * factor:.6g} to {each.high * factor:.6g}"
        written.append(entry)
    if not written:
        way = "bigger" if bigger_is_better else "smaller"
        raise MeasurementError(f"the record has no figure of which {way} is better")
    return _json(written)


def _scaled(value: float, factor: float) -> float:
    """Returns a value in another unit, without the digits that only its conversion has made."""
    return float(f"{value * factor:.12g}")


def _json(written: object) -> str:
    return json.dumps(written, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def tracked_values(record: object) -> list[TrackedValue]:
    """Returns the figures of a record of any kind.

    Raises MeasurementError where they must not be quoted, or where there are none.
    """
    values = list(_values(record))
    if not values:
        raise MeasurementError("the record has no figure to track: nothing was measured to its end")
    return values


@singledispatch
def _values(record: object) -> Iterable[TrackedValue]:
    raise TypeError(f"no record: {type(record)}")


def _of_metric(
    title: str,
    metric: Metric,
    value: float,
    low: float | None = None,
    high: float | None = None,
) -> TrackedValue:
    measure = {Unit.SECONDS: _LATENCY, Unit.PER_SECOND: _THROUGHPUT}.get(
        metric.unit, metric.subject.name.replace("_", "-")
    )
    name = f"{title}/{metric.name}"
    return TrackedValue(name, measure, metric.unit, value, low, high, metric.higher_is_better)


@_values.register
def _of_run(record: RunRecord) -> Iterator[TrackedValue]:
    if not record.is_valid:
        raise MeasurementError(
            f"the run is {record.verdict}, and such figures are not tracked: export a valid run"
        )
    for metric in _metrics(record.scenario):
        value = value_of(metric, record)
        if value is not None:
            sure = confidence_of(metric, record) or ConfidenceInterval()
            yield _of_metric(record.scenario.name, metric, value, sure.low, sure.high)


def _metrics(scenario: Scenario) -> Sequence[Metric]:
    names = ["enqueue.rate", *(["completed.rate"] if scenario.has_workers else [])]
    if scenario.has_workers and len(scenario.queues) > 1:
        names += [f"e2e{{{queue}}}.p99" for queue in scenario.queues]
    chosen = [*gated_by_default(scenario), *shown_besides(scenario), *map(parse_metric, names)]
    return list({metric.name: metric for metric in chosen}.values())


@_values.register
def _of_restarts(record: RestartsRecord) -> Iterator[TrackedValue]:
    """The median of the starts, between the least and the greatest of them."""
    invalid = [run.verdict for run in record.runs if run.verdict != Verdict.VALID]
    if invalid:
        raise MeasurementError(
            f"{len(invalid)} of {len(record.runs)} runs are not valid ({invalid[0]}), and such "
            "figures are not tracked: export valid runs"
        )
    for spread in record.spreads:
        values = [value for value in spread.values if value is not None]
        if values:
            ends = (min(values), max(values)) if len(values) > 1 else ()
            metric, median = parse_metric(spread.metric), statistics.median(values)
            yield _of_metric(record.scenario.name, metric, median, *ends)


@_values.register
def _of_comparison(record: GateRecord) -> Iterator[TrackedValue]:
    """The candidate's figures, and by how much they changed, with the interval of the pairs."""
    if not record.pairs:
        raise MeasurementError("the comparison has no pair of valid runs, so nothing to track")
    for row in record.rows:
        metric = parse_metric(row.metric)
        if row.candidate is not None:
            yield _of_metric(record.title, metric, row.candidate)
        if row.paired_change is not None:
            low, high = (None if end is None else 100 * end for end in (row.low, row.high))
            name, change = f"{record.title}/{row.metric}", 100 * row.paired_change
            yield TrackedValue(
                name, "paired-change", "%", change, low, high, metric.higher_is_better
            )


@_values.register
def _of_capacity(record: CapacityRecord) -> Iterator[TrackedValue]:
    """The capacity of each level, from the highest rate that holds to the lowest that does not."""
    for level in record.levels:
        title = f"{record.scenario.name}/{level.units} {record.axis}"
        found = {
            "capacity": (level.lower_per_s, level.lower_per_s, level.upper_per_s),
            "saturation": (level.saturation_per_s, None, None),
        }
        for what, (value, low, high) in found.items():
            if value is not None:
                name = f"{title}/{what}"
                yield TrackedValue(name, _THROUGHPUT, Unit.PER_SECOND, value, low, high, True)


@_values.register
def _of_sweep(record: SweepRecord) -> Iterator[TrackedValue]:
    """Of each level that is valid in all trials: the middle trial's rate and latencies, with the
    range in which they lie where that is known."""
    for outcome in sweep.outcomes(record):
        if not outcome.keeps_up:
            continue
        settings = ",".join(f"{name}={value}" for name, value in outcome.level.settings.items())
        title = f"{record.scenario.name}/{settings}"
        rate = "completed.rate" if record.interval == "e2e" else "enqueue.rate"
        figures = {rate: outcome.achieved_per_s}
        figures |= {f"{record.interval}.{name}": each for name, each in outcome.latency_s.items()}
        for name, each in figures.items():
            if each.value is not None:
                yield _of_metric(title, parse_metric(name), each.value, each.low, each.high)


@_values.register
def _of_chaos(record: ChaosRecord) -> Iterator[TrackedValue]:
    """What each fault loses, and when all is back: the median of its measured runs, between the
    least and the greatest of them. A way back without an end has no figure."""
    for spread in record.spreads:
        values = [value for value in spread.values if value is not None]
        if spread.figure not in ("lost", "back") or len(values) < len(spread.values) or not values:
            continue
        ends = (min(values), max(values)) if len(values) > 1 else (None, None)
        is_time = spread.figure == "back"
        measure = _LATENCY if is_time else "lost"
        unit = Unit.SECONDS if is_time else Unit.TASKS
        name = f"{record.scenario.name}/{spread.fault}/{spread.figure}"
        yield TrackedValue(name, measure, unit, statistics.median(values), *ends)


@_values.register
def _of_selftest(record: SelftestRecord) -> Iterator[TrackedValue]:
    """What one producer reaches, and the medians of identical runs, between the least and the
    greatest of them."""
    for ceiling in record.ceilings:
        name = f"selftest/ceiling/{ceiling.sink}"
        yield TrackedValue(name, _THROUGHPUT, Unit.PER_SECOND, ceiling.per_s, higher_is_better=True)
    for noise in record.noise:
        if not noise.figure.startswith("e2e.") or not noise.values:
            continue
        ends = (min(noise.values), max(noise.values))
        name = f"selftest/{noise.figure}"
        yield TrackedValue(name, _LATENCY, Unit.SECONDS, statistics.median(noise.values), *ends)


@_values.register
def _of_clients(record: ClientsRecord) -> Iterator[TrackedValue]:
    """The median of each client's repetitions, between the least and the greatest of them."""
    for client in record.clients:
        figures = client.figures
        if figures is None:
            continue
        rate, name = parse_metric("enqueue.rate"), f"clients/{client.name}"
        ends = (figures.tasks_per_s_low, figures.tasks_per_s_high) if record.repeat > 1 else ()
        yield _of_metric(name, rate, figures.tasks_per_s, *ends)
        if figures.enqueue.p99_s is not None:
            yield _of_metric(name, parse_metric("enqueue.p99"), figures.enqueue.p99_s)

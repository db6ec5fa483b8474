"""A test as Locust's page shows it in its tab: values for JSON, complete at any moment."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bench import units
from bench.locust.history import PERCENTILES, LivePoint, of_interval
from bench.measure.latency_counts import LatencyCounts, added, percentile_us
from bench.measure.recorder import Interval
from bench.measure.reports import ProducerReport, WorkerReport
from bench.names import ALL_QUEUES
from bench.workload.metrics import Metric, format_value, parse_objective

if TYPE_CHECKING:  # it imports Locust, which patches the process
    from bench.locust.load_test import Live, LoadTest

_MOST_CURVES = 8
"""Sub-queues whose backlogs have curves of their own: more could not be told apart."""

Json = dict[str, Any]


def view(load_test: "LoadTest | None", error: str | None) -> Json:
    """Returns what there is to show; ``load_test`` is None before the first test.

    ``error`` is why there is no test, or no record of it.
    """
    shown: Json = {
        "is_over": load_test is None or load_test.is_over,
        "verdict": "no test yet",
        "tone": "open",
        "phase": "",
        "note": "",
        "error": error,
        "figures": [],
        "objectives": [],
        "warnings": [],
        "intervals": [],
        "charts": [],
        "record": "",
    }
    if load_test is None:
        return shown
    shown |= _verdict(load_test)
    shown["note"] = "" if load_test.note is None else load_test.note.text
    shown["objectives"] = _objectives(load_test)
    if load_test.live is not None:
        queues = list(load_test.scenario.queues)
        shown["figures"] = _figures(load_test.live)
        shown["intervals"] = _intervals(load_test.live, queues)
        shown["charts"] = _charts(load_test.history.points, queues)
    if load_test.record is not None:
        shown["warnings"] = [
            {"code": each.code, "message": each.message} for each in load_test.record.warnings
        ]
        rates = load_test.record.rates
        shown["figures"] = [
            ("Enqueued", units.format_rate(rates.enqueued_per_s)),
            ("Completed", units.format_rate(rates.completed_per_s)),
            ("Tasks due", units.format_count(load_test.record.counts.due)),
            ("Tasks completed", units.format_count(load_test.record.counts.completed)),
        ]
        shown["record"] = str(load_test.path)
    return shown


def _verdict(load_test: "LoadTest") -> Json:
    if load_test.error is not None:
        return {"verdict": "none", "tone": "bad"}
    if load_test.record is not None:
        verdict = load_test.record.verdict
        return {"verdict": verdict, "tone": "good" if verdict == "valid" else "bad"}
    if load_test.live is None:
        return {"verdict": "not yet", "phase": "starting"}
    progress = load_test.live.progress
    planned = "" if progress.planned_s is None else f" of {progress.planned_s:.0f} s"
    return {"verdict": "not yet", "phase": f"{progress.phase}, {progress.elapsed_s:.0f} s{planned}"}


def _figures(live: "Live") -> list[tuple[str, str]]:
    progress = live.progress
    return [
        ("Offered", units.format_rate(progress.offered_per_s)),
        ("Enqueued", units.format_rate(progress.enqueued_per_s)),
        ("Finished", units.format_rate(progress.finished_per_s)),
        ("Backlog", units.format_count(sum(progress.backlog.values()))),
    ]


def _objectives(load_test: "LoadTest") -> list[Json]:
    """Each objective: as in the record, or whether it holds so far where that is known."""
    if load_test.record is not None:
        return [
            _objective(each.expression, each.value, "met" if each.passed else "missed")
            for each in load_test.record.slo
        ]
    shown = []
    for expression in load_test.scenario.slo:
        objective = parse_objective(expression)
        value = _value_so_far(objective.metric, load_test)
        if value is None:
            shown.append(_objective(expression, None, "known at the end"))
        else:
            is_met = objective.holds(value)
            shown.append(_objective(expression, value, "met so far" if is_met else "missed so far"))
    return shown


def _objective(expression: str, value: float | None, state: str) -> Json:
    text = "–" if value is None else format_value(parse_objective(expression).metric, value)
    tone = "good" if state.startswith("met") else "bad" if state.startswith("missed") else "open"
    return {"expression": expression, "value": text, "state": state, "tone": tone}


def _value_so_far(metric: Metric, load_test: "LoadTest") -> float | None:
    """A latency since the start of the test, its warm-up included, in seconds; None for others."""
    queues = list(load_test.scenario.queues)
    if metric.kind != "interval" or load_test.live is None:
        return None
    queue = None
    if metric.queue != ALL_QUEUES:
        if metric.queue not in queues:
            return None
        queue = queues.index(metric.queue)
    counts = added(of_interval(_reports(load_test.live), Interval(metric.subject.name), queue))
    if not counts.values:
        return None
    if metric.percent is not None:
        return percentile_us(counts, metric.percent) / 1e6
    measured = sum(counts.values.values())
    by_name = {"min": counts.min_us, "max": counts.max_us, "mean": counts.sum_us / measured}
    return by_name[metric.statistic] / 1e6


def _intervals(live: "Live", queues: Sequence[str]) -> list[list[str]]:
    """Rows of the table: interval, sub-queue, tasks, the percentiles, the largest latency."""
    reports = _reports(live)
    rows = []
    for interval in Interval:
        for number, queue in enumerate(queues):
            total = added(of_interval(reports, interval, number))
            if total.count:
                rows.append([str(interval), queue, *_latencies(total)])
    return rows


def _reports(live: "Live") -> list[ProducerReport | WorkerReport]:
    return [*live.producers, *live.workers]


def _latencies(total: LatencyCounts) -> list[str]:
    percentiles = [percentile_us(total, percent) for percent in PERCENTILES.values()]
    durations = [units.format_duration(each / 1e6) for each in (*percentiles, total.max_us)]
    return [units.format_count(total.count), *durations]


def _charts(points: Sequence[LivePoint], queues: Sequence[str]) -> list[Json]:
    """Titles, units and curves; a curve has a value, or none, for each of ``times_s``."""
    shown = [queue for queue in queues if any(each.backlog.get(queue) for each in points)]
    if len(queues) <= _MOST_CURVES:
        shown = list(queues)
    backlogs = [
        (queue, [each.backlog.get(queue) for each in points]) for queue in shown[:_MOST_CURVES]
    ]
    if len(queues) > _MOST_CURVES:
        backlogs.insert(0, ("all", [sum(each.backlog.values()) for each in points]))
    latencies = [
        (name.replace("999", "99.9"), [_milliseconds(each, name) for each in points])
        for name in PERCENTILES
    ]
    rates = [
        ("offered", [each.offered_per_s for each in points]),
        ("enqueued", [each.enqueued_per_s for each in points]),
        ("finished", [each.finished_per_s for each in points]),
    ]
    times_s = [round(each.elapsed_s, 2) for each in points]
    return [
        _chart("Rates", "tasks/s", times_s, rates),
        _chart("Backlog", "pending tasks", times_s, backlogs),
        _chart("End-to-end latency, second by second", "ms", times_s, latencies),
    ]


def _chart(title: str, unit: str, times_s: Sequence[float], curves: Sequence[Any]) -> Json:
    return {
        "title": title,
        "unit": unit,
        "times_s": times_s,
        "curves": [{"name": name, "values": values} for name, values in curves],
    }


def _milliseconds(point: LivePoint, name: str) -> float | None:
    value_s = point.percentiles_s.get(name)
    return None if value_s is None else round(value_s * 1e3, 4)

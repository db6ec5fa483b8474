"""An additional tab in Locust's web page, with what its tables cannot show."""

import json
from collections.abc import Callable

from flask import Response, request
from locust.web import WebUI

from bench import units
from bench.locust.load_test import Live, LoadTest
from bench.measure.latency_counts import added, percentile_us
from bench.measure.recorder import Interval

_TAB = "queue"
_PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p999": 99.9}
_COLUMNS = {
    "what": "What",
    "queue": "Sub-queue",
    "value": "Value",
    "p50": "p50",
    "p90": "p90",
    "p99": "p99",
    "p999": "p99.9",
    "max": "Max",
}
"""Column keys to titles. Keys hold letters and digits only: the page rewrites others."""

Row = dict[str, str]


def extend(web_ui: WebUI, current: Callable[[], LoadTest | None]) -> None:
    """Adds the tab to the page, and its rows to the statistics that the page polls."""
    web_ui.template_args["extended_tabs"] = [{"title": "Queue", "key": _TAB}]
    web_ui.template_args["extended_tables"] = [
        {
            "key": _TAB,
            "structure": [{"key": key, "title": title} for key, title in _COLUMNS.items()],
        }
    ]

    def add_ours(response: Response) -> Response:
        if request.path.endswith("/stats/requests") and response.is_json:
            load_test = current()
            report = json.loads(response.get_data())
            report["extended_stats"] = [{"key": _TAB, "data": rows(load_test)}]
            response.set_data(json.dumps(report))
            if load_test is not None and load_test.is_over:
                load_test.is_shown.set()
        return response

    if web_ui.app is not None:
        web_ui.app.after_request(add_ours)


def rows(load_test: LoadTest | None) -> list[Row]:
    """Returns the rows of the tab; ``load_test`` is None before the first test."""
    if load_test is None:
        return [_row("Verdict", value="no test yet")]
    shown = [_row("Verdict", value=_verdict(load_test))]
    if load_test.note is not None:
        shown.append(_row("Note", value=load_test.note.text))
    if load_test.live is not None:
        shown += _live_rows(load_test.live, list(load_test.scenario.queues))
    if load_test.record is not None:
        shown += [
            _row(f"Warning: {each.code}", value=each.message) for each in load_test.record.warnings
        ]
        shown += [
            _row(f"Objective: {each.expression}", value="holds" if each.passed else "missed")
            for each in load_test.record.slo
        ]
        shown.append(_row("Record", value=str(load_test.path)))
    return shown


def _verdict(load_test: LoadTest) -> str:
    if load_test.error is not None:
        return f"none: {load_test.error}"
    if load_test.record is not None:
        return load_test.record.verdict
    phase = load_test.live.progress.phase if load_test.live is not None else "starting"
    return f"not yet: {phase}"


def _live_rows(live: Live, queues: list[str]) -> list[Row]:
    progress = live.progress
    rates = {
        "Offered": progress.offered_per_s,
        "Enqueued": progress.enqueued_per_s,
        "Finished": progress.finished_per_s,
    }
    shown = [_row(what, value=units.format_rate(rate)) for what, rate in rates.items()]
    shown += [
        _row("Backlog", queue=queue, value=units.format_count(length))
        for queue, length in progress.backlog.items()
    ]
    for interval in Interval:
        reported = [each.latency_counts for each in live.producers]
        reported += [each.latency_counts for each in live.workers]
        counts = [
            (queue, each)
            for by_interval in reported
            for queue, each in by_interval.get(interval, {}).items()
        ]
        for number, queue in enumerate(queues):
            total = added(each for index, each in counts if index == number)
            if total.count:
                percentiles = {
                    key: _duration(percentile_us(total, percent))
                    for key, percent in _PERCENTILES.items()
                }
                shown.append(
                    _row(
                        str(interval),
                        queue=queue,
                        value=f"{units.format_count(total.count)} tasks",
                        max=_duration(total.max_us),
                        **percentiles,
                    )
                )
    return shown


def _duration(value_us: int) -> str:
    return units.format_duration(value_us / 1e6).replace(" ", "\u00a0")  # never in two lines


def _row(what: str, **cells: str) -> Row:
    return dict.fromkeys(_COLUMNS, "") | {"what": what} | cells

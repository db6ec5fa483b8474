"""Runs side by side: the figures of each, by how much they differ, and the settings that do."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bench.analysis import run_settings
from bench.analysis.metric_values import value_of
from bench.records.run_record import RunRecord
from bench.workload.metrics import COSTS, Metric, parse_metric

MOST_RUNS = 6
"""Runs that can be told apart side by side: there are as many colours."""
_RATES = ("enqueue.rate", "completed.rate")
_LATENCIES = {
    "e2e": ("p50", "p90", "p99", "p99.9", "max"),
    "e2e_earliest": ("p50", "p99"),
    "queue_wait": ("p50", "p99"),
    "service": ("p50", "p99"),
    "enqueue": ("p50", "p99"),
    "schedule_lag": ("p99",),
}
"""The intervals in the order of the reports, and the statistics of each that are compared."""
_COUNTS = ("due", "completed")
_COUNTS_IF_ANY = (
    *("failed", "outcome_unknown", "retried", "pending", "active"),
    *("lost", "duplicated", "unknown", "not_sent", "refused"),
)


@dataclass(frozen=True)
class FigureRow:
    """A metric in each run, in the metric's unit; None where a run did not measure it."""

    metric: Metric
    values: Sequence[float | None]

    @property
    def changes(self) -> list[float | None]:
        """The change of each further run against the first, as a share of the first; None where
        there is none, as against zero."""
        first, *others = self.values
        return [None if not first or each is None else each / first - 1 for each in others]


@dataclass(frozen=True)
class SettingRow:
    """A setting that is not the same in all runs, and its value in each, as users write it."""

    name: str
    """Its name, as ``run_settings.names`` has it."""
    values: Sequence[str]

    @property
    def label(self) -> str:
        """The flag that sets it, else its name."""
        return run_settings.label(self.name)


@dataclass(frozen=True)
class SideBySide:
    """Two or more runs: what they measured, and in which settings they differ."""

    records: Sequence[RunRecord]
    figures: Sequence[FigureRow]
    settings: Sequence[SettingRow]


def side_by_side(records: Sequence[RunRecord]) -> SideBySide:
    """Returns the figures that any of the runs has, and the settings that are not all the same."""
    return SideBySide(records, list(_figures(records)), settings_apart(records))


def _figures(records: Sequence[RunRecord]) -> Iterator[FigureRow]:
    for name in _names(records):
        metric = parse_metric(name)
        values = [_value(metric, record) for record in records]
        known = [value for value in values if value is not None]
        if known and (metric.subject.name not in _COUNTS_IF_ANY or any(known)):
            yield FigureRow(metric, values)


def _names(records: Sequence[RunRecord]) -> Iterable[str]:
    yield from _RATES
    if any(
        record.rates.finished_per_s not in (None, record.rates.completed_per_s)
        for record in records
    ):
        yield "finished.rate"  # tasks that failed for good are in it
    for interval, statistics in _LATENCIES.items():
        yield from (f"{interval}.{statistic}" for statistic in statistics)
    queues = dict.fromkeys(queue for record in records for queue in record.queues)
    if len(queues) > 1:
        yield from (f"e2e{{{queue}}}.p99" for queue in queues)
    yield from COSTS
    yield from (*_COUNTS, *_COUNTS_IF_ANY)


def _value(metric: Metric, record: RunRecord) -> float | None:
    """Returns the value of a metric; None without a worker for what only workers do."""
    is_of_workers = metric.name in ("completed.rate", "finished.rate", "completed")
    if is_of_workers and not record.scenario.has_workers:
        return None
    return value_of(metric, record)


def settings_apart(records: Sequence[RunRecord]) -> list[SettingRow]:
    """Returns the settings that are not the same in all runs."""
    exact = [run_settings.settings_of(record) for record in records]
    found = []
    for name in run_settings.names():
        values = [each[name] for each in exact]
        if len(set(values)) > 1:
            shown = [run_settings.shown(record, name) for record in records]
            # A file that has changed has the name that it had; its exact values tell it apart.
            is_told = len(set(shown)) == len(set(values))
            found.append(SettingRow(name, shown if is_told else values))
    return found


def is_same_run(records: Sequence[RunRecord]) -> bool:
    """Returns whether a run is among the records more than once."""
    return len({(each.id, each.started_at) for each in records}) < len(records)

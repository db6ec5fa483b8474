"""One metric over many runs: its trend, and where it changed permanently.

This shows gradual changes; it is not a gate. A machine behaves differently from day to day, and
only interleaved runs can prove a change (``bench ab``).
"""

import datetime
import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from bench.analysis import comparability
from bench.analysis.change_points import level_ends
from bench.analysis.gate import revision_of
from bench.analysis.groups import RunGroup, grouped
from bench.analysis.metric_values import confidence_of, value_of
from bench.analysis.significance import mann_whitney_p
from bench.arrays import Floats
from bench.measure.confidence import ConfidenceInterval
from bench.records.run_record import RunRecord
from bench.workload.metrics import Metric

SHORTEST_LEVEL = 4
"""Runs that a level must last; fewer may be an outlier."""
_PENALTY = 3.0
"""Penalty of a new level, in units of the noise times ln n; chosen by the simulation in
tests/analysis/test_history.py."""
_SIGNIFICANT_P = 0.01
"""Largest p value of a change that is reported."""
_SMALLEST_CHANGE = 0.02
"""Smallest change that is reported, as a share."""


@dataclass(frozen=True)
class Point:
    """One run: its start, its value in the metric's unit, its revision and its id."""

    at: datetime.datetime
    value: float
    revision: str
    run: str
    confidence: ConfidenceInterval | None = None
    """How sure the value is within its run; None where the record does not say."""


@dataclass(frozen=True)
class ChangePoint:
    """The point where one level ends and another begins.

    ``index`` is the first run of the new level; ``before`` and ``after`` are the medians of the
    levels. ``p`` is the p value of the Mann-Whitney test; it is too small, because the point was
    chosen by the change.
    """

    index: int
    before: float
    after: float
    is_worse: bool
    p: float

    @property
    def change(self) -> float:
        """How the figure changed, as a share of the old level; positive where it is higher."""
        return self.after / self.before - 1


@dataclass(frozen=True)
class Trend:
    """A metric of all runs of one workload, oldest first, with its changes of level."""

    scenario: str
    group: RunGroup
    """The runs, and what they differ in from other runs of the scenario."""
    metric: Metric
    points: Sequence[Point]
    steps: Sequence[ChangePoint]
    notes: Sequence[str]

    @property
    def name(self) -> str:
        """Metric, scenario, and what sets its runs apart: ``e2e.p99 of default (rate 1000/s)``."""
        apart = f" ({self.group.name})" if self.group.name else ""
        return f"{self.metric.name} of {self.scenario}{apart}"


def trends(
    records: Iterable[RunRecord],
    metrics_of: Mapping[str, Sequence[Metric]],
    among: Iterable[RunRecord] | None = None,
) -> list[Trend]:
    """Returns a trend for each workload and metric.

    ``metrics_of`` gives the metrics of each scenario by its name. Trends are named by what sets
    their runs apart ``among`` the runs from which ``records`` were chosen. Invalid runs and runs
    without the metric are excluded, and counted in the notes.
    """
    return [
        _trend(group, metric)
        for group in grouped(records, among)
        for metric in metrics_of[group.scenario]
    ]


def _trend(group: RunGroup, metric: Metric) -> Trend:
    valid = [record for record in group.records if record.is_valid]
    points = [
        Point(
            datetime.datetime.fromisoformat(each.started_at),
            value,
            revision_of(each),
            each.id,
            confidence_of(metric, each),
        )
        for each in valid
        if (value := value_of(metric, each)) is not None and value > 0
    ]
    return Trend(
        scenario=group.scenario,
        group=group,
        metric=metric,
        points=points,
        steps=steps([point.value for point in points], metric.higher_is_better),
        notes=list(_notes(group.records, valid, points)),
    )


def _notes(
    records: Sequence[RunRecord], valid: Sequence[RunRecord], points: Sequence[Point]
) -> Iterator[str]:
    if len(valid) < len(records):
        yield f"runs excluded because they are not valid: {len(records) - len(valid)}"
    if len(points) < len(valid):
        yield f"runs excluded because they lack the metric: {len(valid) - len(points)}"
    for before, after in pairwise(valid):
        changed = comparability.described(comparability.environment_changes(before, after))
        if changed:
            yield f"the environment changed with run {after.id}: {changed}"


def steps(values: Sequence[float], higher_is_better: bool) -> list[ChangePoint]:
    """Returns the points where a series of positive values changes its level permanently.

    Levels are found by PELT (Killick et al., 2012) on logarithms with absolute deviations, which
    are robust to outliers. A change is returned only if both sides differ significantly.
    """
    if len(values) < 2 * SHORTEST_LEVEL:
        return []
    series = np.log(np.asarray(values, np.float64))
    if higher_is_better:
        series = -series
    noise = _noise(series)
    if noise == 0:
        noise = 1e-9
    penalty = _PENALTY * noise * math.log(len(series))
    ends = level_ends(series.tolist(), penalty, SHORTEST_LEVEL)
    borders = [0, *ends]
    found = []
    for start, index, end in zip(borders, borders[1:], borders[2:], strict=False):
        step = _step(series[start:index], series[index:end], index, higher_is_better)
        if step is not None:
            found.append(step)
    return found


def _step(before: Floats, after: Floats, index: int, higher_is_better: bool) -> ChangePoint | None:
    p = mann_whitney_p(before, after)
    old, new = float(np.median(before)), float(np.median(after))
    worse = math.expm1(new - old)
    if p > _SIGNIFICANT_P or abs(worse) < _SMALLEST_CHANGE:
        return None
    sign = -1 if higher_is_better else 1
    return ChangePoint(index, math.exp(sign * old), math.exp(sign * new), worse > 0, p)


def _noise(series: Floats) -> float:
    """Returns a robust scale of the noise of a series, from the differences of neighbours.

    Changes of level and slow drift affect only a few of these differences.
    """
    differences = np.abs(np.diff(series))
    return 1.4826 * float(statistics.median(differences.tolist())) / math.sqrt(2)

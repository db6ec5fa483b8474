"""One metric over many runs: its trend, and where it changed for good.

This is for seeing what crept in. It is no gate: runs of different days were measured on different
moods of a machine, and only runs that take turns can prove a change (``bench ab``).
"""

import datetime
import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import ruptures
from scipy import stats

from bench.analysis import comparability
from bench.analysis.gate import revision_of
from bench.analysis.metric_values import value_of
from bench.arrays import Floats
from bench.records.run_record import RunRecord
from bench.workload.metrics import Metric

SHORTEST_LEVEL = 4
"""Runs that a level must last for: fewer may be a bad day."""
_PENALTY = 3.0
"""How much noise a new level must explain, in units of the noise times ln n; see the simulation in
tests/analysis/test_history.py."""
_SURE = 0.01
_WORTH_TELLING = 0.02


@dataclass(frozen=True)
class Point:
    """One run. ``value`` is in the metric's unit, ``run`` the run's id."""

    at: datetime.datetime
    value: float
    revision: str
    run: str


@dataclass(frozen=True)
class ChangePoint:
    """Where a level ends and another begins. ``worse`` is a share of the old level, positive where
    the new one is worse; ``p`` is the chance of such a difference without a change (Mann and
    Whitney), which is too small by the choice of the place."""

    index: int
    before: float
    after: float
    worse: float
    p: float


@dataclass(frozen=True)
class Trend:
    """All runs of one workload, oldest first."""

    scenario: str
    metric: Metric
    points: Sequence[Point]
    steps: Sequence[ChangePoint]
    notes: Sequence[str]


def trends(records: Iterable[RunRecord], metrics_of: Mapping[str, Sequence[Metric]]) -> list[Trend]:
    """A trend for every workload and metric; ``metrics_of`` names the metrics of each scenario.

    Runs that must not be quoted, and those that lack the figure, are left out, and counted in the
    notes.
    """
    return [
        _trend(group[0].scenario.name, metric, group)
        for group in _by_workload(records)
        for metric in metrics_of[group[0].scenario.name]
    ]


def _by_workload(records: Iterable[RunRecord]) -> list[list[RunRecord]]:
    groups: dict[str, list[RunRecord]] = {}
    for record in sorted(records, key=lambda each: each.started_at):
        groups.setdefault(comparability.workload_of(record), []).append(record)
    return list(groups.values())


def _trend(name: str, metric: Metric, records: Sequence[RunRecord]) -> Trend:
    valid = [record for record in records if record.verdict == "valid"]
    points = [
        Point(datetime.datetime.fromisoformat(each.started_at), value, revision_of(each), each.id)
        for each in valid
        if (value := value_of(metric, each)) is not None and value > 0
    ]
    return Trend(
        scenario=name,
        metric=metric,
        points=points,
        steps=steps([point.value for point in points], metric.higher_is_better),
        notes=list(_notes(records, valid, points)),
    )


def _notes(
    records: Sequence[RunRecord], valid: Sequence[RunRecord], points: Sequence[Point]
) -> Iterator[str]:
    if len(valid) < len(records):
        yield f"left out, as they are not valid: {len(records) - len(valid)} of the runs"
    if len(points) < len(valid):
        yield f"left out, as they have no such figure: {len(valid) - len(points)} of the runs"
    for before, after in pairwise(valid):
        changed = comparability.named(comparability.surroundings_changed(before, after))
        if changed:
            yield f"at run {after.id} the surroundings changed: {changed}"


def steps(values: Sequence[float], higher_is_better: bool) -> list[ChangePoint]:
    """Where a series changes its level for good.

    Levels are found on logarithms by PELT (Killick et al., 2012) with absolute deviations, which a
    wild run does not impress; each is told only if both sides differ beyond doubt.
    """
    if len(values) < 2 * SHORTEST_LEVEL:
        return []
    series = np.log(np.asarray(values, np.float64))
    if higher_is_better:
        series = -series
    noise = _noise(series)
    if noise == 0:
        noise = 1e-9
    search = ruptures.Pelt(model="l1", min_size=SHORTEST_LEVEL, jump=1).fit(series)
    ends = search.predict(pen=_PENALTY * noise * math.log(len(series)))
    borders = [0, *ends]
    found = []
    for start, index, end in zip(borders, borders[1:], borders[2:], strict=False):
        step = _step(series[start:index], series[index:end], index, higher_is_better)
        if step is not None:
            found.append(step)
    return found


def _step(before: Floats, after: Floats, index: int, higher_is_better: bool) -> ChangePoint | None:
    p = float(stats.mannwhitneyu(before, after, alternative="two-sided").pvalue)
    old, new = float(np.median(before)), float(np.median(after))
    worse = math.expm1(new - old)
    if p > _SURE or abs(worse) < _WORTH_TELLING:
        return None
    sign = -1 if higher_is_better else 1
    return ChangePoint(index, math.exp(sign * old), math.exp(sign * new), worse, p)


def _noise(series: Floats) -> float:
    """Robust scale of the runs' noise, from differences of neighbours: a change of level, or a slow
    drift, is in few of these."""
    differences = np.abs(np.diff(series))
    return 1.4826 * float(statistics.median(differences.tolist())) / math.sqrt(2)

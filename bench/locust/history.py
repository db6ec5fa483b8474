"""What the charts of a test's page show: rates, backlogs and percentiles over time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bench.measure.latency_counts import LatencyCounts, added, percentile_us
from bench.measure.progress import Progress
from bench.measure.recorder import Interval
from bench.measure.reports import ProducerReport, WorkerReport

_EVERY_S = 0.9
_MOST_POINTS = 1200
"""Points of a chart: beyond that every second one is left out, as a screen shows no more."""
PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p999": 99.9}


@dataclass(frozen=True)
class LivePoint:
    """One moment of a test.

    Rates are those of the last full second. Percentiles are those of e2e, in seconds, of the tasks
    that were reported since the point before, from exact histograms; empty where there were none.
    """

    elapsed_s: float
    offered_per_s: int
    enqueued_per_s: int
    finished_per_s: int
    backlog: dict[str, int]
    percentiles_s: dict[str, float]


@dataclass
class History:
    """The points of one test so far, about one for each second."""

    points: list[LivePoint] = field(default_factory=list)
    _every_s: float = _EVERY_S
    _counted: LatencyCounts = field(default_factory=LatencyCounts)

    def note(self, progress: Progress, workers: Sequence[WorkerReport]) -> None:
        """Add a point, unless the last one is less than a second old."""
        if self.points and progress.elapsed_s < self.points[-1].elapsed_s + self._every_s:
            return
        counted = added(of_interval(workers, Interval.E2E))
        new = since(counted, self._counted)
        self._counted = counted if new.values else self._counted
        self.points.append(
            LivePoint(
                elapsed_s=progress.elapsed_s,
                offered_per_s=progress.offered_per_s,
                enqueued_per_s=progress.enqueued_per_s,
                finished_per_s=progress.finished_per_s,
                backlog=dict(progress.backlog),
                percentiles_s={
                    name: percentile_us(new, percent) / 1e6
                    for name, percent in PERCENTILES.items()
                    if new.values
                },
            )
        )
        if len(self.points) > _MOST_POINTS:
            del self.points[1::2]
            self._every_s *= 2


def of_interval(
    reports: Iterable[ProducerReport | WorkerReport], interval: Interval, queue: int | None = None
) -> list[LatencyCounts]:
    """Returns the latency counts of an interval in these reports, of one queue index or of all."""
    return [
        counts
        for report in reports
        for index, counts in report.latency_counts.get(interval, {}).items()
        if queue is None or index == queue
    ]


def since(after: LatencyCounts, before: LatencyCounts) -> LatencyCounts:
    """Returns what cumulative counts hold beyond earlier ones, by value alone."""
    more = {
        value_us: count - before.values.get(value_us, 0) for value_us, count in after.values.items()
    }
    return LatencyCounts(
        count=after.count - before.count,
        values={value_us: count for value_us, count in more.items() if count > 0},
    )

"""The progress of a run, as a value to display."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from bench.measure.histogram import Histogram, merged
from bench.measure.leases import Leases
from bench.measure.objectives_so_far import ObjectiveSoFar
from bench.measure.report_checks import SECONDS_SHOWN
from bench.measure.reports import ProducerReport, WorkerReport
from bench.measure.stopping import UntilLook
from bench.measure.summary import BINS_PER_SECOND, add_bins
from bench.measure.trend import RunTrend, unpacked
from bench.workload.scenario import Scenario

BEHIND_S = 0.25
"""How late the next task must be for the producers to count as unable to keep up."""


@dataclass(frozen=True)
class Behind:
    """By how much producers that cannot keep up are late."""

    by_s: float
    """How long the next task of the latest producer has been due."""
    asked_per_s: float
    """The rate that the schedule asks for now or, after its end, its highest one."""
    until_s: float | None
    """When what is late is given up, in seconds after the start; None where nothing bounds it."""


@dataclass(frozen=True)
class Gathered:
    """How many of Locust's workers have connected, while a run waits for them to begin."""

    connected: int
    expected: int

    @property
    def text(self) -> str:
        """The numbers as words."""
        workers = "worker" if self.expected == 1 else "workers"
        return f"{self.connected:,} of {self.expected:,} {workers} connected"


@dataclass(frozen=True)
class Progress:
    """The state of a run at one moment.

    Rates are those of the last full second; the percentiles are those of e2e over the last few
    seconds, None if nothing finished in them. ``backlog`` holds pending tasks by queue.
    """

    phase: str
    elapsed_s: float
    planned_s: float | None
    planned_tasks: int | None
    due: int
    enqueued: int
    finished: int
    offered_per_s: int
    enqueued_per_s: int
    finished_per_s: int
    backlog: dict[str, int]
    p50_s: float | None
    p99_s: float | None
    leases: Leases | None = None
    """Leases on tasks, while the queues are drained."""
    behind: Behind | None = None
    """By how much the producers are late; None while they keep up."""
    drain_left_s: float | None = None
    """How long a drain may still take; None where none is under way, or it has only begun."""
    states: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Ids on the server by queue and state, where the run is monitored."""
    unserved: str = ""
    """What is to be said while workers are awaited that take no task; empty where they do."""
    gathered: Gathered | None = None
    """The workers that the run waits for; None once it has begun."""
    warmup_until_s: float = 0.0
    """When the warm-up ends at the latest, in seconds after the start."""
    trend: RunTrend = field(default_factory=RunTrend)
    """Backlog and latency from the start until now."""
    objectives: tuple[ObjectiveSoFar, ...] = ()
    """How the run's objectives stand, in the scenario's order."""
    grows_per_s: float | None = None
    """By how many tasks a second the backlog has grown throughout the window so far; None where
    that leaves the run valid, or is not known."""
    was_behind: bool = False
    """Whether producers have been late by ``BEHIND_S`` or more since the warm-up."""

    analyses: tuple[UntilLook, ...] = ()
    """What the newest look of a run with ``--until`` found; empty before the first one."""

    @property
    def left(self) -> int:
        """Number of tasks that were enqueued and have not ended."""
        return max(self.enqueued - self.finished, 0)

    @property
    def drain_takes_s(self) -> float | None:
        """How long a drain will still take at the rate of the last second; None where nothing is
        left, nothing was finished in it, or no drain is under way."""
        if self.drain_left_s is None or not self.left or not self.finished_per_s:
            return None
        return self.left / self.finished_per_s


def while_gathering(scenario: Scenario, waited_s: float, gathered: Gathered) -> Progress:
    """Returns the progress of a run that waits for Locust's workers to begin."""
    nothing = progress_of("waiting", waited_s, scenario, [], [], [0] * len(scenario.queues))
    return replace(nothing, planned_s=None, gathered=gathered)


def progress_of(
    phase: str,
    elapsed_s: float,
    scenario: Scenario,
    producers: Sequence[ProducerReport],
    workers: Sequence[WorkerReport],
    backlog: Sequence[int],
) -> Progress:
    """Returns the progress that the newest reports of all processes amount to.

    ``backlog`` holds the pending tasks of each queue, in the order of the scenario's queues. What
    no report says, such as leases, is left as it is by default.
    """
    recent, behind = recent_latencies(workers), _behind(scenario, producers, elapsed_s)
    return Progress(
        phase=phase,
        elapsed_s=max(elapsed_s, 0.0),
        planned_s=scenario.planned_duration_s,
        planned_tasks=scenario.tasks,
        due=sum(report.due for report in producers),
        enqueued=sum(report.enqueued for report in producers),
        finished=sum(report.ended for report in workers),
        offered_per_s=_offered_per_s(scenario, producers, elapsed_s, behind),
        enqueued_per_s=_last_second([report.enqueued_by_bin for report in producers], elapsed_s),
        finished_per_s=_last_second([report.finished_by_bin for report in workers], elapsed_s),
        backlog=dict(zip(scenario.queues, backlog, strict=True)),
        p50_s=_seconds(recent.percentile_us(50)),
        p99_s=_seconds(recent.percentile_us(99)),
        behind=behind,
    )


def _behind(
    scenario: Scenario, producers: Sequence[ProducerReport], elapsed_s: float
) -> Behind | None:
    late_us = max((report.behind_us for report in producers if not report.final), default=0)
    if late_us < BEHIND_S * 1e6:
        return None
    planned_s = scenario.planned_duration_s
    until_s = None if planned_s is None else planned_s + scenario.overrun_s
    asked_per_s = _asked_per_s(scenario, elapsed_s) or scenario.peak_per_s
    return Behind(late_us / 1e6, asked_per_s, until_s)


def _asked_per_s(scenario: Scenario, elapsed_s: float) -> float | None:
    """The rate that the schedule asks for at a moment; None for a trace of tasks."""
    if scenario.trace is not None and scenario.trace.kind == "tasks":
        return None
    return scenario.profile.rate_at(elapsed_s)


def _offered_per_s(
    scenario: Scenario,
    producers: Sequence[ProducerReport],
    elapsed_s: float,
    behind: Behind | None,
) -> int:
    """Tasks due in the last second: what was sent of them or, as that is little while producers are
    late, what the schedule asks for."""
    asked_per_s = None if behind is None else _asked_per_s(scenario, elapsed_s)
    if asked_per_s is not None:
        return round(asked_per_s)
    return _last_second([report.offered_by_bin for report in producers], elapsed_s)


def recent_latencies(workers: Sequence[WorkerReport]) -> Histogram:
    """Returns e2e of the tasks that finished in the last few seconds."""
    seconds = [second for each in workers for second in each.e2e_by_second]
    first = max(seconds, default=0) + 1 - SECONDS_SHOWN
    return merged(
        unpacked(packed)
        for each in workers
        for second, packed in each.e2e_by_second.items()
        if second >= first
    )


def _last_second(series: Sequence[Sequence[int]], elapsed_s: float) -> int:
    """Events in the second that ended 0.25 s ago, as reports are at most that old."""
    end = int((elapsed_s - 0.25) * BINS_PER_SECOND)
    return sum(add_bins(series)[max(end - BINS_PER_SECOND, 0) : max(end, 0)])


def _seconds(value_us: int | None) -> float | None:
    return None if value_us is None else value_us / 1e6

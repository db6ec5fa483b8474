"""Whether a guard of a run (``--abort``) holds: pure, from what is known at one moment."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bench import units
from bench.measure.histogram import Histogram
from bench.measure.objectives_so_far import MeasuredSoFar, known_counts, latency_s, rate_per_s
from bench.measure.reports import ProducerReport, WorkerReport
from bench.names import ALL_QUEUES
from bench.workload.comparisons import Unit
from bench.workload.guards import Aborted, Guard
from bench.workload.metrics import Metric, format_value

RATE_OVER_S = 1.0
"""The time over which rates are taken."""


@dataclass(frozen=True)
class ServerLoad:
    """What the newest sample says of the server; None for what it does not tell."""

    memory_bytes: int | None = None
    memory_limit_bytes: int | None = None
    memory_of: str = ""
    """What the limit is, as ``maxmemory``."""
    cpu_cores: float | None = None
    """CPU time per second of its process."""


@dataclass(frozen=True)
class LiveValues:
    """What the guards of a run are read from at one moment."""

    elapsed_s: float
    """Since the start of the run."""
    is_enqueueing: bool
    queues: Sequence[str]
    """The queues of the run, in the scenario's order."""
    backlog: Mapping[str, int]
    """Pending tasks by queue; empty before the first sample."""
    recent_e2e: Histogram
    """Of the tasks that finished in the last seconds."""
    producers: Sequence[ProducerReport]
    workers: Sequence[WorkerReport]
    server: ServerLoad = ServerLoad()

    def value_of(self, metric: Metric) -> float | None:
        """The metric's value in its unit; None while it is not known."""
        if metric.kind == "live":
            return self._live(metric)
        if metric.kind == "interval":
            return latency_s(metric, self.recent_e2e)
        if metric.kind == "rate":
            is_known = self.is_enqueueing and self.elapsed_s > RATE_OVER_S + _REPORT_AGE_S
            return rate_per_s(metric, self._measured()) if is_known else None
        return float(known_counts(metric, self._measured())[metric.subject.name])

    def _live(self, metric: Metric) -> float | None:
        values: Mapping[str, Callable[[], float | None]] = {
            "backlog": lambda: self._backlog(metric.queue),
            "redis.memory": lambda: self._memory(metric.unit),
            "redis.cpu": lambda: self.server.cpu_cores,
            "errors": self._error_share,
        }
        return values[metric.name.partition("{")[0]]()

    def _backlog(self, queue: str) -> float | None:
        if not self.backlog:
            return None
        return float(sum(self.backlog.values()) if queue == ALL_QUEUES else self.backlog[queue])

    def _memory(self, unit: Unit) -> float | None:
        used, limit = self.server.memory_bytes, self.server.memory_limit_bytes
        if used is None or unit is Unit.BYTES:
            return used
        return used / limit if limit else None

    def _error_share(self) -> float | None:
        refused = sum(report.refused for report in self.producers)
        answered = refused + sum(report.enqueued for report in self.producers)
        failed = sum(report.failed for report in self.workers)
        return (refused + failed) / answered if answered else None

    def _measured(self) -> MeasuredSoFar:
        now_s = self.elapsed_s - _REPORT_AGE_S
        return MeasuredSoFar(
            queues=list(self.queues),
            e2e=self.recent_e2e,
            producers=self.producers,
            workers=self.workers,
            start_s=now_s - RATE_OVER_S,
            end_s=now_s,
        )


_REPORT_AGE_S = 0.25
"""How old the newest report of a process may be."""


@dataclass
class GuardWatch:
    """Follows the guards of one run from its start."""

    guards: Sequence[Guard]
    _true_since_s: dict[str, float] = field(default_factory=dict)
    """Since when a comparison has been true at each moment at which its value was known."""

    def held(self, values: LiveValues) -> Aborted | None:
        """Returns the first guard that holds now; None while none does.

        A value that is not known ends nothing and changes nothing: neither is it true nor false.
        """
        for guard in self.guards:
            value = values.value_of(guard.metric)
            if value is None:
                continue
            if not guard.is_true(value):
                self._true_since_s.pop(guard.expression, None)
                continue
            since_s = self._true_since_s.setdefault(guard.expression, values.elapsed_s)
            if values.elapsed_s - since_s >= guard.lasts_s:
                return aborted(guard, value, values.elapsed_s, values.server)
        return None


def aborted(guard: Guard, value: float, at_s: float, server: ServerLoad) -> Aborted:
    """What ended a run: a guard, at this value."""
    return Aborted(
        guard=guard.expression,
        value=value,
        at_s=at_s,
        reason=(
            f"the guard {guard.expression!r} ended the run after {units.format_duration(at_s)}, as "
            f"{described(guard, value, server)}: offer less load, or choose another limit (--abort)"
        ),
    )


def described(guard: Guard, value: float, server: ServerLoad) -> str:
    """A guard's value as a clause, with what a percentage is of."""
    metric = guard.metric
    shown = f"{metric.name} was {format_value(metric, value)}"
    if metric.subject.name == "redis.memory" and metric.unit is Unit.SHARE:
        limit = units.format_bytes(server.memory_limit_bytes)
        return f"{shown} of {server.memory_of} ({limit})"
    if metric.subject.name == "redis.cpu":
        return f"{shown} of one core"
    return shown

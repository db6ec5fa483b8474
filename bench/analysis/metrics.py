"""Figures of a run record that runs can be compared by."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bench.errors import UsageError
from bench.records.run_record import LatencySummary, RunRecord
from bench.workload import slo
from bench.workload.scenario import Scenario

_STATISTICS = {
    "mean": "mean_s",
    "p50": "p50_s",
    "p90": "p90_s",
    "p95": "p95_s",
    "p99": "p99_s",
    "p99.9": "p999_s",
    "max": "max_s",
}
_RATES = {"enqueue.rate": "enqueued_per_s", "completed.rate": "completed_per_s"}
_COSTS = ("server_cpu_us_per_task", "server_bytes_per_task", "server_memory_bytes_per_task")
_LATENCY = re.compile(r"(?P<stage>\w+)(?:\{(?P<queue>[^{}]+)\})?\.(?P<statistic>[\w.]+)")


@dataclass(frozen=True)
class Metric:
    """One figure: seconds, tasks a second, or a cost of the server's for a task."""

    name: str

    @property
    def higher_is_better(self) -> bool:
        """True of rates only."""
        return self.name in _RATES

    @property
    def is_time(self) -> bool:
        """Whether it is in seconds."""
        return self.name not in _RATES and self.name not in _COSTS

    def of(self, record: RunRecord) -> float | None:
        """The figure, or None where the run has none."""
        if self.name in _RATES:
            rate: float | None = getattr(record.rates, _RATES[self.name])
            return rate
        if self.name in _COSTS:
            cost: float | None = getattr(record.resources, self.name)
            return cost
        match = _LATENCY.fullmatch(self.name)
        if match is None:
            return None
        queue = match["queue"] or "all"
        summary: LatencySummary | None = record.latency.get(match["stage"], {}).get(queue)
        value: float | None = getattr(summary, _STATISTICS[match["statistic"]], None)
        return value


def parse(text: str) -> Metric:
    """A metric by name. Raises UsageError when there is none of that name."""
    name = text.strip()
    match = _LATENCY.fullmatch(name)
    is_latency = (
        match is not None and match["stage"] in slo.STAGES and match["statistic"] in _STATISTICS
    )
    if name in _RATES or name in _COSTS or is_latency:
        return Metric(name)
    raise UsageError(
        f"no metric {name!r}: write for example e2e.p99, e2e{{inference_high}}.p50, "
        f"{', '.join(_RATES)} or {_COSTS[0]}"
    )


def gated_by_default(scenario: Scenario) -> Sequence[Metric]:
    """What a run of this scenario is made to find out: rates of a closed loop, else latencies."""
    if scenario.worker_start == "after-fill":
        names = ["completed.rate"]
    elif scenario.is_closed_loop:
        names = ["enqueue.rate", *(["completed.rate"] if scenario.has_workers else [])]
    else:
        stage = "e2e" if scenario.has_workers else "enqueue"
        names = [f"{stage}.p50", f"{stage}.p99"]
    return [Metric(name) for name in names]


def shown_besides(scenario: Scenario) -> Sequence[Metric]:
    """What is worth a look, and not judged."""
    names = ["enqueue.p99", "server_cpu_us_per_task"]
    if scenario.has_workers:
        names = ["e2e.p90", "e2e.p99.9", "service.p50", *names]
    gated = {metric.name for metric in gated_by_default(scenario)}
    return [Metric(name) for name in names if name not in gated]

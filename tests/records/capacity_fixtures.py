"""Capacity records as a search makes them, on a simulated system whose capacity is known."""

import functools
import math
from collections.abc import Callable
from unittest import mock

import msgspec

from bench.analysis.capacity import scaling
from bench.analysis.capacity.effort import effort_for, held_out_levels
from bench.analysis.capacity.models import service_row
from bench.analysis.capacity.steps import SearchStep, next_trial, updated
from bench.measure.confidence import PERIODS, ConfidenceInterval
from bench.records.capacity_record import CapacityRecord, RedisRow, TrialRow
from tests.records.fixtures import example_record

QUEUES = ("inference_high", "inference_low")
_EXAMPLE = example_record()
MOST_TRIALS = 400
BEYOND_S = 2.5
"""What a trial takes beyond its load."""
RESAMPLES = 50
"""An eighth of what a real search takes: enough for an interval, and as much quicker."""


def capacity_of(units: int) -> float:
    """The simulated system: 450/s for one, with some contention."""
    return 450.0 * units / (1 + 0.03 * (units - 1))


def new_record(
    asked: list[int], budget_s: float = 600.0, slo: str = "e2e.p99 < 50ms"
) -> CapacityRecord:
    """Before its first trial."""
    return CapacityRecord(
        id="0badcafe",
        started_at="2026-01-01T08:00:00+00:00",
        command=f"bench capacity --slots {','.join(map(str, asked))} --slo '{slo}'",
        scenario=msgspec.structs.replace(_EXAMPLE.scenario, slo=(slo,)),
        words=["capacity", "--service-time=2ms"],
        axis="slots",
        asked=asked,
        slo=[slo],
        effort=effort_for(budget_s, len(asked), len(held_out_levels(asked)), 0.05),
        trials=[],
        levels=[],
        predictions=[],
        scaling=None,
        service=None,
        redis=None,
        environment=_EXAMPLE.environment,
        server=_EXAMPLE.server,
        is_complete=False,
    )


def simulated_trial(
    record: CapacityRecord,
    step: SearchStep,
    capacity: Callable[[int], float],
    beyond_s: float = BEYOND_S,
) -> TrialRow:
    """What a trial of the simulated system comes to."""
    limit = capacity(step.units) if step.units else 1e9
    rate = step.rate_per_s
    good = rate is None or rate <= limit
    load = 0.0 if rate is None else min(rate / max(limit * 1.05, 1.0), 0.999)
    p99 = 0.009 / (1 - 0.85 * load) if good else 2.5
    completed = limit * 1.05 if rate is None else min(rate, limit)
    latencies: dict[str, float | None] = {"p50": p99 / 6, "p95": p99 / 2, "p99": p99}
    return TrialRow(
        purpose=step.purpose,
        units=step.units,
        rate_per_s=rate,
        duration_s=step.duration_s,
        took_s=step.duration_s + beyond_s,
        verdict="valid" if good else "unstable",
        good=good,
        reason="" if good else "unstable",
        completed_per_s=completed if step.units else None,
        enqueued_per_s=rate or 200_000.0,
        e2e_s=dict.fromkeys(("all", *QUEUES), latencies),
        server_cores=0.02 + 0.98 * (completed if step.units else 0.0) / 25_000,
        worker_cores=0.5,
        generator_cores=0.1,
        attribution="not CPU-bound: server, workers and producers all had spare CPU time",
        file=f"{len(record.trials) + 1:03d}-{step.purpose}-{step.units}.json",
        completed_confidence=_sure(completed, 0.02),
        e2e_confidence={
            queue: {
                name: _sure(p99 / of, 0.1) if good else ConfidenceInterval(withheld=PERIODS)
                for name, of in (("p50", 6), ("p95", 2), ("p99", 1))
            }
            for queue in ("all", *QUEUES)
        },
    )


def _sure(value: float, share: float) -> ConfidenceInterval:
    return ConfidenceInterval(low=value * (1 - share / 2), high=value * (1 + share))


def with_trial(
    record: CapacityRecord,
    step: SearchStep,
    capacity: Callable[[int], float] = capacity_of,
    beyond_s: float = BEYOND_S,
) -> CapacityRecord:
    """One trial further."""
    row = simulated_trial(record, step, capacity, beyond_s)
    record = msgspec.structs.replace(record, trials=[*record.trials, row])
    if step.purpose == "fill":
        record = msgspec.structs.replace(
            record,
            redis=RedisRow(
                cpu_us_per_task=40.0,
                commands_per_task=8.0,
                bytes_per_task=700.0,
                memory_bytes_per_queued_task=400.0,
                enqueue_ceiling_per_s=200_000.0,
                ceiling_per_s=25_000.0,
            ),
        )
    if step.purpose == "search" and record.service is None:
        record = msgspec.structs.replace(record, service=service_row(_EXAMPLE))
    with mock.patch.object(scaling, "RESAMPLES", RESAMPLES):
        return updated(record)


def searched(
    asked: list[int],
    capacity: Callable[[int], float] = capacity_of,
    budget_s: float = 600.0,
    slo: str = "e2e.p99 < 50ms",
    *,
    beyond_s: float = BEYOND_S,
    most_trials: int | None = None,
    record: CapacityRecord | None = None,
) -> CapacityRecord:
    """A search brought to its end, or as far as ``most_trials``; from the start, or continued."""
    record = new_record(asked, budget_s, slo) if record is None else record
    for _ in range(MOST_TRIALS if most_trials is None else most_trials):
        step = next_trial(record)
        if step is None:
            return msgspec.structs.replace(record, is_complete=True)
        record = with_trial(record, step, capacity, beyond_s)
    assert most_trials is not None, f"no end after {MOST_TRIALS} trials"
    return record


@functools.cache
def found() -> CapacityRecord:
    """Levels 1 to 8, all found, and every prediction inside its interval."""
    return searched([1, 2, 4, 8], budget_s=700.0)


@functools.cache
def broken() -> CapacityRecord:
    """Past four slots nothing more goes through, which no level that was asked for shows."""
    return searched([1, 2, 4], lambda units: capacity_of(min(units, 4)))


@functools.cache
def hopeless() -> CapacityRecord:
    """No rate meets the objective."""
    return searched([1], lambda _: 0.0)


def seconds_of(record: CapacityRecord) -> float:
    """What all trials took together."""
    return math.fsum(trial.took_s for trial in record.trials)

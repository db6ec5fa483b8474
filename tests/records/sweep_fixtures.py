"""Sweep records for tests, as runs of a simulated queue would make them."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from bench.analysis.sweep import drawn_order, next_trial, trial_row
from bench.names import ALL_QUEUES
from bench.records.run_record import LatencySummary, Rates, RecordWarning, RunRecord
from bench.records.sweep_record import SweepLevel, SweepRecord, SweptValues
from bench.workload.sweep_levels import SweptField, combinations, parse_levels
from tests.records.fixtures import example_record

LIMIT_PER_S = 9_000.0
"""The rate at which the simulated queue no longer keeps up."""
RATES = "rate=2000/s..12000/s/6"
_GROWS = RecordWarning(
    "backlog_grows",
    "the backlog grew by 1,900/s throughout the window because workers did not keep up, so "
    "latencies depend on how long the run lasted: offer less load or add workers",
)


def run_at(rate: float, repetition: int = 1, **changes: Any) -> RunRecord:
    """A run at a rate: its p99 is 1 ms / (1 − load), and differs a little by repetition."""
    base = example_record()
    is_stable = rate < LIMIT_PER_S
    p50 = 0.0005 / (1 - rate / LIMIT_PER_S) if is_stable else rate / 8000.0
    p50 *= 1 + 0.04 * (repetition * 7 % 5 - 2)
    summary = LatencySummary(count=50_000, p50_s=p50, p99_s=4 * p50, p999_s=7 * p50)
    completed = min(rate, 8_600.0)
    fields = {
        "scenario": msgspec.structs.replace(
            base.scenario, name="example", seed=6 + repetition, rate_per_s=rate
        ),
        "rates": Rates(asked_per_s=rate, enqueued_per_s=rate, completed_per_s=completed),
        "latency": {**base.latency, "e2e": {ALL_QUEUES: summary}},
        "verdict": "valid" if is_stable else "unstable",
        "warnings": [] if is_stable else [_GROWS],
        "slo": [],
        "bound_by": "worker",
        **changes,
    }
    return msgspec.structs.replace(base, **fields)


def new_sweep(levels: Sequence[str] = (RATES,), repeat: int = 3, **changes: Any) -> SweepRecord:
    """A sweep without a trial."""
    swept: list[SweptField] = [parse_levels(text) for text in levels]
    combined = combinations(swept)
    run = run_at(2000.0)
    fields = {
        "id": "0a1b2c3d",
        "started_at": "2026-01-15T09:30:00+00:00",
        "command": "bench sweep --rate 2000/s..12000/s/6 --repeat 3 --seed 7",
        "scenario": run.scenario,
        "words": ["default"],
        "swept": [SweptValues(field=each.name, values=list(each.values)) for each in swept],
        "levels": [SweepLevel(settings=each, offered_per_s=rate_of(each)) for each in combined],
        "repeat": repeat,
        "order": drawn_order(len(combined), repeat, 7),
        "run_s": 10.0,
        "budget_s": 3600.0,
        "interval": "e2e",
        **changes,
    }
    return SweepRecord(**fields)


def rate_of(settings: Mapping[str, str]) -> float:
    """The rate that a level offers."""
    return float(settings.get("rate", "3000/s").removesuffix("/s"))


def simulated(record: SweepRecord, settings: Mapping[str, str], repetition: int) -> RunRecord:
    """The run of a level. A larger prefetch carries more: half of the rate counts."""
    factor = {"1": 1.5, "64": 0.5}.get(settings.get("prefetch", ""), 1.0)
    offered = rate_of(settings)
    run = run_at(offered * factor, repetition)
    completed = min(offered, (run.rates.completed_per_s or 0.0) / factor)
    rates = Rates(asked_per_s=offered, enqueued_per_s=offered, completed_per_s=completed)
    return msgspec.structs.replace(run, rates=rates)


def swept(record: SweepRecord, most: int | None = None) -> SweepRecord:
    """The sweep after so many of its trials, by default all of them."""
    while (trial := next_trial(record)) is not None and len(record.trials) != most:
        level, repetition = trial
        run = simulated(record, record.levels[level].settings, repetition)
        file = f"{len(record.trials) + 1:03d}-level-{level + 1:02d}.json"
        row = trial_row(record, trial, run, 12.4, file)
        record = msgspec.structs.replace(
            record,
            trials=[*record.trials, row],
            environment=run.environment,
            server=run.server,
        )
    is_complete = next_trial(record) is None
    return msgspec.structs.replace(
        record, is_complete=is_complete, ended="finished" if is_complete else "interrupted"
    )


def with_limit() -> SweepRecord:
    """Six rates, three trials each: the queue keeps up to 8,000/s."""
    return swept(new_sweep())


def by_fields() -> SweepRecord:
    """Three batch sizes by two payload sizes, one trial each; the smallest batch is enough."""
    return swept(new_sweep(["prefetch=1,8,64", "payload_size=100B,10kB"], repeat=1))


def by_prefetch() -> SweepRecord:
    """Five rates for each of three batch sizes."""
    return swept(new_sweep(["prefetch=1,8,64", "rate=2000/s..14000/s/5"], repeat=2))

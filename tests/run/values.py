"""What runs have collected, as values: a hundred tasks in one second, and changes to that."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bench.machine import CpuTimes
from bench.measure.bits import Bits
from bench.measure.endings import CountedEnds, CounterReadings
from bench.measure.recorder import Interval, IntervalRecorder, LatencySeries, SecondLatencies
from bench.measure.reports import MeasuredLatencies, ObserverReport, ProducerReport, WorkerReport
from bench.measure.window import TimeLine, time_line
from bench.records.run_record import RunRecord
from bench.redisio.server_info import ServerUsage
from bench.run.collected import CollectedRun, RemainingTasks
from bench.run.machine_sampler import MachineLimits, MachineSample
from bench.run.server_sampler import ServerSample
from bench.workload.resolve import resolve
from bench.workload.scenario import Scenario
from tests.seconds import in_seconds

START_US = 1_800_000_000_000_000
QUEUE = "inference_default"
LINE = time_line(START_US, 0, 0)
EVERY_TENTH = [10] * 10
"""A hundred tasks in a second, by tenths of one."""


EXTERNAL: dict[str, object] = {"worker": "external"}


def scenario(**fields: object) -> Scenario:
    chosen = {"queues": {QUEUE: 1}, "rate": 100, "duration": 1, "warmup": 0, **fields}
    if fields.get("rate") == "max":
        chosen.pop("duration" if "tasks" in fields else "tasks", None)
    written = in_seconds(chosen)
    return resolve({name: value for name, value in written.items() if value is not None})


def packed(numbers: Sequence[int]) -> bytes:
    bits = Bits()
    if len(numbers):
        bits.add(np.array(numbers, np.int64))
    return bits.pack()


def measured(
    latencies: Mapping[Interval, int | Sequence[int]],
    *,
    tasks: int = 100,
    line: TimeLine = LINE,
    every_us: int = 10_000,
) -> MeasuredLatencies:
    """Latencies in µs (one for all tasks, or one each) of tasks due at equal distances."""
    due_us = START_US + every_us * np.arange(tasks)
    recorder, series = IntervalRecorder(line), LatencySeries()
    if not tasks:
        return MeasuredLatencies()
    for interval, given in latencies.items():
        values = np.broadcast_to(np.array(given, np.int64), tasks)
        recorder.record(interval, 0, values, recorder.split(due_us))
        if interval in (Interval.E2E, Interval.ENQUEUE):
            series.add(due_us - START_US, values)
    return MeasuredLatencies(recorder.parts(), series)


def producer(count: int = 100, number: int = 0, **changes: Any) -> ProducerReport:
    """All tasks were sent in time and acknowledged."""
    fields: dict[str, Any] = {
        "due": count,
        "sent": count,
        "enqueued": count,
        "finished_us": START_US + 1_000_000,
        "offered_by_bin": EVERY_TENTH,
        "enqueued_by_bin": EVERY_TENTH,
        "acknowledged": packed(range(count)),
        "cpu_s": 0.2,
        "elapsed_s": 1.0,
        "busiest_second_cores": 0.3,
        "peak_memory_bytes": 1000,
        "measured": measured({Interval.SCHEDULE_LAG: 50, Interval.ENQUEUE: 200}, tasks=count),
        **changes,
    }
    return ProducerReport(number=number, final=True, **fields)


def worker(
    completed: Mapping[int, Sequence[int]] | None = None, name: str = "w", **changes: Any
) -> WorkerReport:
    """``completed``: producer to sequence numbers; by default the first one's hundred tasks."""
    ends = {0: range(100)} if completed is None else completed
    count = sum(map(len, ends.values()))
    fields: dict[str, Any] = {
        "started": count,
        "completed": count,
        "started_by_bin": EVERY_TENTH,
        "finished_by_bin": EVERY_TENTH,
        "completed_sets": {number: packed(numbers) for number, numbers in ends.items()},
        "cpu_s": 0.5,
        "elapsed_s": 1.0,
        "peak_memory_bytes": 10_000,
        "measured": measured({Interval.E2E: 1000}),
        **changes,
    }
    return WorkerReport(name=name, full=True, final=True, **fields)


def observer(**observed: Any) -> WorkerReport:
    """Every task was seen to be completed, from outside."""
    fields: dict[str, Any] = {
        "method": "polling",
        "traced": 100,
        "are_outcomes_known": True,
        **observed,
    }
    return worker(name="observer", observed=ObserverReport(**fields), cpu_s=0.9)


def counting(processed: int, failed: int = 0, gone: int = 0) -> dict[str, Any]:
    """An observer that found that many of 100 tasks gone, and what a runqy-worker counted."""
    report = observer(counter_rules=["tasks"])
    report.completed, report.gone = 100 - gone, gone
    report.completed_sets = {0: packed(range(gone, 100))}
    report.gone_sets = {0: packed(range(gone))}
    counted = CountedEnds(processed, failed)
    return {"workers": [report], "counted": {QUEUE: CounterReadings(counted, counted)}}


def sample(second: float, backlog: Sequence[int] = (0,), cpu_s: float = 0.0) -> ServerSample:
    return ServerSample(round(second * 1e6), tuple(backlog), cpu_s, 5_000_000)


def machine(
    busy_s: float, *, steal_s: float = 0.0, throttled: int = 0, **parts: float
) -> list[MachineSample]:
    """Two samples, a second apart, of what the cores and each part of the run used in between."""
    nothing = dict.fromkeys(("generator_s", "worker_s", "harness_s"), 0.0)
    idle = CpuTimes(at_s=77.0, idle_s=500.0, user_s=1000.0, system_s=100.0, steal_s=5.0)
    busy = CpuTimes(
        at_s=78.0,
        idle_s=502.0 - busy_s,
        user_s=1000.3,
        system_s=100.1,
        steal_s=5.0 + steal_s,
        periods=10 if throttled else 0,
        throttled_periods=throttled,
    )
    return [
        MachineSample(offset_us=0, cpu=idle, **nothing),
        MachineSample(offset_us=1_000_000, cpu=busy, **{**nothing, **parts}),
    ]


def usage(**changes: Any) -> ServerUsage:
    fields: dict[str, Any] = {
        "cpu_s": 1.0,
        "memory_bytes": 1_000_000,
        "commands": 500,
        "network_bytes": 70_000,
        "run_id": "a",
        **changes,
    }
    return ServerUsage(**fields)


def second_latencies(finished: Mapping[float, int]) -> dict[int, Any]:
    """Latencies of e2e in µs by when the task finished, in seconds after the start."""
    recorder = SecondLatencies()
    for moment_s, value_us in finished.items():
        recorder.record(np.array([round(moment_s * 1e6)]), np.array([value_us]))
    recorder.close()
    return recorder.closed


def collected(chosen: Scenario | None = None, **changes: Any) -> CollectedRun:
    """A healthy run of one producer and one worker, but for these changes."""
    fields: dict[str, Any] = {
        "run_id": 0xABC,
        "started_at": "2026-01-15T09:30:00.250+00:00",
        "duration_s": 1.5,
        "command": "bench run",
        "scenario": scenario() if chosen is None else chosen,
        "environment": {"cores": 8},
        "server": {"product": "valkey"},
        "line": LINE,
        "most_warmup_s": 0.25,
        "drain_started_s": 1.0,
        "producers": [producer()],
        "workers": [worker()],
        "has_remote_workers": False,
        "samples": [sample(0.0), sample(1.0, cpu_s=0.1)],
        "machine": machine(busy_s=0.8),
        "machine_limits": MachineLimits(2, None, has_server=True, round_trip_us=50.0),
        "usage_before": usage(),
        "usage_after": usage(),
        "own_peak_memory_bytes": 100,
        "clock_error_us": 0.0,
        "interruptions": (),
        **changes,
    }
    names = ("pending", "active", "has_marker", "others", "other_poppers")
    left = {name: fields.pop(name) for name in names if name in fields}
    return CollectedRun(remaining=RemainingTasks(**{"has_marker": True, **left}), **fields)


def codes(record: RunRecord) -> list[str]:
    """The codes of a record's warnings."""
    return [warning.code for warning in record.warnings]


def bits(*numbers: int) -> Bits:
    """A set of sequence numbers."""
    return Bits(packed(numbers))

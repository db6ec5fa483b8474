"""Benchmarks that are runs of ``bench run`` alone: paced, drained, end to end, and their memory."""

from collections.abc import Callable
from functools import partial

from tests.benchmarks.arms import Tree
from tests.benchmarks.figures import Figure, Measurement, Record


def run_of(*arguments: str) -> Callable[[Tree], Record]:
    """What measures a tree by the record of one run."""
    return partial(_run, arguments)


def _run(arguments: tuple[str, ...], tree: Tree) -> Record:
    return tree.record_of(*arguments)


def generator_cores(record: Record) -> float:
    """Cores of the producer processes alone, from the run's start to their last reply."""
    return float(record["resources"]["generator_cpu_cores"])


def worker_cores(record: Record) -> float:
    """Cores of the worker processes."""
    return float(record["resources"]["worker_cpu_cores"])


def server_cores(record: Record) -> float:
    """Cores of the server."""
    return float(record["resources"]["server_cpu_cores"])


def enqueued_per_s(record: Record) -> float:
    """Tasks enqueued a second."""
    return float(record["rates"]["enqueued_per_s"])


def completed_per_s(record: Record) -> float:
    """Tasks completed a second."""
    return float(record["rates"]["completed_per_s"])


def off_percent(record: Record) -> float:
    """By how much the rate missed the one that was asked for."""
    return abs(enqueued_per_s(record) / float(record["rates"]["asked_per_s"]) - 1) * 100


def milliseconds(interval: str, statistic: str) -> Callable[[Record], float]:
    """What reads a statistic of an interval, such as ``p99_s`` of ``schedule_lag``, in ms."""
    return lambda record: float(record["latency"][interval]["all"][statistic]) * 1e3


lag_ms = milliseconds("schedule_lag", "p99_s")


def lost(record: Record) -> float:
    """Number of tasks that were lost."""
    return float(record["counts"]["lost"])


def _paced(rate: int, cores: str, lag: str) -> Measurement:
    return Measurement(
        run_of("default", "--workers", "0", "--duration", "8s", "--rate", str(rate)),
        [
            Figure(f"open loop at {rate:,}/s, producer's CPU", generator_cores, ".3f", "", cores),
            Figure("… schedule_lag p99", lag_ms, ".2f", "ms", lag),
            Figure("… rate off by", off_percent, ".3f", "%", "≤ 0.1 %", is_compared=False),
        ],
    )


def _slowly_paced(rate: str) -> Measurement:
    return Measurement(
        run_of("default", "--workers", "0", "--duration", "60s", "--rate", rate),
        [
            Figure(
                f"open loop at {rate}, rate off by",
                off_percent,
                ".3f",
                "%",
                "≤ 0.1 %",
                is_compared=False,
            ),
            Figure("… schedule_lag max", milliseconds("schedule_lag", "max_s"), ".2f", "ms"),
            Figure("… producer's CPU", generator_cores, ".4f"),
        ],
    )


def _latency(name: str, prefetch: int, target: str) -> Measurement:
    return Measurement(
        run_of("latency", "--duration", "8s", "--prefetch", str(prefetch)),
        [
            Figure(
                f"end to end p50 at 1,000/s, {name}",
                milliseconds("e2e", "p50_s"),
                ".3f",
                "ms",
                target,
            ),
            Figure("… p99", milliseconds("e2e", "p99_s"), ".2f", "ms"),
        ],
    )


def _one_by_one(concurrency: int, tasks: int, target: str) -> Measurement:
    words = ("--tasks", str(tasks), "--prefetch", "1", "--concurrency", str(concurrency))
    return Measurement(
        run_of("backlog", *words),
        [
            Figure(
                f"worker one by one, concurrency {concurrency}",
                completed_per_s,
                ",.0f",
                "tasks/s",
                target,
            ),
            Figure("… worker's CPU", worker_cores, ".2f", "cores"),
            Figure("… server's CPU", server_cores, ".2f", "cores"),
        ],
    )


def _memory(tree: Tree) -> tuple[float, float]:
    """Megabytes of the harness for a million tasks and for ten million."""
    records = (
        tree.record_of("e2e-max", "--tasks", str(tasks), "--drain-timeout", "300s")
        for tasks in (1_000_000, 10_000_000)
    )
    first, second = (float(each["resources"]["harness_memory_bytes"]) / 1e6 for each in records)
    return first, second


PACING = (
    _paced(1000, "≤ 0.10 cores", "≤ 0.3 ms"),
    _paced(10_000, "≤ 0.25 cores", "≤ 0.4 ms"),
    _paced(50_000, "≤ 0.35 cores", "≤ 0.8 ms"),
    _paced(100_000, "", ""),
)
SLOW_PACING = (_slowly_paced("0.5/s"), _slowly_paced("90/min"))
LATENCY = (_latency("in batches", 64, "≤ 0.35 ms"), _latency("one by one", 1, "≤ 0.45 ms"))
WORKER = (_one_by_one(1, 15_000, "≥ 3,150/s"), _one_by_one(10, 40_000, "≥ 8,600/s"))
E2E = (
    Measurement(
        run_of("e2e-max"),
        [
            Figure("end to end, sustained", completed_per_s, ",.0f", "tasks/s", "≥ 45,000"),
            Figure("… lost", lost, ",.0f", "", "0", is_compared=False),
        ],
    ),
)
MEMORY = (
    Measurement(
        _memory,
        [
            Figure("memory at 1,000,000 tasks", lambda mb: mb[0], ".0f", "MB", "≤ 200 MB"),
            Figure("… at 10,000,000", lambda mb: mb[1], ".0f", "MB", "≤ 200 MB"),
            Figure("… ratio", lambda mb: mb[1] / mb[0], ".2f", "", "≤ 1.1"),
        ],
    ),
)

"""Measures the project's own targets and prints them as a table.

    python -m tests.benchmarks [--only NAME ...] [--server-binary redis-server] [--repeat 3]

Each figure is a median over the repetitions, and each comparison a ratio within one repetition,
against the mean of the peer before and after, since a machine's speed drifts. Nothing else should
run on the machine meanwhile. Names: ceiling, layouts, drain, e2e, pacing, latency, locust, memory
(ten minutes; left out unless named).
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.redisio import embedded
from bench.wire import stamps
from tests.benchmarks import locust_runs, redis_benchmark
from tests.benchmarks.redis_benchmark import Peer

Row = tuple[str, str, str]
"""What, measured, target."""

_PAYLOAD = stamps.head(stamps.MAX_US, stamps.MAX_US) + b',"data":""}'


def bench_run(binary: str | None, *arguments: str) -> dict[str, Any]:
    """A run's record."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "record.json"
        where = ["--server-binary", binary] if binary else []
        command = [sys.executable, "-m", "bench", "run", *arguments, *where]
        subprocess.run([*command, "--quiet", "-o", str(path)], check=False, capture_output=True)
        record: dict[str, Any] = json.loads(path.read_text())
    if record["verdict"] != "valid":
        print(f"  not valid: {record['verdict']}: {record['warnings']}", file=sys.stderr)
    return record


def spread(values: list[float], form: str = ",.0f") -> str:
    """Median, and the range where there is one."""
    text = f"{statistics.median(values):{form}}"
    if len(values) > 1:
        text += f" ({min(values):{form}} to {max(values):{form}})"
    return text


def bracketed(
    binary: str | None,
    peer: Callable[[str | None, bytes], Peer],
    run: Callable[[], dict[str, Any]],
) -> tuple[dict[str, Any], Peer]:
    """A run's record, and the mean of the peer's figures on fresh servers before and after it."""
    before, record, after = peer(binary, _PAYLOAD), run(), peer(binary, _PAYLOAD)
    cpu_us = (before.server_cpu_us + after.server_cpu_us) / 2
    return record, Peer((before.per_s + after.per_s) / 2, cpu_us)


def ceiling(binary: str | None, repeat: int) -> Iterator[Row]:
    """The enqueue ceiling against redis-benchmark and against redis-py."""
    own, pairs, clients, server_cores, generator_cores, costs = [], [], [], [], [], []
    for _ in range(repeat):
        record, pair = bracketed(
            binary, redis_benchmark.enqueue_pair, lambda: bench_run(binary, "enqueue-max")
        )
        pairs.append(pair.per_s)
        costs.append(record["resources"]["server_cpu_us_per_task"] / pair.server_cpu_us)
        own.append(record["rates"]["enqueued_per_s"])
        server_cores.append(record["resources"]["server_cpu_cores"])
        generator_cores.append(record["resources"]["generator_cpu_cores"])
        client = bench_run(binary, "enqueue-max", "--tasks", "150000", "--producer", "redis-py")
        clients.append(client["rates"]["enqueued_per_s"])
    against_pair = [one / other for one, other in zip(own, pairs, strict=True)]
    against_client = [one / other for one, other in zip(own, clients, strict=True)]
    yield "enqueue ceiling", f"{spread(own)} tasks/s", ""
    yield "redis-benchmark, the two commands combined", f"{spread(pairs)} tasks/s", ""
    yield "redis-py pipelines of the same batch", f"{spread(clients)} tasks/s", ""
    yield "ceiling / redis-benchmark", spread(against_pair, ".2f"), "≥ 1.0"
    yield "server CPU for a task / for redis-benchmark's", spread(costs, ".2f"), ""
    yield "ceiling / redis-py", spread(against_client, ".1f"), "≥ 6"
    yield "server CPU at the ceiling", f"{spread(server_cores, '.2f')} cores", "≥ 0.97"
    yield "generator CPU at the ceiling", f"{spread(generator_cores, '.2f')} cores", "≤ 0.35"


def layouts(binary: str | None, repeat: int) -> Iterator[Row]:
    """The asynq layout's ceilings against the runqy layout's before and after."""

    def per_s(*words: str) -> float:
        return float(bench_run(binary, "enqueue-max", *words)["rates"]["enqueued_per_s"])

    shares: dict[str, list[float]] = {"": [], "--duplicate-check": []}
    for _ in range(repeat):
        for flag, found in shares.items():
            before = per_s()
            asynq = per_s("--layout", "asynq", *([flag] if flag else []))
            found.append(asynq / ((before + per_s()) / 2))
    yield "asynq layout / runqy layout, ceiling", spread(shares[""], ".2f"), "≥ 0.60"
    yield "… with the duplicate check", spread(shares["--duplicate-check"], ".2f"), ""


def drain(binary: str | None, repeat: int) -> Iterator[Row]:
    """The batched worker against the server's own limit for its sequence."""
    own, limits = [], []
    for _ in range(repeat):
        record, limit = bracketed(
            binary, redis_benchmark.worker_sequence, lambda: bench_run(binary, "backlog")
        )
        limits.append(limit.per_s)
        own.append(record["rates"]["completed_per_s"])
    shares = [one / limit for one, limit in zip(own, limits, strict=True)]
    yield "worker drain, batched", f"{spread(own)} tasks/s", ""
    yield "redis-benchmark, the worker's commands combined", f"{spread(limits)} tasks/s", ""
    yield "drain / limit", spread(shares, ".2f"), "≥ 0.80"


def e2e(binary: str | None, repeat: int) -> Iterator[Row]:
    """Producer, worker and server together."""
    records = [bench_run(binary, "e2e-max") for _ in range(repeat)]
    rates = [record["rates"]["completed_per_s"] for record in records]
    lost = sum(record["counts"]["lost"] for record in records)
    yield "end to end, sustained", f"{spread(rates)} tasks/s, {lost} lost", "≥ 45,000, 0 lost"


def pacing(binary: str | None, repeat: int) -> Iterator[Row]:
    """Open loops without a worker: what was asked against what was done."""
    for rate, limit_ms in ((1000, 0.5), (10_000, 0.5), (50_000, 1.0)):
        arguments = ("default", "--workers", "0", "--duration", "10s", "--rate", str(rate))
        records = [bench_run(binary, *arguments) for _ in range(repeat)]
        off = [abs(record["rates"]["enqueued_per_s"] / rate - 1) * 100 for record in records]
        lag = [record["latency"]["schedule_lag"]["all"]["p99_s"] * 1e3 for record in records]
        cores = [record["resources"]["generator_cpu_cores"] for record in records]
        yield f"pacing at {rate:,}/s, off by", f"{spread(off, '.3f')} %", "≤ 0.1 %"
        yield (
            f"… schedule_lag p99 ({statistics.median(cores):.2f} cores)",
            (f"{spread(lag, '.2f')} ms"),
            f"≤ {limit_ms} ms",
        )


def latency(binary: str | None, repeat: int) -> Iterator[Row]:
    """End to end at 1000/s with no work in the task."""
    for name, prefetch in (("in batches", "64"), ("one by one", "1")):
        arguments = ("latency", "--duration", "10s", "--prefetch", prefetch)
        records = [bench_run(binary, *arguments) for _ in range(repeat)]
        medians = [record["latency"]["e2e"]["all"]["p50_s"] * 1e3 for record in records]
        yield f"end to end p50 at 1,000/s, {name}", f"{spread(medians, '.2f')} ms", "≤ 0.5 ms"


def memory(binary: str | None, repeat: int) -> Iterator[Row]:
    """The harness's memory for ten million tasks against one million."""
    sizes = {}
    for tasks in (1_000_000, 10_000_000):
        arguments = ("--tasks", str(tasks), "--drain-timeout", "300s")
        record = bench_run(binary, "e2e-max", *arguments)
        sizes[tasks] = record["resources"]["harness_memory_bytes"] / 1e6
        yield f"memory at {tasks:,} tasks", f"{sizes[tasks]:.0f} MB", "≤ 200 MB"
    yield "10 million against 1 million", f"{sizes[10_000_000] / sizes[1_000_000]:.2f}", "≤ 1.1"


def locust(binary: str | None, repeat: int) -> Iterator[Row]:
    """One Locust process against a plain Locust user, against bench run, and its pacing."""
    own, plain, alone, off, lag = [], [], [], [], []
    for _ in range(repeat):
        with embedded.running(binary) as started:
            plain.append(locust_runs.plain_rate(started.url))
        alone.append(bench_run(binary, "enqueue-max")["rates"]["enqueued_per_s"])
        record = locust_runs.record_of(binary, *locust_runs.ENQUEUE_MAX)
        own.append(record["rates"]["enqueued_per_s"])
        paced = locust_runs.record_of(binary, *locust_runs.PACED)
        off.append(abs(paced["rates"]["enqueued_per_s"] / 5000 - 1) * 100)
        lag.append(paced["latency"]["schedule_lag"]["all"]["p99_s"] * 1e3)
    yield "one Locust process, closed loop", f"{spread(own)} tasks/s", ""
    yield "a plain Locust user class, 20 users", f"{spread(plain)} tasks/s", ""
    against_plain = [one / other for one, other in zip(own, plain, strict=True)]
    against_alone = [one / other for one, other in zip(own, alone, strict=True)]
    yield "Locust / plain", spread(against_plain, ".0f"), "≥ 10"
    yield "Locust / bench run alone", spread(against_alone, ".2f"), "≥ 0.5"
    yield "pacing at 5,000/s over 10 users, off by", f"{spread(off, '.3f')} %", "≤ 0.5 %"
    yield "… schedule_lag p99", f"{spread(lag, '.2f')} ms", ""


PARTS: dict[str, Callable[[str | None, int], Iterator[Row]]] = {
    "ceiling": ceiling,
    "layouts": layouts,
    "drain": drain,
    "e2e": e2e,
    "pacing": pacing,
    "latency": latency,
    "locust": locust,
    "memory": memory,
}


def main() -> int:
    """Print a table, row by row as they are measured."""
    parser = argparse.ArgumentParser(description="Measure the project's own targets.")
    parser.add_argument("--only", nargs="+", choices=list(PARTS))
    parser.add_argument("--server-binary", default=None)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    needed = {"ceiling", "drain"} & set(options.only or PARTS)
    if needed and not redis_benchmark.is_installed():
        print("redis-benchmark is missing: install redis-tools", file=sys.stderr)
        return 2
    chosen = options.only or [name for name in PARTS if name != "memory"]
    print(f"| what | {options.server_binary or 'embedded server'} | target |\n|---|---|---|")
    for name in chosen:
        for row in PARTS[name](options.server_binary, options.repeat):
            print("| " + " | ".join(row) + " |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

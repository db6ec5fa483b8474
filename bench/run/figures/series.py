"""A run over time: one row a second."""

import itertools
import math
from collections.abc import Sequence

from bench.measure import summary
from bench.records.run_record import Series
from bench.run.collected import CollectedRun
from bench.run.figures.machine_use import server_samples, use_between
from bench.run.figures.server_use import cores_between
from bench.run.server_sampler import ServerSample

_Column = Sequence[float | None]


def series_of(run: CollectedRun) -> Series:
    """One row a second, from the start to the end of the drain."""
    seconds = max(math.ceil(run.duration_s), 1)
    columns = {
        "second": list(range(seconds)),
        **_events(run, seconds),
        **_samples(run, seconds),
    }
    rows = [list(row) for row in zip(*columns.values(), strict=True)]
    return Series(1.0, list(columns), rows)


def _events(run: CollectedRun, seconds: int) -> dict[str, _Column]:
    bins = {
        "offered": [report.offered_by_bin for report in run.producers],
        "enqueued": [report.enqueued_by_bin for report in run.producers],
        "started": [report.started_by_bin for report in run.workers],
        "finished": [report.finished_by_bin for report in run.workers],
    }
    return {
        name: summary.per_second(summary.add_bins(parts), seconds) for name, parts in bins.items()
    }


def _samples(run: CollectedRun, seconds: int) -> dict[str, _Column]:
    """Latencies and samples of the server; None in seconds without one."""
    by_second = {sample.offset_us // 1_000_000: sample for sample in run.samples}
    samples = [by_second.get(second) for second in range(seconds + 1)]
    backlog: dict[str, _Column] = {
        f"backlog:{queue}": [
            None if sample is None else sample.backlog[index] for sample in samples[:-1]
        ]
        for index, queue in enumerate(run.scenario.queues)
    }
    return {
        **backlog,
        "e2e_p50_s": summary.second_percentiles(run.workers, 50, seconds),
        "e2e_p99_s": summary.second_percentiles(run.workers, 99, seconds),
        "server_cpu_cores": [
            _cores(earlier, later) for earlier, later in itertools.pairwise(samples)
        ],
        "server_memory_bytes": [
            None if sample is None else sample.memory_bytes for sample in samples[:-1]
        ],
        **_machine(run, seconds),
    }


def _machine(run: CollectedRun, seconds: int) -> dict[str, _Column]:
    """What the machine's cores did in each second; None in seconds without a sample."""
    by_second = {sample.offset_us // 1_000_000: sample for sample in run.machine}
    samples = [by_second.get(second) for second in range(seconds + 1)]
    server = server_samples(run)
    used = [
        None if earlier is None or later is None else use_between(run, earlier, later, server)
        for earlier, later in itertools.pairwise(samples)
    ]
    return {
        f"machine_{name}": [None if each is None else getattr(each, name) for each in used]
        for name in ("user_cores", "system_cores", "steal_cores", "other_cores")
    }


def _cores(earlier: ServerSample | None, later: ServerSample | None) -> float | None:
    return None if earlier is None or later is None else cores_between(earlier, later)

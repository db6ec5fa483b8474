"""What a run cost in CPU, memory, commands and bytes."""

from collections.abc import Sequence

from bench.measure.ledger import Counts
from bench.measure.reports import ProducerReport, WorkerReport
from bench.records.resources import Resources
from bench.run.collected import CollectedRun
from bench.run.figures.machine_use import machine_use
from bench.run.figures.rates import Window, drain_window
from bench.run.figures.server_commands import server_commands
from bench.run.figures.server_use import (
    cores_between,
    costs_by_node,
    costs_per_task,
    main_cores_between,
)
from bench.run.server_sampler import ServerSample


def resources_in(run: CollectedRun, counts: Counts, window: Window) -> Resources:
    """CPU and memory of all processes, and what a task cost the server.

    What the server and the machine did is measured in the window, or during the drain of a run
    whose workers start after the fill.
    """
    window = busy_window(run, window)
    return Resources(
        machine=machine_use(run, window),
        generator_cpu_cores=_cores(run.producers),
        worker_cpu_cores=_cores(run.serving_workers),
        server_cpu_cores=_server_cores(run.samples, window),
        generator_loop_lag_p99_s=loop_lag_p99_s(run),
        harness_memory_bytes=run.own_peak_memory_bytes
        + sum(report.peak_memory_bytes for report in run.producers)
        + sum(report.peak_memory_bytes for report in run.workers)
        + (0 if run.seen.hiccups is None else run.seen.hiccups.peak_memory_bytes),
        server_nodes=costs_by_node(run, counts),
        server_commands=server_commands(run, counts),
        **costs_per_task(run, counts),
    )


def busy_window(run: CollectedRun, window: Window) -> Window:
    """The part of a run that shows what limited it: the window, or the part of a drain after a fill
    in which tasks finished."""
    if run.scenario.worker_start == "after-fill" and run.drain_started_s is not None:
        drain = drain_window([report.finished_by_bin for report in run.workers])
        return drain if drain.length_s else Window(run.drain_started_s, run.duration_s)
    return window


def loop_lag_p99_s(run: CollectedRun) -> float | None:
    """The worst p99 of the lateness of a producer's event loop; None where none has one."""
    worst_us = max((report.loop_lag_p99_us for report in run.producers), default=0.0)
    return worst_us / 1e6 if worst_us else None


def _cores(reports: Sequence[ProducerReport | WorkerReport]) -> float | None:
    """Cores that processes used on average, all together; None without processes."""
    if not reports:
        return None
    return sum(report.cpu_s / report.elapsed_s for report in reports if report.elapsed_s > 0)


def _server_cores(samples: Sequence[ServerSample], window: Window) -> float | None:
    """Cores that the server used between its first and its last sample in the window."""
    inside = _nearest(samples, window)
    return None if inside is None else cores_between(*inside)


def command_cores(run: CollectedRun, window: Window) -> float | None:
    """Cores that the thread used which runs the server's commands; those of the whole server where
    it does not tell them apart."""
    inside = _nearest(run.samples, busy_window(run, window))
    if inside is None:
        return None
    first, last = inside
    cores = main_cores_between(first, last)
    return cores_between(first, last) if cores is None else cores


def _nearest(
    samples: Sequence[ServerSample], window: Window
) -> tuple[ServerSample, ServerSample] | None:
    """The first and the last sample in the window, or else those nearest to its ends."""
    inside = [sample for sample in samples if window.includes(sample.offset_us)]
    if len(inside) < 2:
        before = [each for each in samples if each.offset_us / 1e6 <= window.start_s][-1:]
        after = [each for each in samples if each.offset_us / 1e6 >= window.end_s][:1]
        inside = [*(before or samples[:1]), *(after or samples[-1:])]
    if len(inside) < 2 or inside[0] is inside[-1]:
        return None
    return inside[0], inside[-1]

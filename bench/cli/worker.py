"""``bench worker``: a standalone worker."""

import sys

from bench.cli.field_flags import WorkerFlags
from bench.cli.messages import notify
from bench.cli.metrics_flags import MetricsFlags
from bench.cli.options import ServerFlags, require_readable
from bench.errors import UsageError
from bench.layouts import registry
from bench.metrics.worker_metrics import BOUNDS_US, worker_snapshot
from bench.names import require_queue_name
from bench.worker.batch import WorkerSettings
from bench.worker.process import settings_of
from bench.worker.served import ServedMonitor
from bench.worker.standalone import serve
from bench.worker.stop_requests import stopped_by_signals
from bench.workload.resolve import SUB_QUEUES, parent_queue, resolve


def worker(
    parent: str,
    /,
    *,
    flags: WorkerFlags | None = None,
    where: ServerFlags | None = None,
    exports: MetricsFlags | None = None,
) -> int:
    """Serve all sub-queues of a parent queue until stopped.

    Tasks of 'bench run --external-workers', on this or another host, are measured and reported to
    that run. Without --queues and --priorities, the worker serves the sub-queues high, default and
    low.

    Parameters
    ----------
    parent
        Parent queue to register for, such as inference.
    """
    require_queue_name(parent)
    url = (where or ServerFlags()).require_url()
    changes = (flags or WorkerFlags()).changes()
    named = registry.find(str(changes.get("layout", registry.default.name)))
    layout = (named or registry.default).layout  # reading the fields reports an unknown one
    every = ",".join(f"{parent}{layout.separator}{each}" for each in SUB_QUEUES)
    defaults = {
        # A worker sends nothing: where only priorities are given, they name its sub-queues.
        "queues": changes.get("priorities", every),
        "rate": "max",
        "duration": "1s",
    }
    require_readable(changes)
    scenario = resolve({**defaults, **changes}, "flags")
    if parent_queue(scenario) != parent:
        raise UsageError(f"--queues: {', '.join(scenario.queues)} are not sub-queues of {parent!r}")
    settings = settings_of(scenario)

    def on_ready() -> None:
        sys.stderr.write(f"serving {_served(settings)}; press Ctrl-C to stop\n")

    with (exports or MetricsFlags()).exporting() as exporter:
        monitor = None
        if exporter is not None:
            publish = exporter.publish
            monitor = ServedMonitor(
                lambda state: publish(worker_snapshot(state, scenario.layout)), BOUNDS_US
            )
        with stopped_by_signals() as requests:
            serve(url, parent, settings, requests, notify, on_ready, monitor)
    return 0


def _served(settings: WorkerSettings) -> str:
    """The sub-queues, highest priority first, with the weights by which they are drawn."""
    if settings.priority == "strict":
        return ", ".join(settings.queues)
    weights = (f"{name}={weight:g}" for name, weight in settings.queues.items())
    return f"{', '.join(weights)} (weighted)"

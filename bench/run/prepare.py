"""The first phase of a run: everything that can fail before a task is sent."""

from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import redis

from bench import pinning
from bench.clock import Clock, Offset, RunClock
from bench.ipc.messages import StartProducer
from bench.ipc.progress_board import ProgressBoard
from bench.redisio import clock_sync, server_info
from bench.redisio.durability import require_durability
from bench.redisio.end_counters import EndCounters
from bench.redisio.marker import Marker
from bench.redisio.other_layouts import other_layout_note
from bench.redisio.server_info import ServerUsage
from bench.run import guard_monitor
from bench.run.cleanup import Cleanup
from bench.run.draining import DrainMonitor
from bench.run.fleet import Fleet, StopRequested
from bench.run.guard_monitor import ChosenGuards, GuardMonitor
from bench.run.machine_sampler import MachineSampler
from bench.run.machine_watch import MachineWatch
from bench.run.network import RunNetwork
from bench.run.request import RunRequest
from bench.run.server_sampler import ServerSampler
from bench.run.workers import Workers
from bench.workload.scenario import Scenario


@dataclass(frozen=True, kw_only=True)
class PreparedRun:
    """A run whose processes are connected and wait for its time line."""

    request: RunRequest
    scenario: Scenario
    """The request's scenario, with the number of producers that there are."""
    run_id: int
    client: redis.Redis
    fleet: Fleet
    workers: Workers
    clock: Clock
    offset: Offset
    """From this host's monotonic clock to the server's."""
    server: dict[str, object]
    """Product, version and settings of the server, for the record."""
    usage_before: ServerUsage
    marker: Marker
    cleanup: Cleanup
    sampler: ServerSampler
    guards: GuardMonitor
    machine: MachineSampler
    draining: DrainMonitor
    board: ProgressBoard | None
    """Where producers note their progress; None where they cannot."""
    counters: EndCounters
    layout_note: str
    """A sentence where another layout lives on the server; empty if none does."""
    network: RunNetwork | None = None
    """What the run's tasks go through; None where they connect directly."""
    watch: MachineWatch = field(default_factory=MachineWatch)
    """What watches the machine."""


def prepare(
    request: RunRequest,
    client: redis.Redis,
    fleet: Fleet,
    run_id: int,
    should_stop: StopRequested,
    network: RunNetwork | None = None,
) -> PreparedRun:
    """Check the server, and start every process of the run.

    Raises UsageError, MeasurementError, RunAborted, ServerUnreachable and redis-py's errors.
    """
    queues, layout = list(request.scenario.queues), request.scenario.wire_layout
    cleanup = Cleanup(client, layout, queues)
    chosen = require_possible(request, client, cleanup)
    clock = RunClock((offset := clock_sync.measure_offset(client)).offset_us)
    producers = fleet.gather(request.scenario, should_stop)
    scenario = msgspec.structs.replace(request.scenario, producers=producers)
    board = fleet.make_progress_board(producers)
    workers = Workers(fleet, request, scenario, run_id, offset.offset_us, clock, board)
    watch = MachineWatch(fleet.start_watcher(), scenario, traces=request.traces_hiccups)
    _start_producers(fleet, request, scenario, run_id, offset, board)
    workers.start(client)
    fleet.await_ready(should_stop)
    layout_note = other_layout_note(client, layout)
    cleanup.prepare(clock.now_us() // 1_000_000)
    (marker := Marker(client, run_id)).set(clock.now_us())
    return PreparedRun(
        counters=EndCounters(client, layout, queues),
        request=request,
        scenario=scenario,
        run_id=run_id,
        client=client,
        fleet=fleet,
        workers=workers,
        clock=clock,
        offset=offset,
        server=server_info.describe(client, request.url),
        usage_before=server_info.read_usage(client),
        marker=marker,
        cleanup=cleanup,
        sampler=(sampler := ServerSampler(client, layout, queues, request.is_monitored)),
        guards=GuardMonitor(chosen, sampler, queues),
        machine=MachineSampler(fleet, workers, network, watch=watch),
        draining=DrainMonitor(client, layout, queues, clock),
        board=None if board is None else ProgressBoard(Path(board), producers),
        layout_note=layout_note,
        network=network,
        watch=watch,
    )


def require_possible(request: RunRequest, client: redis.Redis, cleanup: Cleanup) -> ChosenGuards:
    """Returns the guards of a run that may begin on this server; writes nothing.

    Raises UsageError where queues hold tasks of others or a guard cannot be known, RunAborted where
    one holds already, and redis-py's errors.
    """
    if not request.allow_shared:
        cleanup.require_empty_queues()
    require_durability(client, request.scenario.ack)
    return guard_monitor.choose(client, request.scenario, owns_server=request.owns_server)


def _start_producers(
    fleet: Fleet,
    request: RunRequest,
    scenario: Scenario,
    run: int,
    offset: Offset,
    progress_board: str | None,
) -> None:
    for number in range(scenario.producers):
        message = StartProducer(
            request.task_url,
            scenario,
            run,
            number,
            offset.offset_us,
            request.with_latency_counts,
            progress_board,
            request.latency_bounds_us,
            pinning.of_process(request.pinning.producers, number, scenario.producers),
        )
        fleet.start_producer(f"producer {number}", message)

"""The last phase of a run: stop its workers, and collect everything that the record needs."""

import contextlib
import functools
from collections.abc import Mapping, Sequence

import redis

from bench import environment
from bench.clock import Offset
from bench.errors import MeasurementError, ServerUnreachable
from bench.ipc.messages import Stop
from bench.measure.canary import Canaries, Canary
from bench.measure.endings import CountedEnds, CounterReadings
from bench.measure.hiccups import HiccupReport
from bench.measure.reports import ProducerReport, WorkerReport
from bench.observer.task_queries import TaskQueries
from bench.redisio import clock_sync, server_info, task_keys
from bench.redisio.clock_sync import Agreement
from bench.redisio.connection import ConnectionLost, RawConnection
from bench.redisio.server_info import ServerUsage, is_same_process
from bench.run.collected import CollectedRun, GuardOutcome, RemainingTasks, SeenOfMachine
from bench.run.fleet import ProcessHandle
from bench.run.prepare import PreparedRun
from bench.run.reconcile import (
    Died,
    ReconciledTasks,
    known_sets,
    look_up,
    restored,
)
from bench.run.remaining import completed_gone, find_remaining
from bench.run.supervisor import INTERRUPTED_TIMEOUT_S, Supervisor
from bench.usage import peak_memory_bytes
from bench.wire import ids
from bench.wire.columns import read_ids

_FINAL_REPORT_TIMEOUT_S = 15.0
_SILENCE = "the server stopped answering: what is left in its queues is not known"


def collect(supervisor: Supervisor, canary: Canary | None = None) -> CollectedRun:
    """Stop the workers, take the final reports, and read what is left in the lists; ``canary`` is
    the one that was timed before the run."""
    prepared, state = supervisor.prepared, supervisor.state
    hiccups = prepared.watch.end()
    usage_after, own_commands = _usage_after(prepared), _own_commands(supervisor)
    remaining, counted = _stop_all(supervisor)
    duration_s = supervisor.running.offset_us() / 1e6
    _note_failures(supervisor)
    clocks = _clocks(supervisor)
    supervisor.show("stopping")
    workers, producers = supervisor.worker_reports(), _producers(supervisor)
    return CollectedRun(
        run_id=prepared.run_id,
        started_at=supervisor.running.started_at,
        duration_s=duration_s,
        command=prepared.request.command,
        scenario=prepared.scenario,
        environment=_environment(prepared, len(producers), _serving(workers)),
        server=prepared.server,
        line=supervisor.running.line,
        most_warmup_s=prepared.scenario.most_warmup_s,
        drain_started_s=state.drain_started_s,
        producers=producers,
        workers=workers,
        has_remote_workers=bool(state.remote_reports),
        remaining=remaining,
        looked_up=_look_up(supervisor, producers, workers, remaining),
        counted=_readings(counted, _counted(prepared)),
        samples=tuple(prepared.sampler.samples),
        backlogs=tuple(prepared.sampler.backlogs),
        machine=tuple(prepared.machine.samples),
        machine_limits=prepared.machine.limits(prepared.request.url, prepared.offset),
        usage_before=prepared.usage_before,
        usage_after=usage_after,
        completed_gone=_completed_gone(prepared, workers, usage_after, remaining),
        own_commands=own_commands,
        own_peak_memory_bytes=peak_memory_bytes(),
        clock_error_us=clocks.error_us,
        clocks_apart_us=clocks.apart_us,
        layout_note=prepared.layout_note,
        interruptions=tuple(state.interruptions),
        network=None if prepared.network is None else prepared.network.use,
        guards=GuardOutcome(prepared.guards.expressions, state.aborted),
        drain_waited_for=state.drain_waited_for,
        leases=state.leases if state.drain_waited_for else None,
        faults=supervisor.injector.faults,
        seen=_seen(supervisor, hiccups, canary),
        until=supervisor.until_result,
    )


def _environment(prepared: PreparedRun, producers: int, workers: int) -> dict[str, object]:
    pinned = prepared.request.pinning.text
    return {**environment.describe(producers, workers), **({"pinning": pinned} if pinned else {})}


def _seen(
    supervisor: Supervisor, hiccups: HiccupReport | None, before: Canary | None
) -> SeenOfMachine:
    """What was seen of the machine. A user who wants the run to end waits for no second canary."""
    watch, canaries = supervisor.prepared.watch, None
    if before is not None:
        is_cut_short = supervisor.state.is_cut_short
        canaries = Canaries(before, None if is_cut_short else watch.canary())
    return SeenOfMachine(hiccups, canaries, watch.problem)


def _stop_all(
    supervisor: Supervisor,
) -> tuple[RemainingTasks, Mapping[str, CountedEnds]]:
    """Stop all processes; returns what the lists and the queues' counters then hold."""
    prepared = supervisor.prepared
    _give_up(prepared.fleet.producers, INTERRUPTED_TIMEOUT_S)
    _stop(supervisor, prepared.workers.serving)
    # Read before the observer's final queries, so that a task that ends in between is found twice
    # rather than never.
    remaining, counted = _find_remaining(supervisor), _counted(prepared)
    _stop(supervisor, prepared.workers.observers)
    return remaining, counted


def _serving(workers: Sequence[WorkerReport]) -> int:
    return sum(report.observed is None for report in workers)


def _usage_after(prepared: PreparedRun) -> ServerUsage | None:
    """The server's counters; read before an observer's final queries, which would otherwise count
    as a cost of the tasks."""
    with contextlib.suppress(redis.exceptions.RedisError):
        return server_info.read_usage(prepared.client)
    return None


def _own_commands(supervisor: Supervisor) -> int:
    """Commands of the run and an observer so far, which the tasks' costs leave out."""
    observers = [report.observed for report in supervisor.worker_reports()]
    prepared = supervisor.prepared
    own = prepared.draining.commands + prepared.marker.commands + prepared.sampler.commands
    return own + sum(observed.commands for observed in observers if observed is not None)


def _stop(supervisor: Supervisor, workers: Sequence[ProcessHandle[WorkerReport]]) -> None:
    """Tell workers to stop, and wait for their final reports as long as new reports come."""
    for worker in workers:
        worker.send(Stop())
    clock = supervisor.prepared.clock
    is_cut_short = supervisor.state.is_cut_short
    timeout_s = INTERRUPTED_TIMEOUT_S if is_cut_short else _FINAL_REPORT_TIMEOUT_S
    deadline_us, newest = 0, -1
    while not all(worker.is_done for worker in workers):
        revisions = sum(worker.report.revision for worker in workers if worker.report is not None)
        if revisions != newest:
            newest = revisions
            deadline_us = clock.now_us() + round(timeout_s * 1e6)
        if clock.now_us() > deadline_us:
            break
        supervisor.turn("stopping")
    _give_up(workers, timeout_s)


def _give_up(
    processes: Sequence[ProcessHandle[ProducerReport]] | Sequence[ProcessHandle[WorkerReport]],
    waited_s: float,
) -> None:
    """Go on without those that have not ended: what they did from now on would be in no count."""
    for process in processes:
        if not process.is_done:
            process.give_up(f"{process.name} sent no final report within {waited_s:.0f} s")


def _find_remaining(supervisor: Supervisor) -> RemainingTasks:
    try:
        return find_remaining(supervisor.prepared)
    except redis.exceptions.RedisError:
        supervisor.state.interrupt(_SILENCE)
        return RemainingTasks()


def _completed_gone(
    prepared: PreparedRun,
    workers: Sequence[WorkerReport],
    usage_after: ServerUsage | None,
    remaining: RemainingTasks,
) -> int:
    """Number of completed tasks that are not there any more; looked for only after a loss."""
    is_same = usage_after is not None and is_same_process(prepared.usage_before, usage_after)
    if is_same and remaining.has_marker is not False:
        return 0
    with contextlib.suppress(redis.exceptions.RedisError):
        return completed_gone(prepared, workers)
    return 0


def _producers(supervisor: Supervisor) -> list[ProducerReport]:
    """The final report of each producer; of one that died, what is known of it."""
    prepared = supervisor.prepared
    reports = []
    for number, process in enumerate(prepared.fleet.producers):
        report = process.report
        if report is None or not report.final:
            died = Died(number, report, prepared.board, _largest_found(prepared, number))
            report = restored(
                died,
                prepared.scenario,
                supervisor.state.enqueued_until_us,
                supervisor.running.line.start_us,
            )
        reports.append(report)
    return reports


def _largest_found(prepared: PreparedRun, number: int) -> int:
    """The largest sequence number of a producer's tasks in Redis; -1 where it is not needed, as the
    producer has noted its progress, or none is there."""
    if prepared.board is not None:
        return -1
    where = (prepared.client, prepared.scenario.wire_layout, list(prepared.scenario.queues))
    largest = -1
    with contextlib.suppress(redis.exceptions.RedisError):
        for keys in task_keys.scan(*where, prepared.run_id):
            columns = read_ids([key[-ids.ID_LENGTH :] for key in keys], prepared.run_id)
            own = columns.sequence[columns.producer == number]
            largest = max(largest, int(own.max(initial=-1)))
    return largest


def _look_up(
    supervisor: Supervisor,
    producers: Sequence[ProducerReport],
    workers: Sequence[WorkerReport],
    remaining: RemainingTasks,
) -> ReconciledTasks | None:
    """What Redis holds of the tasks of which no report says how they ended; None where all
    processes have sent their final reports, and none was left out. Without an answer it is marked
    as incomplete."""
    prepared = supervisor.prepared
    reports = [
        *(process.report for process in prepared.fleet.producers),
        *(process.report for process in prepared.workers.reporting),
    ]
    is_whole = not supervisor.state.remote_faults
    if is_whole and all(report is not None and report.final for report in reports):
        return None
    if _SILENCE in supervisor.state.interruptions:
        return ReconciledTasks(is_complete=False)
    scenario = prepared.scenario
    try:
        queries = TaskQueries(
            functools.partial(RawConnection, prepared.request.url),
            scenario.wire_layout,
            list(scenario.queues),
            scenario.seen_by,
        )
        with contextlib.closing(queries):
            return look_up(
                queries,
                scenario,
                prepared.run_id,
                producers,
                known_sets(workers, remaining.pending, remaining.active),
                lambda: supervisor.turn("stopping"),
            )
    except (ConnectionLost, ServerUnreachable, MeasurementError):
        supervisor.state.interrupt(_SILENCE)
        return ReconciledTasks(is_complete=False)


def _counted(prepared: PreparedRun) -> dict[str, CountedEnds]:
    """What the queues' counters have gained; nothing where others use the queues, too."""
    if prepared.request.allow_shared:
        return {}
    with contextlib.suppress(redis.exceptions.RedisError):
        return prepared.counters.gained()
    return {}


def _readings(
    first: Mapping[str, CountedEnds], last: Mapping[str, CountedEnds]
) -> dict[str, CounterReadings]:
    return {queue: CounterReadings(first[queue], last[queue]) for queue in first if queue in last}


def _note_failures(supervisor: Supervisor) -> None:
    """Note the processes that ended without a final report, and those that gave up."""
    for process in supervisor.processes:
        exit_reason = process.exit_reason()
        if exit_reason is not None:
            supervisor.state.interrupt(exit_reason)
    errors = [report.error for report in supervisor.producer_reports() if report.error]
    supervisor.state.interruptions += errors


def _read_remote_reports(supervisor: Supervisor) -> None:
    """Read the last reports of remote workers, and leave out those that cannot be counted."""
    try:
        supervisor.poll_remote_reports()
    except redis.exceptions.RedisError:
        supervisor.state.interrupt(_SILENCE)
    supervisor.settle_remote_reports()


def _clocks(supervisor: Supervisor) -> Agreement:
    """How well the clocks of all processes agree by their last reports, which are read for it;
    without an error where that is not known."""
    _read_remote_reports(supervisor)
    prepared, state = supervisor.prepared, supervisor.state
    reports: list[WorkerReport | ProducerReport] = []
    reports += state.remote_reports.values()
    reports += supervisor.producer_reports()
    errors_us = [report.clock_error_us for report in reports]
    taken_for_own = [
        Offset(report.clock_offset_us, report.clock_offset_error_us)
        for report in reports
        if report.shares_clock and report.clock_offset_us is not None
    ]
    try:
        return clock_sync.agreement(prepared.client, prepared.offset, errors_us, taken_for_own)
    except redis.exceptions.RedisError:
        state.interrupt(_SILENCE)
        return Agreement()

"""One run, from a scenario to a record: prepare, start, watch, drain, collect, clean up.

All phases of a run meet here. It takes a URL and never starts a server.
"""

import contextlib
from collections.abc import Callable, Sequence

import msgspec

from bench.faults.injector import Injector
from bench.faults.targets import FaultTargets, ServerTarget
from bench.measure.progress import Progress
from bench.measure.reports import ProducerReport, WorkerReport
from bench.measure.verdict_inputs import quantity
from bench.records.run_record import RecordWarning, RunRecord
from bench.redisio.connection import open_client, translated_errors
from bench.run import killed_runs
from bench.run.build_record import build_record
from bench.run.collect import collect
from bench.run.fleet import Fleet, StopRequested
from bench.run.killed_runs import KilledRun, LeftNote, NotedServer
from bench.run.network import network_of
from bench.run.prepare import PreparedRun, prepare
from bench.run.removal import CleanupScope
from bench.run.request import RunRequest, possible, target_of
from bench.run.start import ActiveRun, start
from bench.run.subprocesses import SubprocessFleet
from bench.run.supervisor import ProgressCallback, RunCallbacks, Supervisor
from bench.run.worker_faults import WorkerFaults
from bench.wire import ids


def execute(
    request: RunRequest,
    on_progress: Callable[[Progress], None],
    should_stop: StopRequested,
    on_measured: Callable[[RunRecord], None] = lambda _: None,
    on_reports: ProgressCallback = lambda *_: None,
) -> RunRecord:
    """Run a scenario in processes of its own, and return what was measured.

    ``should_stop`` is called often. Once it returns True the run ends as soon as it can, and its
    record holds what was measured until then. ``on_measured`` gets the record before anything is
    removed from the server, which may take long or fail. ``on_reports`` gets the reports that the
    progress was made of, for monitoring. Raises ServerUnreachable, UsageError or
    MeasurementError when the run could not begin.
    """
    with SubprocessFleet(forks=True) as fleet:

        def show(
            progress: Progress,
            producers: Sequence[ProducerReport],
            workers: Sequence[WorkerReport],
        ) -> None:
            on_progress(progress)
            on_reports(progress, producers, workers)

        callbacks = RunCallbacks(show, should_stop, on_measured=on_measured)
        return execute_with(fleet, request, callbacks)


def execute_with(fleet: Fleet, request: RunRequest, callbacks: RunCallbacks) -> RunRecord:
    """Run a scenario with the producers and workers of ``fleet``, and return what was measured.

    Raises ServerUnreachable, UsageError or MeasurementError when the run could not begin.
    """
    request = possible(request)
    disturbed = target_of(request)
    with open_client(request.url, wants_end=callbacks.should_stop) as client:
        run_id = ids.new_run()
        with translated_errors(request.url):
            server = killed_runs.server_of(client, request.url)
            left = 0
            if not request.owns_server:
                left = killed_runs.remove_left(client, server, callbacks.should_stop)
        with (
            _noted(request, server, run_id) as note,
            network_of(request) as (routed, network),
        ):
            with translated_errors(request.url):
                prepared = prepare(routed, client, fleet, run_id, callbacks.should_stop, network)
            note.add(prepared.cleanup.registered, prepared.cleanup.new_counters)
            record, problems = _measure(prepared, disturbed, callbacks, note)
            if prepared.guards.chosen.note:
                problems.append(RecordWarning("no_memory_guard", prepared.guards.chosen.note))
    if left:
        problems.append(_removed_left(left))
    return msgspec.structs.replace(record, warnings=[*record.warnings, *problems])


def _noted(
    request: RunRequest, server: NotedServer, run_id: int
) -> contextlib.AbstractContextManager[LeftNote]:
    """A note for the next run, in case that this one is killed; none if what it writes is to be
    kept, or goes with its server."""
    if request.owns_server or request.keep:
        return contextlib.nullcontext(LeftNote())
    return killed_runs.noted(KilledRun.of(run_id, server, request.scenario))


def _removed_left(keys: int) -> RecordWarning:
    return RecordWarning(
        "removed_left",
        f"before the run, {quantity(keys, 'key')} of a command that was killed had to be removed "
        "from the server: nothing needs to be done",
    )


def _injector(running: ActiveRun, server: ServerTarget) -> Injector:
    """What injects the faults of a run's plan."""
    scenario, workers = running.prepared.scenario, running.prepared.workers
    struck = WorkerFaults(workers, lambda: workers.start_another(running.line))
    network = None if running.prepared.network is None else running.prepared.network.control
    targets = FaultTargets(server, struck, network, usual_network=scenario.network)
    return Injector(scenario.faults, targets, running.offset_us, scenario.seed)


def _measure(
    prepared: PreparedRun, server: ServerTarget, callbacks: RunCallbacks, note: LeftNote
) -> tuple[RunRecord, list[RecordWarning]]:
    """Measure a run that has been prepared, and clean its server.

    Returns the record, and warnings about what stays in the server.
    """
    note.is_clean = False
    try:
        canary = prepared.watch.canary()
        running = start(prepared)
        with _injector(running, server) as injector:
            supervisor = Supervisor(running, callbacks, injector)
            supervisor.watch()
            supervisor.drain()
        supervisor.replace_connections()
        record = build_record(collect(supervisor, canary))
    except BaseException as error:
        _end_all(prepared.fleet)
        problem = clean_up(prepared, None)
        note.is_clean = problem is None
        if problem is not None:
            error.add_note(problem.message)
        raise
    # What was measured is worth more than a clean server: it is passed on before, and a failure
    # here is a warning.
    try:
        callbacks.on_measured(record)
    finally:
        supervisor.show("cleaning")
        problem = clean_up(prepared, record)
        note.is_clean = problem is None
    return record, [] if problem is None else [problem]


def _end_all(fleet: Fleet) -> None:
    """End all processes of a run that has failed: they must not write after its clean-up."""
    for producer in fleet.producers:
        producer.give_up("the run has failed")
    for worker in fleet.workers:
        worker.give_up("the run has failed")


def clean_up(prepared: PreparedRun, record: RunRecord | None) -> RecordWarning | None:
    """Remove what the run wrote, unless it is to be kept or the server ends with the run.

    ``record`` is None for a run that has failed. Returns a warning when something of the run stays
    in the server, or may come back.
    """
    request, clock = prepared.request, prepared.clock
    if request.owns_server:
        return None
    counts = {} if record is None else record.queues
    observation = None if record is None else record.observation
    scope = CleanupScope(
        run=prepared.run_id,
        sent=_sent_by_producer(prepared),
        workers=0 if prepared.scenario.is_observed else prepared.workers.started,
        counts=counts,
        counter_rules=None if observation is None else observation.counter_rules,
    )
    problem = prepared.cleanup.clean_up(scope, clock.now_us() // 1_000_000, keep=request.keep)
    if problem is not None or request.keep:
        return problem
    return prepared.workers.still_held(counts)


def _sent_by_producer(prepared: PreparedRun) -> dict[int, int] | None:
    """How many tasks each producer sent; None where that is not known of all of them."""
    sent = {}
    for number, producer in enumerate(prepared.fleet.producers):
        report, board = producer.report, prepared.board
        if board is not None:
            sent[number] = board.sent(number)
        elif report is not None and report.final:
            sent[number] = report.sent
        else:
            return None
    return sent

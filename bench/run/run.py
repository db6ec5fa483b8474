"""One run, from a scenario to a record: prepare, start, watch, drain, collect, clean up.

All phases of a run meet here. It takes a URL and never starts a server.
"""

from collections.abc import Callable, Mapping

import msgspec

from bench.measure.ledger import Counts
from bench.measure.progress import Progress
from bench.records.run_record import RecordWarning, RunRecord
from bench.redisio.connection import open_client, translated_errors
from bench.run.build_record import build_record
from bench.run.collect import collect
from bench.run.fleet import Fleet, StopRequested
from bench.run.prepare import PreparedRun, prepare
from bench.run.request import RunRequest
from bench.run.start import start
from bench.run.subprocesses import SubprocessFleet
from bench.run.supervisor import RunCallbacks, Supervisor


def execute(
    request: RunRequest, on_progress: Callable[[Progress], None], should_stop: StopRequested
) -> RunRecord:
    """Run a scenario in processes of its own, and return what was measured.

    ``should_stop`` is called often. Once it returns True the run ends as soon as it can, and its
    record holds what was measured until then. Raises ServerUnreachable, UsageError or
    MeasurementError when the run could not begin.
    """
    with SubprocessFleet() as fleet:
        callbacks = RunCallbacks(lambda progress, _, __: on_progress(progress), should_stop)
        return execute_with(fleet, request, callbacks)


def execute_with(fleet: Fleet, request: RunRequest, callbacks: RunCallbacks) -> RunRecord:
    """Run a scenario with the producers and workers of ``fleet``, and return what was measured.

    Raises ServerUnreachable, UsageError or MeasurementError when the run could not begin.
    """
    with open_client(request.url) as client:
        with translated_errors(request.url):
            prepared = prepare(request, client, fleet, callbacks.should_stop)
        try:
            supervisor = Supervisor(start(prepared), callbacks)
            supervisor.watch()
            supervisor.drain()
            record = build_record(collect(supervisor))
        except BaseException:
            clean_up(prepared, {})
            raise
        # What was measured is worth more than a clean server: a failure here is a warning.
        problem = clean_up(prepared, record.queues)
        if problem is None:
            return record
        return msgspec.structs.replace(record, warnings=[*record.warnings, problem])


def clean_up(prepared: PreparedRun, counts: Mapping[str, Counts]) -> RecordWarning | None:
    """Remove what the run wrote, unless it is to be kept or the server ends with the run.

    ``counts`` is what became of each queue's tasks, where that is known. Returns a warning when
    something of the run stays in the server, or may come back.
    """
    request, clock = prepared.request, prepared.clock
    if request.owns_server:
        return None
    reports = [producer.report for producer in prepared.fleet.producers]
    sent = {report.number: report.sent for report in reports if report is not None}
    problem = prepared.cleanup.clean_up(
        prepared.run_id, sent, clock.now_us() // 1_000_000, counts, keep=request.keep
    )
    if problem is not None or request.keep:
        return problem
    return prepared.workers.still_held(counts)

"""``bench run``: one run, measured, saved and reported."""

import contextlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import msgspec

from bench import files, result_files
from bench.cli.command_line import command_line
from bench.cli.dry_run import show_dry_run
from bench.cli.field_flags import ScenarioFlags
from bench.cli.interrupts import interruptible
from bench.cli.messages import notify
from bench.cli.options import ServerFlags, scenario_from, scenario_of_seed
from bench.cli.restarts import file_of_start, run_restarts
from bench.cli.restarts import show as show_restarts
from bench.cli.run_flags import RunFlags
from bench.cli.topology_flags import as_target
from bench.errors import ExitCode, UsageError
from bench.locust import launcher
from bench.locust.launcher import LocustCluster
from bench.metrics.exporter import ExportTargets, MetricsExporter
from bench.metrics.monitor import RunMonitor
from bench.records import run_record
from bench.records.run_record import RecordFile, RunRecord
from bench.records.selftest_record import SelftestRecord
from bench.redisio.cluster.layouts import refuse_cluster
from bench.redisio.connection import open_client
from bench.reports.progress import live_view
from bench.reports.run import print_report
from bench.run.awaited_workers import require_server_of_others
from bench.run.request import RunRequest
from bench.run.run import execute
from bench.run.selftest_attachment import load_own
from bench.workload import fault_rules, library
from bench.workload.feed import payloads
from bench.workload.scenario import Scenario


def run(
    scenario: str = library.DEFAULT,
    /,
    *,
    flags: ScenarioFlags | None = None,
    where: ServerFlags | None = None,
    how: RunFlags | None = None,
) -> int:
    """Enqueue tasks at a rate, serve them, measure, and save a record.

    Exits 0 when the run is valid and met all objectives, 4 when it is not valid, 5 when it missed
    an objective, 6 when no server can be reached or keys are left on it, 7 when a guard ended it.

    Parameters
    ----------
    scenario
        A built-in scenario ('bench scenarios' lists them) or a TOML file.
    """
    flags, where, how = flags or ScenarioFlags(), where or ServerFlags(), how or RunFlags()
    how.require_one_end(flags.changes())
    chosen = scenario_from(scenario, flags)
    payloads(chosen)  # reports an unusable payload file before anything starts
    selftest = None if how.selftest is None else load_own(how.selftest)
    url = _checked_url(chosen, where, how)
    if how.dry_run:
        return show_dry_run(chosen, url, how)
    cluster = how.cluster()
    path = _file_of(how, chosen)
    with contextlib.ExitStack() as stack:
        job = _Job(chosen, url, how, cluster, partial(scenario_of_seed, scenario, flags), selftest)
        if cluster is None:
            job.exporter = stack.enter_context(how.exporting(is_quiet=how.hides_progress))
        else:  # Locust's master is then the run, and exports
            job.elsewhere = how.elsewhere(is_quiet=how.hides_progress)
        if how.runs > 1:
            made, code = run_restarts(job.run_number, how.runs, path, is_quiet=how.hides_progress)
            show = partial(show_restarts, made, path, as_json=how.json)
        else:
            finished, is_interrupted = job.run(path)
            code = ExitCode.INTERRUPTED if is_interrupted else run_record.exit_code(finished)
            show = partial(_show, finished, path, as_json=how.json)
        if not how.quiet:
            where.warn_of_password()
        if how.shows_report(path, code):
            show()
    return code


def _checked_url(scenario: Scenario, where: ServerFlags, how: RunFlags) -> str | None:
    """Returns the URL of a server of others, or None. Raises UsageError and ServerUnreachable."""
    url = how.server_url(where)
    if url is None:
        require_server_of_others(scenario, "--workers 1 in place of --external-workers")
    how.require_possible(scenario)
    _check_faults(scenario, how)
    how.require_pinnable(scenario, url)
    how.own_replicas(url, is_distributed=how.distributed)
    if how.distributed and url is not None:
        refuse_cluster(url, "Locust's processes keep")
        open_client(url).close()  # before anybody starts workers for a server that is not there
    return url


def _check_faults(scenario: Scenario, how: RunFlags) -> None:
    """Notes what may not show. Raises ScenarioError for faults that such a run cannot have."""
    if how.distributed:
        fault_rules.require_none(
            scenario, "runs with --distributed have none; remove one of the two"
        )
    if not how.quiet:
        for note in fault_rules.notes(scenario):
            notify(note)


def _file_of(how: RunFlags, scenario: Scenario) -> Path:
    """Returns the file of the record. Raises UsageError where it cannot be written."""
    result_files.use(how.results)
    path = how.output or run_record.default_path(scenario.name)
    if how.runs > 1:
        files.require_file(path, "the record of all starts is saved after each")
        files.require_writable(file_of_start(path, how.runs))
    else:
        files.require_writable(path)
    return path


@dataclass
class _Job:
    """What a command runs, once or several times."""

    scenario: Scenario
    url: str | None
    how: RunFlags
    cluster: LocustCluster | None
    of_seed: Callable[[int], Scenario]
    """The scenario with another seed."""
    selftest: SelftestRecord | None = None
    """What is attached to each record."""
    exporter: MetricsExporter | None = None
    elsewhere: ExportTargets = field(default_factory=ExportTargets)
    """Where Locust's master exports to."""

    def run_number(self, path: Path, number: int) -> tuple[RunRecord, bool]:
        """Returns what ``run`` does, of one of several runs: repetitions draw by further seeds."""
        if self.how.repeat == 1:
            return self.run(path)
        return replace(self, scenario=self.of_seed(self.scenario.seed + number - 1)).run(path)

    def run(self, path: Path) -> tuple[RunRecord, bool]:
        """Returns the record of a run, which is saved, and whether the run was interrupted."""
        how, cluster = self.how, self.cluster
        monitor = RunMonitor(self.exporter, self.scenario)
        with (
            interruptible() as should_stop,
            RecordFile(path) as file,
            contextlib.ExitStack() as stack,
        ):
            url, open_url, own = self.url, None, None
            if url is None and cluster is None:
                server = stack.enter_context(how.own_servers_for(self.scenario))
                url, open_url, own = server.url, server.open_url, as_target(server)
            request = RunRequest(
                url=url or "",
                scenario=self.scenario,
                command=command_line(),
                owns_server=self.url is None,
                open_url=open_url,
                allow_shared=how.allow_shared,
                keep=how.keep,
                server=own,
                faults_on_shared=how.faults_on_shared,
                latency_bounds_us=monitor.bounds_us,
                traces_hiccups=not how.no_hiccups,
                pinning=how.pinning(self.scenario, starts_server=self.url is None),
            )
            show = stack.enter_context(live_view(self.scenario, is_quiet=how.hides_progress))

            def on_measured(record: RunRecord) -> None:
                monitor.settle(record)
                _save(file.save_measured, how, self._attached(record))

            if cluster is None:
                finished = execute(request, show, should_stop, on_measured, monitor.show)
            else:
                finished = launcher.execute(
                    request, how.server_binary, cluster, show, should_stop, self.elsewhere
                )
            monitor.settle(finished)
            finished = self._attached(finished)
            _save(file.save, how, finished)
            return finished, should_stop()

    def _attached(self, record: RunRecord) -> RunRecord:
        if self.selftest is None:
            return record
        return msgspec.structs.replace(record, selftest=self.selftest)


def _save(save: Callable[[RunRecord], None], how: RunFlags, finished: RunRecord) -> None:
    """Save a record. One that cannot be saved there is shown before the error is raised."""
    try:
        save(finished)
    except UsageError:
        if how.json or not how.quiet:
            _show(finished, None, as_json=how.json)
        raise


def _show(finished: RunRecord, path: Path | None, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(run_record.encode(finished).decode())
    else:
        print_report(finished, path)

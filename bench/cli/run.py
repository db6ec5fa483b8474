"""``bench run``: one run, measured, judged, saved and shown."""

import contextlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Group, Parameter

from bench import files
from bench.cli.command_line import command_line
from bench.cli.interrupts import interruptible
from bench.cli.options import URL_VARIABLE, ScenarioFlags, ServerFlags, scenario_from
from bench.errors import ExitCode, UsageError
from bench.locust import launcher
from bench.locust.launcher import LocustCluster
from bench.records import run_record
from bench.records.run_record import RunRecord
from bench.redisio import embedded
from bench.redisio.connection import has_password
from bench.reports.live import live_view
from bench.reports.terminal import print_report
from bench.run.request import RunRequest
from bench.run.run import execute
from bench.workload import library
from bench.workload.feed import payloads

_OUTPUT = Group("Output", sort_key=5)
_HOSTS = Group("Many hosts", sort_key=6)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class RunFlags:
    """Where a run happens and what it leaves."""

    server_binary: Annotated[
        str | None, Parameter(help="Start this server instead of the embedded one.")
    ] = None
    allow_shared: Annotated[
        bool, Parameter(help="Use queues that hold tasks already; our workers will run those too.")
    ] = False
    keep: Annotated[
        bool, Parameter(help="Leave what the run wrote; 'bench clean RECORD' removes it.")
    ] = False
    distributed: Annotated[
        bool, Parameter(group=_HOSTS, help="Enqueue from Locust's worker processes.")
    ] = False
    expect_workers: Annotated[
        int | None,
        Parameter(group=_HOSTS, help="Wait for so many Locust workers from elsewhere."),
    ] = None
    master_bind_host: Annotated[
        str, Parameter(group=_HOSTS, help="Where Locust's master listens for them.")
    ] = "127.0.0.1"
    master_bind_port: Annotated[
        int | None, Parameter(group=_HOSTS, help="And on which port; 5557 by default.")
    ] = None
    output: Annotated[
        Path | None, Parameter(name=("--output", "-o"), group=_OUTPUT, help="The record's file.")
    ] = None
    json: Annotated[bool, Parameter(group=_OUTPUT, help="Print the record alone, as JSON.")] = False
    quiet: Annotated[
        bool, Parameter(group=_OUTPUT, help="No progress, and no report when all is well.")
    ] = False

    def cluster(self) -> LocustCluster | None:
        """Where Locust's workers are, or None for a run on its own. Raises UsageError."""
        if not self.distributed:
            if self.expect_workers is not None or self.master_bind_port is not None:
                raise UsageError("--expect-workers and --master-bind-port go with --distributed")
            return None
        if self.expect_workers is not None and self.expect_workers < 1:
            raise UsageError("--expect-workers: at least one must come")
        if self.expect_workers is None:
            return LocustCluster(None, "127.0.0.1", launcher.free_port())
        port = self.master_bind_port or launcher.DEFAULT_PORT
        cluster = LocustCluster(self.expect_workers, self.master_bind_host, port)
        if not self.quiet:
            sys.stderr.write(
                f"bench: waiting for {self.expect_workers} workers; start each with\n"
                f"    {launcher.joining_line(cluster)}\n"
            )
        return cluster


def run(
    scenario: str = library.DEFAULT,
    /,
    *,
    flags: ScenarioFlags | None = None,
    where: ServerFlags | None = None,
    how: RunFlags | None = None,
) -> int:
    """Enqueue at a rate, serve, measure, and save a record.

    Parameters
    ----------
    scenario
        A built-in scenario ('bench scenarios' lists them) or a TOML file.
    """
    flags, where, how = flags or ScenarioFlags(), where or ServerFlags(), how or RunFlags()
    chosen = scenario_from(scenario, flags)
    payloads(chosen)  # a payload file that cannot be used is told now
    url = where.url()
    if url is not None and how.server_binary is not None:
        named = "--redis-url" if where.redis_url else URL_VARIABLE
        raise UsageError(f"--server-binary starts a server, and {named} names one: choose one")
    cluster = how.cluster()
    path = how.output or run_record.default_path(chosen.name)
    files.require_writable(path)
    with interruptible() as should_stop, contextlib.ExitStack() as stack:
        owns_server = url is None
        if url is None and cluster is None:
            url = stack.enter_context(embedded.running(how.server_binary)).url
        request = RunRequest(
            url=url or "",
            scenario=chosen,
            command=command_line(),
            owns_server=owns_server,
            allow_shared=how.allow_shared,
            keep=how.keep,
        )
        show = stack.enter_context(live_view(chosen, is_quiet=how.quiet or how.json))
        if cluster is None:
            finished = execute(request, show, should_stop)
        else:
            finished = launcher.execute(request, how.server_binary, cluster, show, should_stop)
    run_record.save(finished, path)
    if where.redis_url is not None and has_password(where.redis_url) and not how.quiet:
        sys.stderr.write(
            "bench: a password on the command line can be seen by others: "
            f"{URL_VARIABLE} hides it\n"
        )
    code = ExitCode.INTERRUPTED if should_stop() else run_record.exit_code(finished)
    with contextlib.suppress(BrokenPipeError):  # whoever read our output has seen enough
        _show(finished, path, how, code)
        sys.stdout.flush()
    return code


def _show(finished: RunRecord, path: Path, how: RunFlags, code: ExitCode) -> None:
    if how.json:
        sys.stdout.write(run_record.encode(finished).decode())
    elif not how.quiet or code is not ExitCode.PASSED:
        print_report(finished, path)

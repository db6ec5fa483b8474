"""``bench run --dry-run``: what a run would write on its server, and whether it could begin."""

import contextlib
import sys
from typing import TYPE_CHECKING

from bench.cli.command_line import command_line
from bench.cli.messages import notify
from bench.cli.topology_flags import as_target
from bench.records import formats
from bench.run.request import RunRequest
from bench.workload.scenario import Scenario

if TYPE_CHECKING:
    from bench.cli.run_flags import RunFlags


def show_dry_run(scenario: Scenario, url: str | None, how: "RunFlags") -> int:
    """Show what the run would do; returns the code that it would have before its first task."""
    from bench.reports.dry_run import print_dry_run  # noqa: PLC0415 - rarely needed
    from bench.run.dry_run import dry_run  # noqa: PLC0415 - likewise

    with contextlib.ExitStack() as stack:
        own = None if url is not None else stack.enter_context(how.own_servers_for(scenario))
        request = RunRequest(
            url=own.url if own is not None else url or "",
            scenario=scenario,
            command=command_line(),
            owns_server=own is not None,
            open_url=None if own is None else own.open_url,
            allow_shared=how.allow_shared,
            server=None if own is None else as_target(own),
            faults_on_shared=how.faults_on_shared,
        )
        planned = dry_run(request, how.server_binary, how.server_config or ())
    if how.json:
        sys.stdout.buffer.write(formats.encode(planned))
    elif not how.quiet:
        print_dry_run(planned)
    if planned.problem:
        notify(planned.problem)
    return planned.exit_code

"""``bench clients``: a comparison of the ways to enqueue."""

import contextlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bench import files, result_files
from bench.cli.arguments import WHOLE, read_flag, require_within
from bench.cli.command_line import command_line
from bench.cli.groups import OUTPUT
from bench.cli.interrupts import interruptible
from bench.cli.measuring import MeasuringFlags
from bench.cli.messages import notify
from bench.cli.options import ServerFlags, layout_named
from bench.clients import catalogue, job
from bench.clients.catalogue import Client
from bench.clients.job import ClientsRequest
from bench.errors import ExitCode, UsageError
from bench.layouts import registry
from bench.records import clients_record
from bench.records.clients_record import ClientsRecord
from bench.redisio.embedded import EmbeddedServer
from bench.redisio.url import Topology, parse
from bench.reports import clients_text
from bench.reports.clients import print_clients
from bench.reports.status_line import status_line


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ClientFlags(MeasuringFlags):
    """Which clients to run and how, and where the results go."""

    tasks: Annotated[
        int,
        WHOLE,
        Parameter(
            alias="-n",
            help="Number of tasks that each client enqueues per repetition. Example: 20,000",
        ),
    ] = 5000
    only: Annotated[
        list[str] | None,
        Parameter(
            metavar="NAME,…",
            help=f"Run only these, separated by commas or as repeated flags: "
            f"{', '.join(catalogue.NAMES)}. Example: {','.join(catalogue.NAMES[:2])}",
        ),
    ] = None
    layout: Annotated[
        str, Parameter(metavar="|".join(registry.names()), help="Layout of the queue in Redis.")
    ] = registry.default.name
    queue: Annotated[
        str,
        Parameter(
            metavar="QUEUE", help="Queue to enqueue to; it must be empty. Example: orders_high"
        ),
    ] = "inference_default"
    repeat: Annotated[
        int, WHOLE, Parameter(help="Number of repetitions; the clients take turns. Example: 5")
    ] = 3
    images: Annotated[
        Path | None,
        Parameter(
            group=OUTPUT,
            metavar="FOLDER",
            help="Write the picture into this folder, as .svg and .png. Example: pictures",
        ),
    ] = None

    def clients(self) -> list[Client]:
        """Returns the clients to run. Raises UsageError for an unknown name or layout."""
        return catalogue.chosen(self.named, layout_named(self.layout))

    @property
    def named(self) -> list[str]:
        """The names that were given with --only."""
        names = ",".join(self.only or []).split(",")
        found = [name.strip() for name in names if name.strip()]
        if self.only is not None and not found:
            raise UsageError(f"--only names no client: there are {', '.join(catalogue.NAMES)}")
        return found


def clients(*, how: ClientFlags | None = None, where: ServerFlags | None = None) -> int:
    """Compare ways to enqueue, and check the keys that they write.

    All clients run one after the other against the same server. Exits 0 when all of them wrote the
    expected keys, 4 when one failed or wrote other keys, and 3 when none could run, or one that
    --only names.
    """
    how, where = how or ClientFlags(), where or ServerFlags()
    chosen = how.clients()
    read_flag("--queue", job.require_client_queue, how.queue)
    require_within("--tasks", how.tasks, 1, job.MOST_TASKS)
    require_within("--repeat", how.repeat, 1, job.MOST_REPEAT)
    url = how.server_url(where)
    if url is not None and parse(url).topology is not Topology.SINGLE:
        raise UsageError(
            f"{parse(url).address}: the clients connect to one server and follow no topology: name "
            "the server itself, as redis://HOST:PORT"
        )
    result_files.use(how.results)
    path = how.output or result_files.new_file("clients")
    files.require_writable(path)
    if how.images is not None:
        files.require_writable(how.images / "picture.svg")
    with interruptible() as should_stop, contextlib.ExitStack() as stack:
        server = None
        if url is None:
            server = stack.enter_context(how.own_server())
            url = server.url
        show = stack.enter_context(status_line(how.hides_progress))
        record = job.measure(_request(how, chosen, url, server), should_stop, show)
        code = _code(record, how.named)
    try:
        files.save(path, clients_record.encode(record))
    except UsageError:
        if how.shows_report(path, code):
            _show(record, None, how)
        raise
    if not how.quiet:
        where.warn_of_password()
    for failure in clients_text.failures(record):
        notify(failure)
    if how.images is not None:
        _draw(record, how.images)
    if how.shows_report(path, code):
        _show(record, path, how)
    return code


def _request(
    how: ClientFlags, chosen: Sequence[Client], url: str, server: EmbeddedServer | None
) -> ClientsRequest:
    return ClientsRequest(
        url=url,
        open_url=url if server is None else server.open_url,
        owns_server=server is not None,
        clients=chosen,
        layout=how.layout,
        queue=how.queue,
        tasks=how.tasks,
        repeat=how.repeat,
        command=command_line(),
    )


def _code(record: ClientsRecord, named: Sequence[str]) -> ExitCode:
    if not record.is_complete:
        return ExitCode.INTERRUPTED
    if any(clients_text.failures(record)):
        return ExitCode.INVALID
    is_missing = any(row.skipped for row in record.clients if row.name in named)
    if is_missing or not clients_text.measured(record):
        return ExitCode.INCONCLUSIVE
    return ExitCode.PASSED


def _draw(record: ClientsRecord, folder: Path) -> None:
    # The plotting library is slow to load, and a table needs no picture.
    from bench.reports.html.clients_page import section  # noqa: PLC0415
    from bench.reports.html.page import write_images  # noqa: PLC0415

    write_images([section(record)], folder)


def _show(record: ClientsRecord, path: Path | None, how: ClientFlags) -> None:
    if how.json:
        sys.stdout.write(clients_record.encode(record).decode())
    else:
        print_clients(record, path)
        if how.images is not None and path is not None:
            sys.stdout.write(f"pictures: {how.images}\n")

"""``bench clients``: the ways to enqueue, measured against each other."""

import contextlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Group, Parameter

from bench import files
from bench.cli.command_line import command_line
from bench.cli.interrupts import interruptible
from bench.cli.options import URL_VARIABLE, ServerFlags
from bench.clients import catalogue, job
from bench.clients.catalogue import Client
from bench.clients.job import ClientsRequest
from bench.errors import ExitCode, UsageError
from bench.layouts import registry
from bench.records import clients_record
from bench.records.clients_record import ClientsRecord
from bench.redisio import embedded
from bench.redisio.connection import has_password
from bench.reports import clients_text
from bench.reports.clients import print_clients
from bench.reports.status import status_line
from bench.workload.fields import nearest

_OUTPUT = Group("Output", sort_key=5)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ClientFlags:
    """What to run, and what it leaves."""

    tasks: Annotated[int, Parameter(help="How many tasks each client enqueues each time.")] = 5000
    only: Annotated[
        list[str] | None,
        Parameter(help=f"Only these, with commas or one by one: {', '.join(catalogue.NAMES)}."),
    ] = None
    layout: Annotated[
        str, Parameter(help=f"How the queue lies in Redis: {', '.join(registry.names())}.")
    ] = registry.default.name
    queue: Annotated[str, Parameter(help="The queue: an empty one.")] = "inference_default"
    repeat: Annotated[int, Parameter(help="How often, with the clients in turn.")] = 3
    server_binary: Annotated[
        str | None, Parameter(help="Start this server instead of the embedded one.")
    ] = None
    images: Annotated[
        Path | None,
        Parameter(group=_OUTPUT, help="Write the picture into this folder, as .svg and .png."),
    ] = None
    output: Annotated[
        Path | None, Parameter(name=("--output", "-o"), group=_OUTPUT, help="The record's file.")
    ] = None
    json: Annotated[bool, Parameter(group=_OUTPUT, help="Print the record alone, as JSON.")] = False
    quiet: Annotated[
        bool, Parameter(group=_OUTPUT, help="No progress, and no report when all is well.")
    ] = False

    def clients(self) -> list[Client]:
        """Returns the clients to run. Raises UsageError for an unknown name or layout."""
        entry = registry.find(self.layout)
        if entry is None:
            hint, known = nearest(self.layout, registry.names()), ", ".join(registry.names())
            raise UsageError(f"--layout: {self.layout!r} is not one of {known}{hint}")
        return catalogue.chosen(self.named, entry)

    @property
    def named(self) -> list[str]:
        """The clients that were asked for by name."""
        words = ",".join(self.only or []).split(",")
        return [word.strip() for word in words if word.strip()]


def clients(*, how: ClientFlags | None = None, where: ServerFlags | None = None) -> int:
    """Run each way to enqueue against the same server, check what it wrote, and compare.

    Exits 0 when all that ran were right, 4 when one failed or wrote something else than the guide
    says, and 3 when none could be run, or one that --only names.
    """
    how, where = how or ClientFlags(), where or ServerFlags()
    chosen = how.clients()
    job.require_possible(how.queue, how.tasks, how.repeat)
    url = where.url()
    if url is not None and how.server_binary is not None:
        named = "--redis-url" if where.redis_url else URL_VARIABLE
        raise UsageError(f"--server-binary starts a server, and {named} names one: choose one")
    path = how.output or files.RESULTS / f"{files.stamped_name('clients')}.json"
    files.require_writable(path)
    if how.images is not None:
        files.require_writable(how.images / "picture.svg")
    with interruptible() as should_stop, contextlib.ExitStack() as stack:
        owns_server = url is None
        if url is None:
            url = stack.enter_context(embedded.running(how.server_binary)).url
        say = stack.enter_context(status_line(how.quiet or how.json))
        record = job.measure(_request(how, chosen, url, owns_server), should_stop, say)
        code = _code(record, how.named)
    files.write_whole(path, clients_record.encode(record))
    if where.redis_url is not None and has_password(where.redis_url) and not how.quiet:
        sys.stderr.write(
            "bench: a password on the command line can be seen by others: "
            f"{URL_VARIABLE} hides it\n"
        )
    for failure in clients_text.failures(record):
        sys.stderr.write(f"bench: {failure}\n")
    if how.images is not None:
        _draw(record, how.images)
    with contextlib.suppress(BrokenPipeError):  # whoever read our output has seen enough
        _show(record, path, how, code)
        sys.stdout.flush()
    return code


def _request(
    how: ClientFlags, chosen: Sequence[Client], url: str, owns_server: bool
) -> ClientsRequest:
    return ClientsRequest(
        url=url,
        owns_server=owns_server,
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
    # The plotting library takes a while to load, and a table needs no picture.
    from bench.reports.html.clients_page import section  # noqa: PLC0415
    from bench.reports.html.page import write_images  # noqa: PLC0415

    write_images([section(record)], folder)


def _show(record: ClientsRecord, path: Path, how: ClientFlags, code: ExitCode) -> None:
    if how.json:
        sys.stdout.write(clients_record.encode(record).decode())
    elif not how.quiet or code is not ExitCode.PASSED:
        print_clients(record, path)
        if how.images is not None:
            sys.stdout.write(f"pictures: {how.images}\n")

"""``bench export``, ``clean`` and ``scenarios``: the commands that need no run."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.box import SIMPLE_HEAD
from rich.table import Table

from bench.cli.options import ServerFlags
from bench.errors import UsageError
from bench.ipc import remote
from bench.records import run_record as records
from bench.redisio.connection import open_client, translated_errors
from bench.reports import exports
from bench.reports.console import console_for_stdout
from bench.run import cleanup
from bench.workload import library


def export(
    record: Path,
    /,
    *,
    hgrm: Annotated[
        bool, Parameter(help="Percentile distribution of one interval, in ms.")
    ] = False,
    csv: Annotated[bool, Parameter(help="Time series: one row per second.")] = False,
    hdr: Annotated[bool, Parameter(help="Histogram log of all intervals and queues.")] = False,
    interval: Annotated[str | None, Parameter(help="Interval for --hgrm; e2e by default.")] = None,
    stage: Annotated[str | None, Parameter(show=False)] = None,
    queue: Annotated[str, Parameter(help="Sub-queue for --hgrm, or all.")] = "all",
) -> int:
    """Print a record's data in a format that other tools read.

    Parameters
    ----------
    record
        A run record.
    """
    if hgrm + csv + hdr != 1:
        raise UsageError("no single format: add one of --hgrm, --csv and --hdr")
    measured = _interval(interval, stage)
    loaded = records.load(record)
    if csv:
        text = exports.series_csv(loaded)
    elif hdr:
        text = exports.hdr(loaded)
    else:
        try:
            text = exports.hgrm(loaded, measured, queue)
        except KeyError as missing:
            known = ", ".join(loaded.latency) + "; queues: " + ", ".join(loaded.latency["e2e"])
            raise UsageError(f"the record has no {missing.args[0]!r}; intervals: {known}") from None
    sys.stdout.write(text)
    return 0


def _interval(interval: str | None, stage: str | None) -> str:
    """Returns the interval that was asked for, under its present or its former name."""
    if stage is None:
        return interval or "e2e"
    if interval is not None:
        raise UsageError("--stage is the former name of --interval; remove --stage")
    sys.stderr.write("bench: --stage is now --interval; the old name still works\n")
    return stage


def clean(record: Path, /, *, where: ServerFlags | None = None) -> int:
    """Remove what a run with --keep left on a server.

    Only the run's own tasks, results and list entries are removed, by id.

    Parameters
    ----------
    record
        Record of the run.
    """
    loaded = records.load(record)
    url = (where or ServerFlags()).require_url()
    run = int(loaded.id, 16)
    sent = dict.fromkeys(range(loaded.scenario.producers), loaded.counts.due)
    with open_client(url) as client, translated_errors(url):
        remote.remove(client, run)
        removed = cleanup.remove(
            client, loaded.scenario.wire_layout, list(loaded.queues), run, sent
        )
    sys.stdout.write(f"removed {removed:,} keys of run {loaded.id}\n")
    return 0


_SCHEMA_LINES = """\
#:schema ./scenario.schema.json
# Editors check this file against that one; 'bench schema scenario > scenario.schema.json' makes it.
"""


def scenarios(name: str | None = None, /) -> int:
    """List the built-in scenarios, or print one as TOML, to copy and change.

    Parameters
    ----------
    name
        Name of a built-in scenario.
    """
    if name is not None:
        sys.stdout.write(_SCHEMA_LINES + library.text_of(name))
        return 0
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("scenario", no_wrap=True)
    table.add_column("question that it answers")
    for each in library.names():
        table.add_row(each, str(library.load(each)[1]["description"]))
    console_for_stdout().print(table)
    return 0

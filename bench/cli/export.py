"""``bench export``: a record's data in formats that other tools read."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bench.cli.messages import notify
from bench.errors import UsageError
from bench.names import ALL_QUEUES
from bench.records import formats
from bench.records import run_record as records
from bench.reports import exports


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
    queue: Annotated[str, Parameter(help="Sub-queue for --hgrm, or all.")] = ALL_QUEUES,
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
            with formats.naming(record):
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
    notify("--stage is now --interval; the old name still works")
    return stage

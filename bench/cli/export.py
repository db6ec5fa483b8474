"""``bench export``: a record's data in formats that other tools read."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

from cyclopts import Group, Parameter

from bench import files
from bench.cli.messages import notify
from bench.errors import MeasurementError, UsageError
from bench.names import ALL_QUEUES
from bench.records import any_record, comparison_record, formats, run_files
from bench.records.any_record import AnyRecord
from bench.records.run_files import RunFiles
from bench.records.run_record import RunRecord
from bench.reports import data_tables, exports, tracked
from bench.reports.data_tables import DataTable

_FORMATS = Group("Formats", sort_key=1)
_OUTPUT = Parameter(
    name=("--output", "-o"),
    metavar="FILE",
    help="Write to this file, not to standard output. Example: seconds.csv",
)


def _format(text: str) -> Parameter:
    return Parameter(group=_FORMATS, help=text, negative=())


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class FormatFlags:
    """The formats, of which one is chosen."""

    csv: Annotated[
        bool,
        _format(
            "The record's table as CSV: a run's seconds, the trials of a search or a sweep, the "
            "starts of --restarts, the runs of 'bench chaos', a comparison's metrics (of a folder "
            "of 'bench ab' the runs of its pairs), the repetitions of clients. Of a folder of "
            "runs, a row for each run."
        ),
    ] = False
    parquet: Annotated[bool, _format("The same table as Parquet. Needs pyarrow.")] = False
    bmf: Annotated[bool, _format("Figures for Bencher, as Bencher Metric Format (JSON).")] = False
    github_smaller: Annotated[
        bool, _format("Figures for github-action-benchmark's tool customSmallerIsBetter (JSON).")
    ] = False
    github_bigger: Annotated[
        bool, _format("Figures for github-action-benchmark's tool customBiggerIsBetter (JSON).")
    ] = False
    hgrm: Annotated[bool, _format("Percentile distribution of one interval of a run, in ms.")] = (
        False
    )
    hdr: Annotated[bool, _format("Histogram log of all intervals and queues of a run.")] = False

    def chosen(self) -> str:
        """Returns the format's name. Raises UsageError where not exactly one is chosen."""
        names = [each.name for each in fields(self)]
        chosen = [name for name in names if getattr(self, name)]
        if len(chosen) != 1:
            flags = [f"--{name.replace('_', '-')}" for name in names]
            raise UsageError(
                f"no single format: add one of {', '.join(flags[:-1])} and {flags[-1]}"
            )
        return chosen[0]


def export(
    record: Path,
    /,
    *,
    form: FormatFlags | None = None,
    interval: Annotated[
        str | None,
        Parameter(
            metavar="INTERVAL", help="Interval for --hgrm; e2e by default. Example: queue_wait"
        ),
    ] = None,
    stage: Annotated[str | None, Parameter(show=False)] = None,
    queue: Annotated[
        str,
        Parameter(metavar="QUEUE", help="Sub-queue for --hgrm, or all. Example: inference_high"),
    ] = ALL_QUEUES,
    faults: Annotated[
        bool,
        Parameter(help="For --csv and --parquet: a row for each fault of a run."),
    ] = False,
    output: Annotated[Path | None, _OUTPUT] = None,
) -> int:
    """Print a record's data in a format that other tools read.

    Parameters
    ----------
    record
        A record of any kind, a folder of 'bench ab', or a folder of runs: a row for each run.
    """
    chosen = (form or FormatFlags()).chosen()
    measured = _interval(interval, stage)
    if chosen == "parquet" and output is None and sys.stdout.isatty():
        raise UsageError("--parquet is no text for a terminal: name a file with --output")
    if faults and chosen not in _TABLES:
        raise UsageError("--faults is for --csv and --parquet: add one of them")
    if chosen in _TABLES:
        data = _TABLES[chosen](_faults(record) if faults else _table(record))
    else:
        data = _figures(chosen, record, measured, queue).encode()
    if output is not None:
        files.write_whole(output, data)
    elif chosen == "parquet":
        sys.stdout.buffer.write(data)
    else:
        sys.stdout.write(data.decode())
    return 0


_TABLES: Mapping[str, Callable[[DataTable], bytes]] = {
    "csv": lambda table: data_tables.to_csv(table).encode(),
    "parquet": data_tables.to_parquet,
}


def _table(path: Path) -> DataTable:
    """Returns the table of a record, of a folder of ``bench ab`` or of runs. Raises RecordError."""
    if not path.is_dir():
        return data_tables.table_of(any_record.load(path))
    if _is_job(path):
        from bench.jobs import ab_state  # noqa: PLC0415 - it loads what starts runs

        job = ab_state.load(path)
        made = ab_state.runs_made(path, job)
        return data_tables.runs_of_pairs(made, [*job.gated, *job.shown])
    return data_tables.table_of_runs(_runs(path).files)


def _faults(path: Path) -> DataTable:
    """Returns the table of a run's faults. Raises UsageError where there is none."""
    loaded = any_record.load(_single(path, "faults"))
    if not isinstance(loaded, RunRecord):
        raise UsageError(f"{path}: --faults is for the record of a run: name one of its runs")
    if not loaded.faults:
        raise UsageError(f"{path}: no fault was planned in this run: leave out --faults")
    return data_tables.table_of_faults(loaded)


def _is_job(folder: Path) -> bool:
    from bench.jobs import ab_state  # noqa: PLC0415 - it loads what starts runs

    return any((folder / name).exists() for name in (ab_state.STATE, ab_state.GATE))


def _runs(folder: Path) -> RunFiles:
    found = run_files.find([folder])
    if found.note:
        notify(f"{folder}: {found.note}")
    return found


def _single(path: Path, chosen: str) -> Path:
    """Returns the file of the record that a path stands for. Raises UsageError for a folder with
    several runs, of which no figure is that of the folder."""
    if not path.is_dir():
        return path
    if _is_job(path):
        return path / comparison_record.FILE_IN_JOB
    found = _runs(path).paths
    if len(found) > 1:
        raise UsageError(
            f"{path}: --{chosen.replace('_', '-')} is for a single record, and the folder holds "
            f"{len(found)} runs: name one, or use --csv for a table of them"
        )
    return found[0]


def _figures(chosen: str, path: Path, interval: str, queue: str) -> str:
    """Returns the text of the record at a path. Raises errors that name it."""
    record = _single(path, chosen)
    loaded = any_record.load(record)
    try:
        with formats.naming(record):
            return _text(chosen, loaded, interval, queue)
    except (MeasurementError, UsageError) as error:
        raise type(error)(f"{record}: {error}") from None


def _text(chosen: str, loaded: AnyRecord, interval: str, queue: str) -> str:
    """Returns the text of a record. Raises UsageError where its kind has none of that format."""
    if chosen == "bmf":
        return tracked.bmf(tracked.tracked_values(loaded))
    if chosen.startswith("github"):
        values = tracked.tracked_values(loaded)
        return tracked.github(values, bigger_is_better=chosen == "github_bigger")
    if not isinstance(loaded, RunRecord):
        raise UsageError(f"--{chosen} is for the record of a run: name one of its runs")
    if chosen == "hdr":
        return exports.hdr(loaded)
    try:
        return exports.hgrm(loaded, interval, queue)
    except KeyError as missing:
        known = ", ".join(loaded.latency) + "; queues: " + ", ".join(loaded.latency["e2e"])
        raise UsageError(f"the record has no {missing.args[0]!r}; intervals: {known}") from None


def _interval(interval: str | None, stage: str | None) -> str:
    """Returns the interval that was asked for, under its present or its former name."""
    if stage is None:
        return interval or "e2e"
    if interval is not None:
        raise UsageError("--stage is the former name of --interval; remove --stage")
    notify("--stage is now --interval; the old name still works")
    return stage

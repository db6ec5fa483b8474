"""The table in a record, as CSV or Parquet: the series of a run, the trials of a search, and so on.

Which table that is depends on the kind of record. Columns have the units of the record.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import singledispatch
from pathlib import Path
from typing import Any

import msgspec

from bench.analysis import run_settings
from bench.analysis.metric_values import confidence_of, gated_by_default, shown_besides, value_of
from bench.analysis.side_by_side import settings_apart
from bench.errors import UsageError
from bench.measure.confidence import ConfidenceInterval
from bench.measure.faults import FaultOutcome
from bench.measure.verdict_inputs import CUT_SHORT
from bench.names import ALL_QUEUES
from bench.records.capacity_record import CapacityRecord, TrialRow
from bench.records.chaos_record import ChaosRecord
from bench.records.clients_record import ClientsRecord
from bench.records.comparison_record import GateRecord
from bench.records.restarts_record import RestartsRecord
from bench.records.run_record import RunRecord
from bench.records.selftest_record import SelftestRecord
from bench.records.sweep_record import SWEEP_PERCENTILES, SweepRecord, SweepTrial
from bench.workload.metrics import Metric, parse_metric

Cell = str | float | int | bool | None


@dataclass(frozen=True)
class DataTable:
    """Rows under named columns; a cell without a value is None."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


def to_csv(table: DataTable) -> str:
    """Returns a header and one line per row; cells without a value are empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows(["" if cell is None else cell for cell in row] for row in table.rows)
    return out.getvalue()


def to_parquet(table: DataTable) -> bytes:
    """Returns a Parquet file. Raises UsageError where the library for it is not installed."""
    try:
        import pyarrow as arrow  # noqa: PLC0415 - optional, and slow to load
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError:
        raise UsageError(
            "--parquet needs pyarrow, which is not installed: pip install 'runqy-bench[parquet]'"
        ) from None
    columns = [[row[index] for row in table.rows] for index in range(len(table.columns))]
    arrays = [arrow.array(cells, type=_parquet_type(cells, arrow)) for cells in columns]
    out = io.BytesIO()
    parquet.write_table(arrow.Table.from_arrays(arrays, names=[*table.columns]), out)
    return out.getvalue()


def _parquet_type(cells: Iterable[Cell], arrow: Any) -> Any:
    """Returns the narrowest type of a column that holds all of its cells; a number without one."""
    kinds = {type(cell) for cell in cells if cell is not None}
    name = "float64"
    if str in kinds:
        name = "string"
    elif kinds == {bool}:
        name = "bool_"
    elif kinds == {int}:
        name = "int64"
    return getattr(arrow, name)()


@singledispatch
def table_of(record: object) -> DataTable:
    """Returns the table in a record of any kind."""
    raise TypeError(f"no record: {type(record)}")


@table_of.register
def _series(record: RunRecord) -> DataTable:
    return DataTable(record.series.columns, record.series.rows)


def table_of_faults(record: RunRecord) -> DataTable:
    """Returns one row per fault of a run: what it did, and after how many seconds each figure was
    back in a column ``recovered{NAME}_s``."""
    names = list(dict.fromkeys(name for each in record.faults for name in each.recovered_s))
    fields = [
        name
        for name in FaultOutcome.__struct_fields__
        if name not in ("recovered_s", "without_level")
    ]
    rows = [
        [
            *(getattr(each, name) for name in fields),
            each.recovery_s,
            *(each.recovered_s.get(name) for name in names),
        ]
        for each in record.faults
    ]
    return DataTable([*fields, "recovery_s", *(f"recovered{{{n}}}_s" for n in names)], rows)


@table_of.register
def _trials(record: CapacityRecord) -> DataTable:
    """One row per trial; latencies are ``e2e.p99_s`` and, of a sub-queue, ``e2e{NAME}.p99_s``, and
    the ends of the trial's own interval ``e2e.p99_low_s`` and ``e2e.p99_high_s``."""
    latencies = {
        (queue, statistic): f"e2e{'' if queue == ALL_QUEUES else f'{{{queue}}}'}.{statistic}"
        for trial in record.trials
        for queue, statistics in trial.e2e_s.items()
        for statistic in statistics
    }
    apart = ("e2e_s", "e2e_confidence", "completed_confidence")
    fields = [name for name in TrialRow.__struct_fields__ if name not in apart]
    rows = [
        [
            *(getattr(trial, name) for name in fields),
            *_ends(trial.completed_confidence),
            *(
                cell
                for queue, name in latencies
                for cell in (
                    trial.e2e_s.get(queue, {}).get(name),
                    *_ends(trial.e2e_confidence.get(queue, {}).get(name)),
                )
            ),
        ]
        for trial in record.trials
    ]
    named = [f"{name}_{end}s" for name in latencies.values() for end in ("", "low_", "high_")]
    return DataTable([*fields, "completed_low_per_s", "completed_high_per_s", *named], rows)


def _ends(interval: ConfidenceInterval | None) -> tuple[float | None, float | None]:
    return (None, None) if interval is None else (interval.low, interval.high)


@table_of.register
def _sweep_trials(record: SweepRecord) -> DataTable:
    """One row per trial, in the order in which they ran: the values of the fields that are varied,
    and each figure with the ends of the run's own interval."""
    about = ["repetition", "seed", "file", "verdict", "problem"]
    used = ["most_backlog", "server_cores", "worker_cores", "generator_cores", "bound_by", "took_s"]
    fields = [each.field for each in record.swept]
    ends = ("", "low_", "high_")
    latencies = [f"{record.interval}.{p}_{end}s" for p in SWEEP_PERCENTILES for end in ends]
    achieved = [f"achieved_{end}per_s" for end in ends]
    rows = [
        [
            *(record.levels[trial.level].settings[name] for name in fields),
            record.levels[trial.level].offered_per_s,
            *(getattr(trial, name) for name in about),
            *_sweep_figures(trial),
            *(getattr(trial, name) for name in used),
        ]
        for trial in record.trials
    ]
    return DataTable([*fields, "offered_per_s", *about, *achieved, *latencies, *used], rows)


def _sweep_figures(trial: SweepTrial) -> list[Cell]:
    figures = [trial.achieved_per_s, *(trial.latency_s.get(name) for name in SWEEP_PERCENTILES)]
    return [
        None if figure is None else end
        for figure in figures
        for end in ((figure.value, figure.low, figure.high) if figure else (None,) * 3)
    ]


@table_of.register
def _starts(record: RestartsRecord) -> DataTable:
    """One row per start. The figures of an incomplete one are not known."""
    columns = ["start", "verdict", "file", *(spread.metric for spread in record.spreads)]
    rows: list[list[Cell]] = []
    whole = 0
    for number, run in enumerate(record.runs, start=1):
        is_whole = run.verdict not in CUT_SHORT
        figures = [spread.values[whole] if is_whole else None for spread in record.spreads]
        whole += is_whole
        rows.append([number, run.verdict, run.file, *figures])
    return DataTable(columns, rows)


@table_of.register
def _metrics(record: GateRecord) -> DataTable:
    """One row per metric of a comparison."""
    rows = [msgspec.to_builtins(row) for row in record.rows]
    columns = [*rows[0]] if rows else ["metric"]
    return DataTable(columns, [[*row.values()] for row in rows])


@table_of.register
def _repetitions(record: ClientsRecord) -> DataTable:
    """One row per repetition of each client."""
    rows: list[list[Cell]] = [
        [client.name, number, record.tasks, each.elapsed_s, each.client_cpu_s, each.server_cpu_s]
        for client in record.clients
        if client.figures is not None
        for number, each in enumerate(client.figures.repetitions, start=1)
    ]
    columns = ["client", "repetition", "tasks", "elapsed_s", "client_cpu_s", "server_cpu_s"]
    return DataTable(columns, rows)


@table_of.register
def _chaos(record: ChaosRecord) -> DataTable:
    """One row per run with a fault: what it did, and after how many seconds it was back."""
    fields = [
        *("lost", "duplicated", "run_again", "unknown", "refused"),
        *("enqueue_gap_s", "completion_gap_s", "recovery_s"),
    ]
    rows: list[list[Cell]] = [
        [
            *(run.name, run.number, run.seed, run.verdict, run.problem, run.file),
            *(getattr(run.outcome, name, None) for name in fields),
            run.left,
        ]
        for run in record.runs
    ]
    about = ["fault", "run", "seed", "verdict", "problem", "file"]
    return DataTable([*about, *fields, "left"], rows)


@table_of.register
def _selftest(record: SelftestRecord) -> DataTable:
    """One row per statistic of a planted delay: its bounds, and what was measured."""
    fields = [
        *("statistic", "known_low_s", "known_high_s"),
        *("measured_low_s", "measured_high_s", "error_s"),
    ]
    rows: list[list[Cell]] = [
        [check.path, check.interval, check.planted_s, check.samples, check.measured_samples]
        + [getattr(each, name) for name in fields]
        for check in record.delays
        for each in check.compared
    ]
    about = ["path", "interval", "planted_s", "samples", "measured_samples"]
    return DataTable([*about, *fields], rows)


def runs_of_pairs(
    runs: Iterable[tuple[Mapping[str, Cell], RunRecord]], metrics: Sequence[str]
) -> DataTable:
    """Returns one row per run of a comparison: what it was in the job, and its metrics.

    Each run comes with the cells that say which it was, in the same columns for all. Behind a
    percentile or a rate are the ends of its interval, as ``e2e.p99.low`` and ``e2e.p99.high``.
    """
    chosen = [parse_metric(name) for name in metrics]
    rows = [
        {**about, **{name: cell for each in chosen for name, cell in _with_ends(each, record)}}
        for about, record in runs
    ]
    columns = [*rows[0]] if rows else [*metrics]
    return DataTable(columns, [[*row.values()] for row in rows])


def _with_ends(metric: Metric, record: RunRecord) -> Iterator[tuple[str, Cell]]:
    """Yields a metric of a run and, of a percentile or a rate, the ends of its interval."""
    yield metric.name, value_of(metric, record)
    if metric.kind == "rate" or metric.percent is not None:
        interval = confidence_of(metric, record) or ConfidenceInterval()
        yield f"{metric.name}.low", interval.low
        yield f"{metric.name}.high", interval.high


def table_of_runs(files: Sequence[tuple[Path, RunRecord]]) -> DataTable:
    """Returns one row per run: its file, what it was, the settings in which the runs differ, and
    the metrics that a comparison of any of them shows."""
    records = [record for _, record in files]
    metrics = dict.fromkeys(
        metric.name
        for record in records
        for choice in (gated_by_default, shown_besides)
        for metric in choice(record.scenario)
    )
    apart = [row.name for row in settings_apart(records)]
    rows = [(_about(path, record, apart), record) for path, record in files]
    return runs_of_pairs(rows, list(metrics))


def _about(path: Path, record: RunRecord, settings: Iterable[str]) -> dict[str, Cell]:
    """Returns the cells that say which run it was; those of settings are as in the record."""
    exact = run_settings.settings_of(record)
    return {
        "file": str(path),
        "id": record.id,
        "started_at": record.started_at,
        "scenario": record.scenario.name,
        "verdict": record.verdict,
        **{name: exact[name] for name in settings},
    }

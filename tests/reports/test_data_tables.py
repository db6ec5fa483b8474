"""Tables of records, read back by other programs' readers."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path

import pytest

from bench.records.any_record import AnyRecord
from bench.records.restarts_record import StartedRun
from bench.reports.data_tables import DataTable, table_of, to_csv, to_parquet
from tests.records import capacity_fixtures
from tests.records.fixtures import example_record
from tests.reports import test_clients, test_gate, test_restarts

RECORDS: Mapping[str, AnyRecord] = {
    "run": example_record(),
    "restarts": test_restarts.record(),
    "comparison": test_gate.gate(),
    "capacity": capacity_fixtures.found(),
    "clients": test_clients.example(),
}
ODD = DataTable(
    ["name", "count", "share", "is_good", "nothing"],
    [
        ['a,b\n"c"', 1, 0.1, True, None],
        [None, None, 2, None, None],
        ["", 2**53, None, False, None],
    ],
)


@pytest.mark.parametrize("kind", RECORDS)
def test_a_table_is_read_from_csv_as_it_is(kind: str) -> None:
    table = table_of(RECORDS[kind])
    header, *rows = csv.reader(io.StringIO(to_csv(table)))
    assert header == [*table.columns]
    assert rows == [["" if cell is None else str(cell) for cell in row] for row in table.rows]
    assert rows


@pytest.mark.parametrize("kind", [*RECORDS, "odd"])
def test_a_table_is_read_from_parquet_by_another_library_as_it_is(
    kind: str, tmp_path: Path
) -> None:
    """DuckDB has a reader of its own."""
    duckdb = pytest.importorskip("duckdb")
    pytest.importorskip("pyarrow")
    table = ODD if kind == "odd" else table_of(RECORDS[kind])
    file = tmp_path / "table.parquet"
    file.write_bytes(to_parquet(table))
    read = duckdb.connect().execute("select * from read_parquet(?)", [str(file)])
    assert [column[0] for column in read.description] == [*table.columns]
    assert read.fetchall() == [tuple(row) for row in table.rows]


def test_each_trial_of_a_search_and_each_start_is_a_row() -> None:
    capacity = capacity_fixtures.found()
    assert len(table_of(capacity).rows) == len(capacity.trials)
    trials = table_of(capacity)
    first = dict(zip(trials.columns, trials.rows[0], strict=True))
    assert first["e2e.p99_s"] == capacity.trials[0].e2e_s["all"]["p99"]
    assert first["e2e.p99_low_s"] == capacity.trials[0].e2e_confidence["all"]["p99"].low
    starts = table_of(test_restarts.record())
    assert starts.columns[:4] == ["start", "verdict", "file", "completed.rate"]
    assert [row[3] for row in starts.rows] == [850.0, 849.0, 851.0]


def test_an_incomplete_start_has_no_figures() -> None:
    record = test_restarts.record()
    cut = StartedRun(file="r-0.json", verdict="incomplete")
    rows = table_of(test_restarts.record(runs=[cut, *record.runs])).rows
    assert rows[0][3:] == [None, None, None]
    assert rows[1][3] == 850.0

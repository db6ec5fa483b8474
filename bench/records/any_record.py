"""Reads records of any kind: the format that a file names decides."""

from collections.abc import Callable, Mapping
from pathlib import Path

from bench.records import (
    capacity_record,
    chaos_record,
    clients_record,
    comparison_record,
    restarts_record,
    run_record,
    selftest_record,
    sweep_record,
)
from bench.records.capacity_record import CapacityRecord
from bench.records.chaos_record import ChaosRecord
from bench.records.clients_record import ClientsRecord
from bench.records.comparison_record import GateRecord
from bench.records.restarts_record import RestartsRecord
from bench.records.run_record import RunRecord
from bench.records.selftest_record import SelftestRecord
from bench.records.sweep_record import SweepRecord

AnyRecord = (
    RunRecord
    | RestartsRecord
    | ChaosRecord
    | GateRecord
    | CapacityRecord
    | SweepRecord
    | ClientsRecord
    | SelftestRecord
)

_LOADERS: Mapping[str, Callable[[Path], AnyRecord]] = {
    comparison_record.FORMAT: comparison_record.load,
    capacity_record.FORMAT: capacity_record.load,
    sweep_record.FORMAT: sweep_record.load,
    chaos_record.FORMAT: chaos_record.load,
    restarts_record.FORMAT: restarts_record.load,
    clients_record.FORMAT: clients_record.load,
    selftest_record.FORMAT: selftest_record.load,
}


def load(path: Path) -> AnyRecord:
    """Reads a record; a file of no known format is read as that of a run. Raises RecordError."""
    return _LOADERS.get(run_record.format_of(path), run_record.load)(path)

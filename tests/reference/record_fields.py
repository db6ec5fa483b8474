"""The reference of records: each field of each format, with its type and its meaning."""

import inspect
import typing
from collections.abc import Iterator, Mapping

import msgspec

from bench.records.capacity_record import CapacityRecord
from bench.records.chaos_record import ChaosRecord
from bench.records.clients_record import ClientsRecord
from bench.records.comparison_record import GateRecord
from bench.records.restarts_record import RestartsRecord
from bench.records.run_record import RunRecord
from bench.records.selftest_record import SelftestRecord
from bench.records.sweep_record import SweepRecord
from bench.workload.metrics import COSTS, COUNTS, RATES
from bench.workload.scenario import Scenario
from tests.reference.source_docs import annotations, attribute_docs
from tests.reference.tables import code, table

_ROOTS: Mapping[str, type[msgspec.Struct]] = {
    "Of a run": RunRecord,
    "Of restarts": RestartsRecord,
    "Of a comparison": GateRecord,
    "Of a search for capacity": CapacityRecord,
    "Of a sweep": SweepRecord,
    "Of a set of faults": ChaosRecord,
    "Of clients": ClientsRecord,
    "Of a self-test": SelftestRecord,
}
_MEANINGS = {
    subject.field: subject.meaning for table in (COUNTS, RATES, COSTS) for subject in table.values()
}
"""Of fields that metrics read, whose meaning is declared with the metrics."""


def record_tables() -> str:
    """Return a table for each struct of each format; one of several formats is with the first."""
    parts: list[str] = []
    seen: set[type] = {Scenario}
    for heading, root in _ROOTS.items():
        parts.append(f"## {heading}")
        parts += [_section(kind, root) for kind in _reached(root, seen)]
    return "\n\n".join(parts)


def _reached(kind: type[msgspec.Struct], seen: set[type]) -> Iterator[type[msgspec.Struct]]:
    """The struct and those that its fields hold, each once."""
    if kind in seen:
        return
    seen.add(kind)
    yield kind
    for hint in typing.get_type_hints(kind).values():
        for inner in _structs(hint):
            yield from _reached(inner, seen)


def _structs(hint: object) -> Iterator[type[msgspec.Struct]]:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        yield hint
    for inner in typing.get_args(hint):
        yield from _structs(inner)


def _section(kind: type[msgspec.Struct], root: type[msgspec.Struct]) -> str:
    heading = "" if kind is root else f"### {kind.__name__}\n\n"
    docs = attribute_docs(kind)
    rows = [
        (code(name), code(written), docs.get(name) or _MEANINGS.get(name, ""))
        for name, written in annotations(kind).items()
    ]
    about = inspect.cleandoc(kind.__doc__ or "").replace("``", "`")
    return f"{heading}{about}\n\n{table(('field', 'type', 'meaning'), rows)}"

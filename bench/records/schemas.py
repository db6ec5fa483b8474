"""JSON Schemas of the files that people and programs exchange with bench, in draft 2020-12.

Those of records are made from the structs that read them back, that of a scenario from the
declarations of its fields.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import msgspec

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
from bench.workload.fields import FIELDS
from bench.workload.json_schema import scenario_schema

FormatName = Literal[
    "scenario",
    "record",
    "capacity",
    "sweep",
    "comparison",
    "clients",
    "restarts",
    "chaos",
    "selftest",
]

_DRAFT = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True)
class _Format:
    """What a schema says of itself, and what makes the rest of it."""

    version: str
    title: str
    description: str
    make: Callable[[], Mapping[str, object]]


def _record(struct: type[msgspec.Struct], version: str) -> dict[str, object]:
    """The schema of a record whose ``format`` is that version."""
    (_,), components = msgspec.json.schema_components(
        [struct], ref_template="#/$defs/{name}", schema_hook=_anything
    )
    parts: dict[str, Any] = components
    root = parts.pop(struct.__name__)
    root["properties"]["format"] = {"const": version}
    root["required"] = ["format", *root["required"]]
    if "Scenario" in parts:
        for field in FIELDS.values():
            attribute = parts["Scenario"]["properties"][field.attribute]
            attribute["description"] = field.declared.help
    return {**root, "$defs": parts}


def _anything(_kind: type) -> dict[str, object]:
    """The schema of a value that a struct declares as ``object``."""
    return {"description": "Any JSON value."}  # msgspec takes an empty schema for none


def _record_format(
    struct: type[msgspec.Struct], version: str, title: str, description: str
) -> _Format:
    return _Format(version, title, description, partial(_record, struct, version))


_FORMATS: Mapping[FormatName, _Format] = {
    "scenario": _Format(
        "runqy-bench-scenario/1",
        "Scenario",
        "A workload as 'bench run FILE.toml' takes it.",
        scenario_schema,
    ),
    "record": _record_format(
        run_record.RunRecord,
        run_record.FORMAT,
        "Run record",
        "What a run measured, as 'bench run' writes it. Seconds and tasks per second.",
    ),
    "capacity": _record_format(
        capacity_record.CapacityRecord,
        capacity_record.FORMAT,
        "Capacity record",
        "What a search for capacity tried and found, as 'bench capacity' writes it.",
    ),
    "sweep": _record_format(
        sweep_record.SweepRecord,
        sweep_record.FORMAT,
        "Sweep record",
        "What a scenario measured at several loads or settings, as 'bench sweep' writes it.",
    ),
    "comparison": _record_format(
        comparison_record.GateRecord,
        comparison_record.FORMAT,
        "Comparison record",
        "What a comparison of runs decided, as 'bench compare' and 'bench ab' write it.",
    ),
    "restarts": _record_format(
        restarts_record.RestartsRecord,
        restarts_record.FORMAT,
        "Record of restarts",
        "How figures differ between starts, as 'bench run --restarts' writes it.",
    ),
    "chaos": _record_format(
        chaos_record.ChaosRecord,
        chaos_record.FORMAT,
        "Record of a set of faults",
        "What each fault of a set did to a queue, as 'bench chaos' writes it.",
    ),
    "clients": _record_format(
        clients_record.ClientsRecord,
        clients_record.FORMAT,
        "Clients record",
        "What each client library costs, as 'bench clients' writes it.",
    ),
    "selftest": _record_format(
        selftest_record.SelftestRecord,
        selftest_record.FORMAT,
        "Record of a self-test",
        "What was planted on a machine and what was measured, as 'bench selftest' writes it.",
    ),
}


def schema_of(name: FormatName) -> dict[str, object]:
    """Return the JSON Schema of a format, complete with its identifier, title and description."""
    form = _FORMATS[name]
    about: dict[str, object] = {
        "$schema": _DRAFT,
        "$id": f"urn:runqy-bench:schema:{name}:{form.version.rpartition('/')[2]}",
        "title": form.title,
        "description": form.description,
    }
    return {**about, **form.make(), **about}  # said first, and in these words

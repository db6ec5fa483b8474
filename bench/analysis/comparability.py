"""Whether runs are comparable: the fields in which they differ besides what is being compared."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from bench.records.run_record import RunRecord
from bench.workload.scenario import Scenario

_SCENARIO_LABELS = ("name", "description", "slo")
"""Fields of a scenario that do not affect a run."""
_SERVER_FIELDS = (
    *("product", "version", "malloc", "mode", "io_threads"),
    *("save", "appendonly", "maxmemory_policy"),
)
_ENVIRONMENT_FIELDS = (
    *("cpu_model", "cores", "usable_cores", "cpu_quota_cores", "kernel", "python", "topology"),
)
_STANDS_FOR = {"usable_cores": "cores"}
"""What stands for a field in records that are older than it."""
_SEVERAL = " | "
ORDER = "order"
"""Field that stands for the order of measurement: interleaved or not."""
VERDICT = "verdict"
"""Name under which comparing invalid runs can be allowed."""


@dataclass(frozen=True)
class Difference:
    """A field in which runs differ, and the values on both sides, as text."""

    field: str
    base: str
    candidate: str


def differences(
    base: Sequence[RunRecord], candidate: Sequence[RunRecord], allowed: Iterable[str] = ()
) -> list[Difference]:
    """Returns the relevant fields in which the sides differ, without the allowed ones.

    A field is allowed by its name or its group: ``server`` allows ``server.version``. A field that
    varies within one side is a difference as well.
    """
    accepted = set(allowed)
    left, right = _traits(base), _traits(candidate)
    found = [
        Difference(field, left[field], right[field])
        for field in left
        if left[field] != right[field] or _SEVERAL in left[field]
    ]
    if not is_interleaved(base, candidate):
        found.append(Difference(ORDER, "measured in one block", "measured in another block"))
    return [
        each
        for each in found
        if each.field not in accepted and each.field.partition(".")[0] not in accepted
    ]


def known_fields() -> list[str]:
    """Returns the names and groups under which ``differences`` allows a difference."""
    scenario = [each for each in Scenario.__struct_fields__ if each not in _SCENARIO_LABELS]
    groups = {
        "scenario": scenario,
        "observation": ["method"],
        "server": _SERVER_FIELDS,
        "environment": _ENVIRONMENT_FIELDS,
    }
    single = [f"{group}.{name}" for group, names in groups.items() for name in names]
    return [ORDER, VERDICT, *groups, *single]


def to_allow(found: Sequence[Difference]) -> str:
    """Returns the flags that allow all of these differences."""
    return " ".join(f"--allow {field}" for field in dict.fromkeys(each.field for each in found))


def described(found: Sequence[Difference]) -> str:
    """Returns the fields and their values on one line."""
    return "; ".join(f"{each.field} ({each.base} versus {each.candidate})" for each in found)


def intended_differences(base: Scenario, candidate: Scenario) -> list[str]:
    """Returns the fields in which the scenarios of two arms differ, as ``scenario.FIELD``."""
    left, right = msgspec.to_builtins(base), msgspec.to_builtins(candidate)
    return [f"scenario.{field}" for field in left if left[field] != right[field]]


def is_interleaved(base: Sequence[RunRecord], candidate: Sequence[RunRecord]) -> bool:
    """Returns whether the runs alternated, so that a drift of the machine affects both sides alike.

    They did when no more than two runs of one side follow each other, as in ABBA order.
    """
    sides = [(record.started_at, 0) for record in base]
    sides += [(record.started_at, 1) for record in candidate]
    order = [side for _, side in sorted(sides)]
    runs_in_a_row = longest = 0
    for at, side in enumerate(order):
        runs_in_a_row = runs_in_a_row + 1 if at and order[at - 1] == side else 1
        longest = max(longest, runs_in_a_row)
    return longest <= 2


def workload_of(record: RunRecord) -> str:
    """Returns a text that is equal for runs of the same workload."""
    traits = [each for each in _traits_of(record) if each[0].startswith("scenario.")]
    return msgspec.json.encode(traits).decode()


def environment_changes(before: RunRecord, after: RunRecord) -> list[Difference]:
    """Returns the fields in which two runs differ, apart from those of the scenario."""
    left, right = dict(_traits_of(before)), dict(_traits_of(after))
    return [
        Difference(field, left[field], right[field])
        for field in left
        if not field.startswith("scenario.") and left[field] != right[field]
    ]


def traits_of(record: RunRecord) -> dict[str, str]:
    """Returns every field that ``differences`` compares, with its value as text."""
    return dict(_traits_of(record))


def invalid(records: Iterable[RunRecord]) -> list[RunRecord]:
    """Returns the runs whose figures must not be quoted."""
    return [record for record in records if not record.is_valid]


def _traits(records: Sequence[RunRecord]) -> dict[str, str]:
    """Returns the value of each field in the records; several values are joined."""
    found: dict[str, list[str]] = {}
    for record in records:
        for field, value in _traits_of(record):
            values = found.setdefault(field, [])
            if value not in values:
                values.append(value)
    return {field: _SEVERAL.join(values) for field, values in found.items()}


def _traits_of(record: RunRecord) -> Iterator[tuple[str, str]]:
    workload = msgspec.to_builtins(record.scenario)
    for field, value in workload.items():
        if field not in _SCENARIO_LABELS:
            yield f"scenario.{field}", as_text(value)
    observed = record.observation
    yield "observation.method", "by the workers" if observed is None else observed.method
    for group, fields, values in (
        ("server", _SERVER_FIELDS, record.server),
        ("environment", _ENVIRONMENT_FIELDS, record.environment),
    ):
        for field in fields:
            older = values.get(_STANDS_FOR.get(field, ""))
            yield f"{group}.{field}", as_text(values.get(field, older))


def as_text(value: object) -> str:
    """Returns the value of a field as text: JSON where it has parts."""
    if isinstance(value, Mapping | list | tuple):
        return msgspec.json.encode(value).decode()
    return str(value)

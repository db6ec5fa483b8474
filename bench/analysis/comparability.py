"""Whether runs can be compared at all: what differs between them besides what is to be judged."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from bench.records.run_record import RunRecord
from bench.workload.scenario import Scenario

_SCENARIO_WORDS = ("name", "description", "slo")
"""Fields of a scenario that change no run."""
_SERVER_FIELDS = (
    *("product", "version", "malloc", "mode", "io_threads"),
    *("save", "appendonly", "maxmemory_policy"),
)
_ENVIRONMENT_FIELDS = ("cpu_model", "cores", "kernel", "python", "topology")
_SEVERAL = " | "
ORDER = "order"
VERDICT = "verdict"


@dataclass(frozen=True)
class Difference:
    """A field in which runs differ, and the values on both sides, as text."""

    field: str
    base: str
    candidate: str


def differences(
    base: Sequence[RunRecord], candidate: Sequence[RunRecord], allowed: Iterable[str] = ()
) -> list[Difference]:
    """All that differs and matters, but for fields that were allowed to, by name or by group
    (``server`` allows ``server.version``)."""
    accepted = set(allowed)
    left, right = _traits(base), _traits(candidate)
    found = [
        Difference(field, left[field], right[field])
        for field in left
        if left[field] != right[field] or _SEVERAL in left[field]
    ]
    if not is_interleaved(base, candidate):
        found.append(Difference(ORDER, "measured in a block", "measured in another"))
    return [
        each
        for each in found
        if each.field not in accepted and each.field.partition(".")[0] not in accepted
    ]


def named(found: Sequence[Difference]) -> str:
    """The fields and their values, for one line."""
    return "; ".join(f"{each.field} ({each.base} against {each.candidate})" for each in found)


def intended(base: Scenario, candidate: Scenario) -> list[str]:
    """Fields of a scenario in which two arms differ because they were told to."""
    left, right = msgspec.to_builtins(base), msgspec.to_builtins(candidate)
    return [f"scenario.{field}" for field in left if left[field] != right[field]]


def is_interleaved(base: Sequence[RunRecord], candidate: Sequence[RunRecord]) -> bool:
    """Whether the runs took turns, so that a machine that drifts hit both sides alike.

    So it is when no more than two of a side follow on each other, as in ABBA.
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
    """All of a run's workload as one text: equal for runs of the same workload."""
    traits = [each for each in _traits_of(record) if each[0].startswith("scenario.")]
    return msgspec.json.encode(traits).decode()


def surroundings_changed(before: RunRecord, after: RunRecord) -> list[Difference]:
    """Where two runs differ in the machine or the server."""
    left, right = dict(_traits_of(before)), dict(_traits_of(after))
    return [
        Difference(field, left[field], right[field])
        for field in left
        if not field.startswith("scenario.") and left[field] != right[field]
    ]


def invalid(records: Iterable[RunRecord]) -> list[RunRecord]:
    """Those that must not be quoted."""
    return [record for record in records if record.verdict != "valid"]


def _traits(records: Sequence[RunRecord]) -> dict[str, str]:
    """Field to its value in all of the records; several values are listed."""
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
        if field not in _SCENARIO_WORDS:
            yield f"scenario.{field}", _text(value)
    seen = record.observation
    yield "observation.method", "by the workers" if seen is None else seen.method
    for group, fields, values in (
        ("server", _SERVER_FIELDS, record.server),
        ("environment", _ENVIRONMENT_FIELDS, record.environment),
    ):
        for field in fields:
            yield f"{group}.{field}", _text(values.get(field))


def _text(value: object) -> str:
    if isinstance(value, Mapping | list | tuple):
        return msgspec.json.encode(value).decode()
    return str(value)

"""Runs in groups of one workload on one kind of server: what the groups differ in, and choosing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.analysis import run_settings
from bench.errors import UsageError, nearest
from bench.records.run_record import RunRecord
from bench.workload.fields import FIELDS

_SHORT = {"server": "server.product", "host": "environment.cpu_model"}
"""Names for settings that users think of by a shorter one."""
_MOST_VALUES = 8
"""Values of a setting that a message lists."""


@dataclass(frozen=True)
class RunGroup:
    """The runs of one workload on one server product, the oldest first."""

    scenario: str
    settings: Mapping[str, str]
    """The settings in which it differs from the other groups of its scenario, by name."""
    choice: Sequence[str]
    """The fewest settings, as ``NAME=VALUE``, that no other group of its scenario has."""
    records: Sequence[RunRecord]

    @property
    def name(self) -> str:
        """The settings as text, as ``rate 1000/s, workers 2``; empty for the only group."""
        return ", ".join(f"{name} {text}" for name, text in self.settings.items())


def grouped(
    records: Iterable[RunRecord], among: Iterable[RunRecord] | None = None
) -> list[RunGroup]:
    """Returns the groups of the runs, that of the oldest run first.

    They are named by what sets them apart from the groups ``among`` which they were chosen.
    """
    made = _sorted_out(records)
    others = made if among is None else _sorted_out(among)
    return [_group(group, others) for group in made.values()]


def _sorted_out(records: Iterable[RunRecord]) -> dict[object, list[RunRecord]]:
    groups: dict[object, list[RunRecord]] = {}
    for record in sorted(records, key=lambda each: each.started_at):
        key = (run_settings.workload_of(record), str(record.server.get("product")))
        groups.setdefault(key, []).append(record)
    return groups


def chosen(records: Sequence[RunRecord], conditions: Iterable[str]) -> list[RunRecord]:
    """Returns the runs that meet all conditions, each of them ``NAME=VALUE``.

    Names are those of scenario fields as users write them, ``server``, ``host``, and those of
    ``run_settings.names``. Raises UsageError for an unknown name, and for conditions that
    no run meets.
    """
    left = list(records)
    for condition in conditions:
        name, equals, wanted = condition.partition("=")
        if not equals:
            raise UsageError(f"--where {condition!r} is no condition; use NAME=VALUE: rate=1000/s")
        _require_known(name)
        met = [each for each in left if _is(each, name, wanted)]
        if not met:
            found = list(dict.fromkeys(_text(each, name) for each in left))
            listed = ", ".join(f"{name}={text}" for text in found[:_MOST_VALUES])
            more = f" and {len(found) - _MOST_VALUES} more" if len(found) > _MOST_VALUES else ""
            raise UsageError(f"--where: no run has {condition}; there are {listed}{more}")
        left = met
    return left


def _group(group: Sequence[RunRecord], groups: Mapping[object, Sequence[RunRecord]]) -> RunGroup:
    first = group[0]
    others = [
        each[0]
        for each in groups.values()
        if each[0].scenario.name == first.scenario.name
        and any(not _is_same(each[0], first, name) for name in [*_choosable(), "server"])
    ]
    names = [
        name
        for name in [*_choosable(), "server"]
        if any(_text(other, name) != _text(first, name) for other in others)
    ]
    choice: list[str] = []
    while others and names:
        best = max(names, key=lambda name: sum(not _is_same(first, each, name) for each in others))
        names_left = [each for each in others if _is_same(first, each, best)]
        if len(names_left) == len(others):
            break
        others = names_left
        choice.append(f"{best}={_text(first, best)}")
    settings = {name: _text(first, name) for name in names}
    return RunGroup(first.scenario.name, settings, choice, group)


def _choosable() -> list[str]:
    return [name for name in FIELDS if name not in run_settings.LABELS]


def _require_known(name: str) -> None:
    known = [
        *_choosable(),
        *_SHORT,
        *run_settings.names(),
    ]
    if name not in known:
        hint = nearest(name, known) or f"; there are {', '.join([*_choosable(), *_SHORT])}"
        raise UsageError(f"--where: no setting is called {name!r}{hint}")


def _is_same(left: RunRecord, right: RunRecord, name: str) -> bool:
    return _text(left, name) == _text(right, name)


def _is(record: RunRecord, name: str, wanted: str) -> bool:
    """Returns whether a run's setting has a value, in whichever way that is written."""
    if _text(record, name).casefold() == wanted.strip().casefold():
        return True
    field = FIELDS.get(name)
    if field is None:
        return False
    if field.attribute.endswith("_per_s"):
        wanted = wanted.replace(",", "")  # as reports show it
    try:
        value = field.read(field.declared.type.from_option(wanted))
    except UsageError:
        return False
    return bool(value == getattr(record.scenario, field.attribute))


def _text(record: RunRecord, name: str) -> str:
    """Returns a run's setting as a user writes it."""
    field = FIELDS.get(name)
    if field is None:
        return run_settings.settings_of(record)[_SHORT.get(name, name)]
    return run_settings.written(record.scenario, field)

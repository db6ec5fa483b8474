"""Whether runs are comparable: the fields in which they differ besides what is being compared."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from bench.analysis import run_settings
from bench.analysis.run_settings import SCENARIO
from bench.records.run_record import RunRecord
from bench.workload.scenario import Scenario

_SEVERAL = " | "
_MOST_NAMED = 3
"""Settings that are allowed one by one; more of them are allowed as a whole."""
ORDER = "order"
"""Field that stands for the order of measurement: interleaved or not."""
VERDICT = "verdict"
"""Name under which comparing invalid runs can be allowed."""
SETTINGS = "settings"
"""Name under which all settings may differ: the whole of ``run_settings.GROUPS``."""


@dataclass(frozen=True)
class Difference:
    """A field in which runs differ, and the values on both sides, as users write them."""

    field: str
    base: str
    candidate: str

    @property
    def label(self) -> str:
        """What a message calls the field: the flag that sets it, or its name."""
        return run_settings.label(self.field)


def differences(
    base: Sequence[RunRecord], candidate: Sequence[RunRecord], allowed: Iterable[str] = ()
) -> list[Difference]:
    """Returns the relevant fields in which the sides differ, without the allowed ones.

    A field is allowed by its name or its group: ``server`` allows ``server.version``, and
    ``settings`` all but the order. A field that varies within one side is a difference as well.
    """
    accepted = set(allowed)
    found = [] if SETTINGS in accepted else _apart(base, candidate)
    if not is_interleaved(base, candidate):
        found.append(Difference(ORDER, "measured in one block", "measured in another block"))
    return [
        each
        for each in found
        if each.field not in accepted and each.field.partition(".")[0] not in accepted
    ]


def known_fields() -> list[str]:
    """Returns the names and groups under which ``differences`` allows a difference."""
    return [ORDER, VERDICT, SETTINGS, *run_settings.GROUPS, *run_settings.names()]


def to_allow(found: Sequence[Difference], others: Iterable[str] = ()) -> str:
    """Returns the one flag that allows all of these differences, and what else is named."""
    fields = dict.fromkeys(each.field for each in found if each.field != ORDER)
    named = [SETTINGS] if len(fields) > _MOST_NAMED else map(run_settings.short_name, fields)
    order = [ORDER] if any(each.field == ORDER for each in found) else []
    return f"--allow {','.join([*named, *order, *others])}"


def described(found: Sequence[Difference]) -> str:
    """Returns the fields and their values on one line."""
    return "; ".join(f"{each.label} ({each.base} versus {each.candidate})" for each in found)


def intended_differences(base: Scenario, candidate: Scenario) -> list[str]:
    """Returns the fields in which the scenarios of two arms differ, as ``scenario.FIELD``."""
    left, right = msgspec.to_builtins(base), msgspec.to_builtins(candidate)
    return [f"{SCENARIO}.{field}" for field in left if left[field] != right[field]]


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


def environment_changes(before: RunRecord, after: RunRecord) -> list[Difference]:
    """Returns the fields in which two runs differ, apart from those of the scenario."""
    return [each for each in _apart([before], [after]) if not each.field.startswith(f"{SCENARIO}.")]


def invalid(records: Iterable[RunRecord]) -> list[RunRecord]:
    """Returns the runs whose figures must not be quoted."""
    return [record for record in records if not record.is_valid]


def _apart(base: Sequence[RunRecord], candidate: Sequence[RunRecord]) -> list[Difference]:
    """Returns the settings that are not the same in all runs."""
    left, right = map(_values, (base, candidate))
    found = []
    for field, there in left.items():
        if field not in right or (there == right[field] and len(there) == 1):
            continue
        sides = [_shown(each, field) for each in (base, candidate)]
        if sides[0] == sides[1]:  # what users write is the same, as the name of a changed file is
            sides = [_SEVERAL.join(each[field]) for each in (left, right)]
        found.append(Difference(field, *sides))
    return found


def _values(records: Sequence[RunRecord]) -> dict[str, list[str]]:
    """Returns the exact values of each setting in the records."""
    found: dict[str, list[str]] = {}
    for record in records:
        for field, value in run_settings.settings_of(record).items():
            values = found.setdefault(field, [])
            if value not in values:
                values.append(value)
    return found


def _shown(records: Sequence[RunRecord], field: str) -> str:
    """Returns the values of a setting as users write them; several values are joined."""
    return _SEVERAL.join(dict.fromkeys(run_settings.shown(each, field) for each in records))

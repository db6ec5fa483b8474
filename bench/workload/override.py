"""Changes on top of a scenario, both as written: flags over a file, a file over a built-in one."""

from collections.abc import Mapping, Sequence

from bench.layouts import registry
from bench.wire.layout_contract import split_queue
from bench.workload.fields import FIELDS
from bench.workload.trace_columns import names_queues


def override(base: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    """Returns the fields of ``base`` with ``changes`` on top.

    Where only the layout changes, the queues are named as that layout names them. A change also
    takes away what it contradicts: a rate replaces stages, a number of tasks replaces a
    duration, and the other way round; a rate opens a closed loop, and ``max`` closes an open one.
    """
    merged = dict(base)
    if "worker_command" in changes and "worker" not in changes:
        merged["worker"] = "external"
    if "layout" in changes and "queues" not in changes:
        merged = _renamed_for(merged, str(changes["layout"]))
    for loser in _replaced_by(changes):
        merged.pop(loser, None)
    if "rate" in changes and "arrivals" not in changes:
        is_closed = changes["rate"] == "max"
        if is_closed or merged.get("arrivals") == "max":
            merged.pop("arrivals", None)
        if not is_closed and "max_backlog" not in changes:
            merged.pop("max_backlog", None)
    if changes.get("arrivals") == "max" and "rate" not in changes:
        merged.pop("rate", None)
    merged.update(changes)
    return merged


def _replaced_by(changes: Mapping[str, object]) -> set[str]:
    """The fields that no longer hold where these are set."""
    losers = {
        loser for name in changes if name in FIELDS for loser in FIELDS[name].declared.replaces
    }
    if "trace" in changes and "queues" not in changes and names_queues(changes["trace"]):
        losers |= {"queues", "priorities"}
    return losers - {*changes}


def _renamed_for(fields: Mapping[str, object], layout: str) -> dict[str, object]:
    """The fields with the separator of another layout in the queues' names, also in objectives and
    guards.

    Fields that cannot be read stay as they are: reading them reports what is wrong.
    """
    queues = fields.get("queues")
    old = registry.find(str(fields.get("layout", registry.default.name)))
    new = registry.find(layout)
    if old is None or new is None or not isinstance(queues, Mapping):
        return dict(fields)
    names: dict[str, str] = {}
    for name in map(str, queues):
        parts = split_queue(name, old.layout.separator)
        names[name] = new.layout.separator.join(parts) if all(parts) else name
    renamed = {**fields, "queues": {names[str(name)]: weight for name, weight in queues.items()}}
    priorities = fields.get("priorities")
    if isinstance(priorities, Mapping):
        renamed["priorities"] = {
            names.get(str(name), name): weight for name, weight in priorities.items()
        }
    for name in ("slo", "abort"):
        written = fields.get(name)
        if isinstance(written, Sequence) and not isinstance(written, str):
            renamed[name] = [_renamed_in(str(each), names) for each in written]
    return renamed


def _renamed_in(objective: str, names: Mapping[str, str]) -> str:
    for old, new in names.items():
        objective = objective.replace(f"{{{old}}}", f"{{{new}}}")
    return objective

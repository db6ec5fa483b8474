"""From fields as written (TOML, flags or options) to a ``Scenario``, or to a one-line error."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench.errors import ScenarioError, UsageError, nearest
from bench.layouts import registry
from bench.layouts.entry import LayoutEntry
from bench.units import format_duration
from bench.wire.layout_contract import Layout, split_queue
from bench.workload import fault_plan, fault_rules
from bench.workload.faults import PlannedFault
from bench.workload.fields import FIELDS, name_of
from bench.workload.guard_checks import require_guards
from bench.workload.measurable import require_measured
from bench.workload.metrics import parse_objective
from bench.workload.quantities import MOST_DURATION, MOST_DURATION_S, MOST_PER_S
from bench.workload.queue_weights import default_priorities, in_priority_order
from bench.workload.scenario import Scenario
from bench.workload.trace import open_trace
from bench.workload.until_checks import require_until


def resolve(fields: Mapping[str, object], source: str = "scenario") -> Scenario:
    """Returns the scenario that these fields, as written, describe.

    Raises ScenarioError, beginning with ``source`` and naming the field, where one is unknown, has
    an impossible value, or contradicts another.
    """
    values: dict[str, Any] = {}
    for name, written in fields.items():
        field = FIELDS.get(name)
        if field is None:
            raise ScenarioError(f"{source}: unknown field {name!r}{nearest(name, FIELDS)}")
        try:
            values[field.attribute] = field.read(written)
        except UsageError as error:
            raise ScenarioError(f"{source}: {name}: {error}") from None
    if values.get("rate_per_s") == "max" and values.get("arrivals") in (None, "max"):
        values["rate_per_s"] = None
        values["arrivals"] = "max"
    _replay(values, source)
    if values.get("worker_command") is not None:
        values.setdefault("worker", "external")
    try:
        _require_consistent(values)
        values |= _priorities(values)
        plan = values.pop("faults", ())
        scenario = _with_faults(Scenario(**values), plan)
        _require_window(scenario)
        _require_measured(scenario)
        require_guards(scenario)
        require_until(scenario)
        return scenario
    except UsageError as error:
        raise ScenarioError(f"{source}: {error}") from None


def _replay(values: dict[str, Any], source: str) -> None:
    """Reads the trace where there is one; its sub-queues and their shares hold, where it has them.

    Raises ScenarioError for a trace that cannot be read, or that names a queue which is not there.
    """
    if values.get("trace") is None:
        return
    replayed = values["trace"] = open_trace(Path(values["trace"]))
    speed = values.get("speed", 1.0)
    if replayed.duration_s / speed > MOST_DURATION_S:
        raise ScenarioError(f"{source}: speed: the trace would take more than {MOST_DURATION}")
    if replayed.kind == "rates" and replayed.peak_per_s * speed > MOST_PER_S:
        raise ScenarioError(f"{source}: speed: rates would be higher than {MOST_PER_S:,}/s")
    if not replayed.queues:
        return
    queues = values.setdefault("queues", dict(replayed.queues))
    for name in replayed.queues:
        if name not in queues:
            raise ScenarioError(
                f"{source}: queues: {name!r} is in the trace, and not here{nearest(name, queues)}"
            )
    values["queues"] = {
        name: float(replayed.queues[name]) for name in queues if name in replayed.queues
    }


def _require_consistent(values: Mapping[str, Any]) -> None:
    """Raises UsageError for fields that are each possible, but not together."""
    entry = registry.get(values.get("layout", registry.default.name))
    _require_one_parent(list(values.get("queues") or ()), entry.layout)
    _require_possible_in(entry, values)
    facts = _facts(values)
    for present, absent, message in _CONTRADICTIONS:
        if facts.issuperset(present) and facts.isdisjoint(absent):
            raise UsageError(message.format(**values))
    _require_observable(values)


def _priorities(values: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Returns the sub-queues in the order of their priorities, and these. Raises UsageError."""
    queues: dict[str, float] = values["queues"]
    priorities: dict[str, float] | None = values.get("priorities")
    if not priorities:
        is_weighted = values.get("priority") == "weighted"
        return {"priorities": default_priorities(queues)} if is_weighted else {}
    try:
        order = in_priority_order(queues, priorities)
    except UsageError as error:
        raise UsageError(f"priorities: {error}") from None
    return {
        "queues": {name: queues[name] for name in order},
        "priorities": {name: priorities[name] for name in order},
    }


def _with_faults(scenario: Scenario, plan: Sequence[PlannedFault]) -> Scenario:
    """Returns the scenario with its plan of faults resolved. Raises UsageError."""
    if not plan:
        return scenario
    try:
        fault_rules.require_own_workers(plan, scenario)
        workers, planned_s = fault_rules.started_workers(scenario), scenario.planned_duration_s
        faults = fault_plan.resolved(plan, scenario.seed, workers, planned_s)
        fault_rules.require_possible(faults, scenario)
    except UsageError as error:
        raise UsageError(f"faults: {error}") from None
    return msgspec.structs.replace(scenario, faults=faults)


def _require_window(scenario: Scenario) -> None:
    """Raises UsageError for a warm-up that leaves nothing of the run to measure."""
    warmup_s, planned_s = scenario.warmup_s, scenario.planned_duration_s
    if warmup_s and planned_s is not None and warmup_s >= planned_s:
        raise UsageError(
            f"warmup: {format_duration(warmup_s)} of {format_duration(planned_s)} leave nothing to "
            "measure; shorten it, or write auto"
        )


def _require_measured(scenario: Scenario) -> None:
    """Raises UsageError for an objective on what no run of the scenario measures."""
    for objective in map(parse_objective, scenario.slo):
        try:
            require_measured(objective.metric, scenario)
        except UsageError as error:
            raise UsageError(f"slo: {objective.expression!r}: {error}") from None


def _facts(values: Mapping[str, Any]) -> frozenset[str]:
    """What a scenario says: names of the fields that hold something, and what follows from them."""
    replayed = values.get("trace")
    facts = {name_of(attribute) for attribute, value in values.items() if value not in (None, ())}
    derived = {
        "closed loop": values.get("arrivals") == "max",
        "rate = max": values.get("rate_per_s") == "max",
        "stages at rest": not any(
            stage.start_per_s + stage.end_per_s for stage in values.get("stages", ())
        ),
        "after-fill": values.get("worker_start") == "after-fill",
        "trace of tasks": replayed is not None and replayed.kind == "tasks",
        "trace with sizes": replayed is not None and replayed.has_sizes,
        "no workers": values.get("workers", 1) == 0,
    }
    return frozenset(facts.union(name for name, holds in derived.items() if holds))


_CONTRADICTIONS: tuple[tuple[tuple[str, ...], tuple[str, ...], str], ...] = (
    (
        ("closed loop", "stages"),
        (),
        "stages: a closed loop has no rate to follow; remove them, or rate = max",
    ),
    (
        ("rate = max",),
        (),
        "rate: max has no schedule, so arrivals cannot be {arrivals}; remove one of the two",
    ),
    (("stages", "stages at rest"), (), "stages: all their rates are zero; raise at least one"),
    (("closed loop", "rate"), (), "rate: arrivals = max has none; remove one of the two"),
    (("stages", "rate"), (), "rate: the stages give it already; remove one of the two"),
    (("stages", "duration"), (), "duration: the stages give it already; remove one of the two"),
    (("trace", "closed loop"), (), "trace: a closed loop has no schedule; remove one of the two"),
    (("trace", "stages"), (), "stages: the trace gives the rate; remove one of the two"),
    (("trace", "rate"), (), "rate: the trace gives it already; remove one of the two"),
    (("trace", "duration"), (), "duration: the trace gives it already; remove one of the two"),
    (("trace", "tasks"), (), "tasks: the trace gives them already; remove one of the two"),
    (
        ("trace of tasks", "arrivals"),
        (),
        "arrivals: the trace says when each task is due; remove one of the two",
    ),
    (
        ("trace with sizes", "payload_size"),
        (),
        "payload_size: the trace gives it already; remove one of the two",
    ),
    (
        ("trace with sizes", "payload_file"),
        (),
        "payload_file: the trace gives the sizes; remove that column, or payload_file",
    ),
    (("speed",), ("trace",), "speed: only a trace is replayed; name one, or remove it"),
    (
        (),
        ("closed loop", "stages", "rate", "trace"),
        "rate: it is missing; write tasks per second, for example 5000/s, or max",
    ),
    (
        (),
        ("stages", "duration", "tasks", "trace"),
        "duration: it is missing; write how long, for example 20s, or a number of tasks",
    ),
    (
        ("max_backlog",),
        ("closed loop",),
        "max_backlog: only a closed loop waits for its workers; write rate = max, or remove it",
    ),
    (
        ("after-fill", "no workers"),
        (),
        "worker_start: there are no workers to start; remove it, or workers = 0",
    ),
    (
        ("payload_file", "payload_size"),
        (),
        "payload_size: payload_file gives it already; remove one of the two",
    ),
)
"""(facts that all hold, facts of which none holds, what is wrong then): the first is reported."""


def _require_observable(values: Mapping[str, Any]) -> None:
    """Raises UsageError for what a worker that is observed from outside cannot do."""
    if values.get("worker") != "external":
        if values.get("worker_command") is not None:
            raise UsageError(
                "worker: worker_command starts an external worker; remove one of the two"
            )
        return
    if values.get("external_workers"):
        raise UsageError(
            "external_workers: they are this project's own, started elsewhere with 'bench worker'; "
            "for any other worker write worker = external alone"
        )
    if values.get("workers") == 0 and values.get("worker_command") is not None:
        raise UsageError("workers: with 0 of them worker_command never runs; remove one of the two")
    if values.get("worker_start") == "after-fill" and values.get("worker_command") is None:
        raise UsageError(
            "worker_start: an external worker that runs already cannot be made to wait; give its "
            "worker_command, or remove worker_start"
        )


def _require_possible_in(entry: LayoutEntry, values: Mapping[str, Any]) -> None:
    """Raises UsageError for fields that the layout cannot serve."""
    if values.get("duplicate_check") and not entry.refuses_duplicates:
        raise UsageError(
            f"duplicate_check: the {entry.name} layout has none; "
            f"{_use_layout(lambda each: each.refuses_duplicates)}"
        )
    if values.get("payload_content") == "binary" and entry.layout.holds_json:
        raise UsageError(
            f"payload_content: binary is not JSON, which payloads of the {entry.name} layout must "
            f"be; {_use_layout(lambda each: not each.layout.holds_json)}"
        )
    if values.get("producer") == "snippet" and not entry.fits_snippet:
        raise UsageError(
            f"producer: snippet does not write the {entry.name} layout; "
            f"{_use_layout(lambda each: each.fits_snippet)}, or another producer"
        )
    if values.get("ack") is not None and values.get("producer", "frames") != "frames":
        raise UsageError("ack: only the producer frames waits for it; remove one of the two")
    if not entry.layout.has_results:
        for name in ("store_results", "seen_by"):
            if values.get(name) in (True, "result"):
                raise UsageError(
                    f"{name}: the {entry.name} layout stores no results; "
                    f"{_use_layout(lambda each: each.layout.has_results)}"
                )


def _use_layout(can: Callable[[LayoutEntry], bool]) -> str:
    """The cure for what a layout cannot do, as in ``use layout = a or b``."""
    return f"use layout = {registry.names_with(can)}"


def _require_one_parent(queues: list[str], layout: Layout) -> None:
    if not queues:
        raise UsageError("queues: name at least one, as in queues = {inference_high = 1}")
    if not layout.needs_parent:
        return
    parents = sorted({_parent_of(queue, layout.separator) for queue in queues})
    if len(parents) > 1:
        raise UsageError(f"queues: {' and '.join(parents)} are two parents; a worker serves one")


def _parent_of(queue: str, separator: str) -> str:
    parent, sub_queue = split_queue(queue, separator)
    if not parent or not sub_queue:
        raise UsageError(
            f"queues: {queue!r} is not a sub-queue: write PARENT{separator}NAME, "
            f"for example inference{separator}high; or "
            f"{_use_layout(lambda entry: not entry.layout.needs_parent)}, which takes any name"
        )
    return parent


def parent_queue(scenario: Scenario) -> str:
    """Returns the queue that workers register for: the parent, or the first queue without one."""
    first = next(iter(scenario.queues))
    return split_queue(first, scenario.wire_layout.separator)[0] or first


SUB_QUEUES = ("high", "default", "low")
"""The sub-queues that a worker serves unless it is given others."""


def worker_command(scenario: Scenario) -> str:
    """Returns the command that starts a worker for the queues of a scenario."""
    parent, separator = parent_queue(scenario), scenario.wire_layout.separator
    words = ["bench", "worker", parent]
    if scenario.layout != registry.default.name:
        words.append(f"--layout {scenario.layout}")
    if not {*scenario.queues} <= {f"{parent}{separator}{each}" for each in SUB_QUEUES}:
        words.append(f"--queues {','.join(scenario.queues)}")
    return " ".join(words)

"""From fields as written (TOML or flags) to a ``Scenario``, or to one line on what is wrong."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bench.errors import ScenarioError, UsageError
from bench.layouts import registry
from bench.layouts.entry import LayoutEntry
from bench.wire.layout import Layout, split_queue
from bench.workload.fields import FIELDS, nearest
from bench.workload.metrics import ALL_QUEUES, parse_objective
from bench.workload.scenario import Scenario


def resolve(fields: Mapping[str, object], source: str = "scenario") -> Scenario:
    """The scenario that these fields describe.

    Raises ScenarioError, beginning with ``source`` and naming the field, when one is unknown, has
    an impossible value, or does not go with another.
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
    if values.get("worker_command") is not None:
        values.setdefault("worker", "external")
    try:
        _require_consistent(values)
        return Scenario(**values)
    except UsageError as error:
        raise ScenarioError(f"{source}: {error}") from None


def _require_consistent(values: Mapping[str, Any]) -> None:
    """Raise UsageError for fields that are each possible, but not together."""
    entry = registry.get(values.get("layout", registry.default.name))
    _require_one_parent(list(values.get("queues") or ()), entry.layout)
    _require_possible_in(entry, values)
    _require_known_queues(values["queues"], values.get("slo", ()))
    closed = values.get("arrivals") == "max"
    staged = bool(values.get("stages"))
    rated = values.get("rate_per_s") is not None
    timed = values.get("duration_s") is not None
    contradictions = (
        (closed and staged, "stages: they need a rate to follow, and rate = max has none"),
        (
            values.get("rate_per_s") == "max",
            f"rate: max has no schedule, so arrivals cannot be {values.get('arrivals')}",
        ),
        (
            staged and not any(stage.start_per_s + stage.end_per_s for stage in values["stages"]),
            "stages: all their rates are zero",
        ),
        (closed and rated, "rate: arrivals = max has none; leave out one of the two"),
        (staged and rated, "rate: the stages give it; leave out one of the two"),
        (staged and timed, "duration: the stages give it; leave out one of the two"),
        (
            not (closed or staged or rated),
            "rate: say how many tasks a second, as in 5000/s, or max",
        ),
        (
            not (staged or timed or values.get("tasks")),
            "duration: say how long, as in 20s, or how many tasks",
        ),
        (
            values.get("max_backlog") is not None and not closed,
            "max_backlog: only a closed loop (rate = max) can wait for its workers",
        ),
        (
            values.get("worker_start") == "after-fill" and values.get("workers", 1) == 0,
            "worker_start: there are no workers to start",
        ),
        (
            values.get("payload_file") is not None and "payload_size" in values,
            "payload_size: payload_file gives it; leave out one of the two",
        ),
    )
    _require_observable(values)
    for contradicts, message in contradictions:
        if contradicts:
            raise UsageError(message)


def _require_observable(values: Mapping[str, Any]) -> None:
    """Raise UsageError for what makes no sense with a worker that is only seen from outside."""
    if values.get("worker") != "external":
        if values.get("worker_command") is not None:
            raise UsageError("worker: a worker_command starts an external one")
        return
    if values.get("external_workers"):
        raise UsageError(
            "external_workers: those are this project's own, started elsewhere with 'bench "
            "worker'; for anybody's worker say worker = external alone"
        )
    for objective in map(parse_objective, values.get("slo", ())):
        if objective.metric.subject.name in ("queue_wait", "service", "e2e_from_send"):
            raise UsageError(
                f"slo: {objective.expression!r}: of an external worker only the end of a task can "
                "be seen: write e2e or enqueue"
            )
    if values.get("workers") == 0 and values.get("worker_command") is not None:
        raise UsageError("workers: with 0 of them the worker_command is never started")
    if values.get("worker_start") == "after-fill" and values.get("worker_command") is None:
        raise UsageError(
            "worker_start: an external worker that is there already serves when it likes; with a "
            "worker_command it can wait"
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


def _require_known_queues(queues: Mapping[str, float], objectives: Iterable[str]) -> None:
    for objective in map(parse_objective, objectives):
        queue = objective.metric.queue
        if queue not in (ALL_QUEUES, *queues):
            hint = nearest(queue, queues)
            raise UsageError(f"slo: {objective.expression!r}: no queue {queue!r}{hint}")


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
    """The queue that workers register for; where queues have no parent, the first of them."""
    first = next(iter(scenario.queues))
    return split_queue(first, scenario.wire_layout.separator)[0] or first

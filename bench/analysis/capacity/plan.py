"""Sizing for a rate, from a capacity record alone."""

import math
from collections.abc import Iterator
from pathlib import Path

import msgspec

from bench import units
from bench.analysis.capacity import models
from bench.analysis.capacity.memory import MemoryDemand, MemoryPlan, memory_notes, plan_memory
from bench.analysis.capacity.options import sustained_rates
from bench.analysis.capacity.placement import (
    Placement,
    place_queues,
    placement_notes,
    servers_for,
)
from bench.analysis.capacity.plan_notes import plan_notes
from bench.analysis.capacity.plan_request import PlanOption, PlanRequest
from bench.analysis.capacity.queueing import Queue, priority_waits_s
from bench.errors import UsageError
from bench.records import capacity_record
from bench.records.capacity_record import CapacityRecord
from bench.workload.metrics import parse_objective


class CapacityPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a sizing question. A value is None where the record does not show it."""

    request: PlanRequest = msgspec.field(name="wish")
    """The question; its key in the JSON output is ``wish``."""
    axis: str
    options: list[PlanOption]
    chosen: PlanOption | None
    shards: int | None
    """Number of Redis servers that the rate takes, with each queue on one server."""
    server_share: float | None
    """Share of one core that the busiest Redis server uses."""
    placement: Placement | None
    """The server of each queue; None where the load of a server is not known, and for more than
    ``MOST_SERVERS`` servers."""
    drain_s: float | None
    """Time to drain the backlog while tasks keep arriving at the planned rate."""
    drain_idle_s: float | None
    """Time to drain the backlog when no new tasks arrive."""
    memory_full_at: int | None
    """Number of queued tasks that fill the memory of one server, beside its kept tasks."""
    memory_full_s: float | None
    """Time until the busiest server is full when no worker serves its queues."""
    memory: MemoryPlan
    waits_s: dict[str, float]
    """Mean wait for a worker by sub-queue; empty where the queueing model does not apply."""
    first_bottleneck: str = msgspec.field(name="first_to_give")
    """The first bottleneck as the rate grows, and the rate at which it is reached."""
    notes: list[str]
    """What a reader must know, one sentence each."""


def make_plan(
    record: CapacityRecord, request: PlanRequest, path: Path | None = None
) -> CapacityPlan:
    """Returns the plan for a rate. ``path`` is the record's file, which notes name.

    Raises UsageError for an objective that the search did not have, and for a service time that the
    record cannot scale.
    """
    _require_searched(record, request)
    factor = _service_factor(record, request)
    options = list(_options(record, request, factor))
    chosen = next((option for option in options if not option.rejected), None)
    saturation = None if chosen is None else _saturation(record, chosen, factor)
    shards, placement = _servers(record, request)
    busiest = 1 / (shards or 1) if placement is None else placement.busiest
    share = _server_share(record, request, busiest)
    demand = _memory_demand(record, request, busiest)
    memory = plan_memory(demand)
    return CapacityPlan(
        request=request,
        axis=record.axis,
        options=options,
        chosen=chosen,
        shards=shards,
        server_share=share,
        placement=placement,
        drain_s=_drain(request, saturation, request.rate_per_s),
        drain_idle_s=_drain(request, saturation, 0.0),
        memory_full_at=demand.full_at,
        memory_full_s=demand.full_s,
        memory=memory,
        waits_s=_waits(record, request, chosen, saturation),
        first_bottleneck=_first_bottleneck(chosen, share, memory.kept_share, request),
        notes=[
            *plan_notes(record, request, options, path),
            *placement_notes(placement, shards, record.axis),
            *_keeping_notes(record, request),
            *memory_notes(demand, memory),
        ],
    )


def _require_searched(record: CapacityRecord, request: PlanRequest) -> None:
    known = {_normal(each) for each in record.slo}
    for expression in request.slo:
        if _normal(expression) not in known:
            raise UsageError(
                f"{expression!r} is not an objective of the search ({'; '.join(record.slo)}); run "
                "'bench capacity' with it"
            )


def _normal(expression: str) -> tuple[object, ...]:
    objective = parse_objective(expression)
    return objective.metric, objective.operator, objective.limit


def _service_factor(record: CapacityRecord, request: PlanRequest) -> float:
    """Returns the factor by which a rate changes with another service time.

    The rest of a task's time is assumed to stay the same.
    """
    if request.service_s is None:
        return 1.0
    if record.service is None:
        raise UsageError("the record has no service times to scale; remove --service-time")
    least = min(record.levels, key=lambda level: level.units, default=None)
    if least is None or not least.saturation_per_s:
        raise UsageError("the record has no saturation rate to scale; remove --service-time")
    task_s = least.units / least.saturation_per_s
    changed_s = max(task_s - record.service.mean_s, 0.0) + request.service_s
    return task_s / changed_s


def _options(record: CapacityRecord, request: PlanRequest, factor: float) -> Iterator[PlanOption]:
    """Yields each number whose rate is known or can be modelled, the smallest first."""
    for each in sustained_rates(record):
        holds = each.rate_per_s * factor
        basis = "modelled" if each.basis == "measured" and factor != 1.0 else each.basis
        headroom = 1 - request.rate_per_s / holds if holds else -math.inf
        yield PlanOption(
            units=each.units,
            holds_per_s=holds,
            basis=basis,
            of_units=each.of_units,
            headroom=headroom,
            rejected=_why_not(headroom, request),
        )


def _why_not(headroom: float, request: PlanRequest) -> str:
    if headroom < 0:
        return "too few for the rate"
    if headroom < request.headroom - 1e-9:
        return f"only {headroom:.0%} headroom"
    return ""


def _saturation(record: CapacityRecord, chosen: PlanOption, factor: float) -> float:
    """Returns the highest throughput of an option, whatever the latency."""
    level = models.level_of(record, chosen.units)
    if level is not None and level.saturation_per_s is not None:
        return level.saturation_per_s * factor
    return chosen.holds_per_s


def _drain(request: PlanRequest, saturation: float | None, rate_per_s: float) -> float | None:
    if saturation is None or saturation <= rate_per_s:
        return None
    return request.backlog / (saturation - rate_per_s)


def _servers(record: CapacityRecord, request: PlanRequest) -> tuple[int | None, Placement | None]:
    """Returns how many servers the rate takes, and the placement of the queues on them."""
    ceiling = record.redis.ceiling_per_s if record.redis is not None else None
    if not ceiling:
        return None, None
    limit_per_s = ceiling * (1 - request.headroom)
    mix = request.mix or record.scenario.queues
    placement = place_queues(mix, request.rate_per_s, limit_per_s)
    if placement is None:
        return servers_for(request.rate_per_s, limit_per_s), None
    return len(placement.servers), placement


def _server_share(record: CapacityRecord, request: PlanRequest, busiest: float) -> float | None:
    ceiling = record.redis.ceiling_per_s if record.redis is not None else None
    return request.rate_per_s * busiest / ceiling if ceiling else None


def _memory_demand(record: CapacityRecord, request: PlanRequest, busiest: float) -> MemoryDemand:
    queued = record.redis.memory_bytes_per_queued_task if record.redis is not None else None
    return MemoryDemand(
        rate_per_s=request.rate_per_s,
        busiest=busiest,
        backlog=request.backlog,
        keep_s=request.keep_s or 0.0,
        queued_bytes=queued,
        kept_bytes=queued if request.kept_bytes is None else request.kept_bytes,
        memory_bytes=request.memory_bytes,
    )


def _waits(
    record: CapacityRecord,
    request: PlanRequest,
    chosen: PlanOption | None,
    saturation: float | None,
) -> dict[str, float]:
    """Returns the mean wait of each sub-queue under strict priority.

    Empty where the queueing model was rejected by a check, or does not apply.
    """
    if chosen is None or saturation is None or record.service is None:
        return {}
    if capacity_record.is_rejected(record, "e2e.p99") or record.scenario.priority != "strict":
        return {}
    shape = models.shape_of(record.service)
    queue = Queue(
        chosen.units,
        request.rate_per_s,
        shape.scaled_to(chosen.units / saturation),
        record.service.arrivals_variation,
    )
    shares = request.mix or record.scenario.queues
    total = sum(shares.values())
    waits = priority_waits_s(queue, [share / total for share in shares.values()])
    return {name: wait for name, wait in zip(shares, waits, strict=True) if math.isfinite(wait)}


def _first_bottleneck(
    chosen: PlanOption | None,
    share: float | None,
    kept_share: float | None,
    request: PlanRequest,
) -> str:
    """Returns what saturates first when the rate grows, and the rate at which it does."""
    if chosen is None:
        return ""
    limits = {"the workers": chosen.holds_per_s}
    if share:
        limits["Redis"] = request.rate_per_s / share
    if kept_share:
        limits["the memory for kept tasks"] = request.rate_per_s / kept_share
    first = min(limits, key=limits.__getitem__)
    return f"{first}, at {units.format_rate(limits[first])}"


def _keeping_notes(record: CapacityRecord, request: PlanRequest) -> Iterator[str]:
    if request.keep_s is None and record.scenario.store_results:
        yield (
            "the scenario stores results, but the memory of finished tasks that are kept is not "
            "counted; add the time for which they are kept, such as --keep 24h"
        )
    if request.keep_s and request.kept_bytes is None and record.redis is not None:
        each = record.redis.memory_bytes_per_queued_task
        if each:
            yield (
                f"a kept task is counted like a queued one, {units.format_bytes(each)} without a "
                "result; add --kept-bytes for another size"
            )

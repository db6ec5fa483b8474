"""What to buy for a rate: from a capacity record alone, without touching Redis.

What was measured is taken as it was; between and beyond the levels the law of scaling speaks, with
the low end of its interval, and only as long as no check rejected it.
"""

import math
from collections.abc import Iterator

import msgspec

from bench import capacity_record, units
from bench.analysis.capacity import models
from bench.analysis.capacity.queueing import Queue, priority_waits_s
from bench.capacity_record import CapacityRecord
from bench.errors import UsageError
from bench.workload import slo


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked. Tasks a second, shares, seconds, bytes."""

    rate_per_s: float
    headroom: float
    """Share of each capacity that is to stay free."""
    slo: tuple[str, ...] = ()
    """Of those that were searched for; empty for all of them."""
    backlog: int = 1_000_000
    memory_bytes: int | None = None
    """Of one server; None when nobody said."""
    service_s: float | None = None
    """What if a task took so long, on average; None as measured."""
    mix: dict[str, float] | None = None
    """What if the sub-queues had these shares, highest priority first; None as measured."""


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """So many workers or slots."""

    units: int
    holds_per_s: float
    """What they hold; of a model, the low end of its interval."""
    basis: str
    """``measured`` or ``modelled``."""
    headroom: float
    """What stays free at the rate asked for; negative where they are too few."""
    rejected: str
    """Why not; empty for one that will do."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The answer. None where the record cannot say."""

    wish: Wish
    axis: str
    options: list[Option]
    chosen: Option | None
    shards: int | None
    server_share: float | None
    """Of one core of Redis, for each shard."""
    drain_s: float | None
    """How long the backlog takes while tasks go on coming at that rate."""
    drain_idle_s: float | None
    """And if none came."""
    memory_full_at: int | None
    """Tasks that fill the memory of one server."""
    memory_full_s: float | None
    """How long that takes once nobody serves."""
    waits_s: dict[str, float]
    """Mean wait for a worker, by sub-queue, where the queue's model holds."""
    first_to_give: str
    notes: list[str]


def make_plan(record: CapacityRecord, wish: Wish) -> Plan:
    """Plan for a rate. Raises UsageError for an objective that was not searched for."""
    _require_searched(record, wish)
    factor = _service_factor(record, wish)
    options = list(_options(record, wish, factor))
    chosen = next((option for option in options if not option.rejected), None)
    saturation = None if chosen is None else _saturation(record, chosen, factor)
    shards, share = _servers(record, wish)
    full_at, full_s = _memory(record, wish)
    return Plan(
        wish=wish,
        axis=record.axis,
        options=options,
        chosen=chosen,
        shards=shards,
        server_share=share,
        drain_s=_drain(wish, saturation, wish.rate_per_s),
        drain_idle_s=_drain(wish, saturation, 0.0),
        memory_full_at=full_at,
        memory_full_s=full_s,
        waits_s=_waits(record, wish, chosen, saturation),
        first_to_give=_first_to_give(chosen, share, wish),
        notes=list(_notes(record, wish, chosen)),
    )


def _require_searched(record: CapacityRecord, wish: Wish) -> None:
    known = {_normal(each) for each in record.slo}
    for expression in wish.slo:
        if _normal(expression) not in known:
            raise UsageError(
                f"{expression!r} is not what was searched for ({'; '.join(record.slo)}): search "
                "again with it"
            )


def _normal(expression: str) -> tuple[object, ...]:
    objective = slo.parse(expression)
    return (
        *(objective.name, objective.queue, objective.statistic),
        *(objective.operator, objective.limit),
    )


def _service_factor(record: CapacityRecord, wish: Wish) -> float:
    """By what a rate changes with another service time: the rest of a task's time stays."""
    if wish.service_s is None:
        return 1.0
    if record.service is None:
        raise UsageError("the record has no service times to begin from: leave --service-time out")
    least = min(record.levels, key=lambda level: level.units, default=None)
    if least is None or not least.saturation_per_s:
        raise UsageError("the record has no rate to begin from: leave --service-time out")
    task_s = least.units / least.saturation_per_s
    changed_s = max(task_s - record.service.mean_s, 0.0) + wish.service_s
    return task_s / changed_s


def _options(record: CapacityRecord, wish: Wish, factor: float) -> Iterator[Option]:
    """Measured levels, and modelled ones between and beyond them, from the fewest up."""
    measured = {level.units: level for level in record.levels if level.lower_per_s is not None}
    modelled = {} if capacity_record.is_rejected(record, "capacity") else _modelled(record)
    for count in sorted({*measured, *modelled}):
        is_measured = count in measured
        holds = (measured[count].lower_per_s or 0.0) if is_measured else modelled[count]
        holds *= factor
        basis = "measured" if is_measured and factor == 1.0 else "modelled"
        headroom = 1 - wish.rate_per_s / holds if holds else -math.inf
        yield Option(
            units=count,
            holds_per_s=holds,
            basis=basis,
            headroom=headroom,
            rejected=_why_not(headroom, wish),
        )


def _modelled(record: CapacityRecord) -> dict[int, float]:
    """Whole numbers of workers to the low end of what the law says they hold."""
    if record.scaling is None:
        return {}
    band = record.scaling.band
    counts = range(math.ceil(band[0][0]), math.floor(band[-1][0]) + 1)
    found = {}
    for count in counts:
        _, _, low, _ = min(band, key=lambda point: abs(point[0] - count))
        found[count] = max(low, 0.0)
    return found


def _why_not(headroom: float, wish: Wish) -> str:
    if headroom < 0:
        return "too few for the rate"
    if headroom < wish.headroom - 1e-9:
        return f"headroom of {headroom:.0%} only"
    return ""


def _saturation(record: CapacityRecord, chosen: Option, factor: float) -> float:
    """How fast they go at all, whatever the latency."""
    level = models.level_of(record, chosen.units)
    if level is not None and level.saturation_per_s is not None:
        return level.saturation_per_s * factor
    return chosen.holds_per_s


def _drain(wish: Wish, saturation: float | None, rate_per_s: float) -> float | None:
    if saturation is None or saturation <= rate_per_s:
        return None
    return wish.backlog / (saturation - rate_per_s)


def _servers(record: CapacityRecord, wish: Wish) -> tuple[int | None, float | None]:
    ceiling = record.redis.ceiling_per_s if record.redis is not None else None
    if not ceiling:
        return None, None
    shards = max(math.ceil(wish.rate_per_s / (ceiling * (1 - wish.headroom))), 1)
    return shards, wish.rate_per_s / shards / ceiling


def _memory(record: CapacityRecord, wish: Wish) -> tuple[int | None, float | None]:
    each = record.redis.memory_bytes_per_queued_task if record.redis is not None else None
    if not each or wish.memory_bytes is None:
        return None, None
    full_at = int(wish.memory_bytes / each)
    return full_at, full_at / wish.rate_per_s


def _waits(
    record: CapacityRecord, wish: Wish, chosen: Option | None, saturation: float | None
) -> dict[str, float]:
    """Mean waits of the sub-queues under strict priority, where no check missed the model."""
    if chosen is None or saturation is None or record.service is None:
        return {}
    if capacity_record.is_rejected(record, "e2e.p99") or record.scenario.priority != "strict":
        return {}
    shape = models.shape_of(record.service)
    queue = Queue(
        chosen.units,
        wish.rate_per_s,
        shape.scaled_to(chosen.units / saturation),
        record.service.arrivals_variation,
    )
    shares = wish.mix or record.scenario.queues
    total = sum(shares.values())
    waits = priority_waits_s(queue, [share / total for share in shares.values()])
    return {name: wait for name, wait in zip(shares, waits, strict=True) if math.isfinite(wait)}


def _first_to_give(chosen: Option | None, share: float | None, wish: Wish) -> str:
    """What runs out first when the rate grows."""
    if chosen is None:
        return ""
    workers_at = chosen.holds_per_s
    server_at = math.inf if not share else wish.rate_per_s / share
    if server_at < workers_at:
        return f"Redis, at {units.format_rate(server_at)}"
    return f"the workers, at {units.format_rate(workers_at)}"


def _notes(record: CapacityRecord, wish: Wish, chosen: Option | None) -> Iterator[str]:
    if capacity_record.is_rejected(record, "capacity"):
        yield "the law of scaling was rejected by a check: only what was measured is planned with"
    elif record.scaling is None:
        yield "there is no law of scaling: only what was measured is planned with"
    if chosen is None:
        yield _too_much(record, wish)
    elif chosen.basis == "modelled":
        yield "the number of workers is modelled, at the low end of its interval: measure it"
    if wish.service_s is not None:
        yield "another service time is a model: what a task takes beside it is left as it was"
    if capacity_record.is_rejected(record, "e2e.p99"):
        yield "the model of the queue was rejected by a check, so no waits are given"
    unsettled = [level.units for level in record.levels if not level.is_settled]
    if unsettled:
        yield f"not proven to the end: {record.axis} {', '.join(map(str, unsettled))}"


def _too_much(record: CapacityRecord, wish: Wish) -> str:
    best = models.best_level(record)
    most = "nothing" if best is None else units.format_rate(best.lower_per_s)
    return (
        f"no number of {record.axis} that may be spoken of holds "
        f"{units.format_rate(wish.rate_per_s)} with {wish.headroom:.0%} to spare: {most} was the "
        "most that was measured; search again with more, or spread the queue over several servers"
    )

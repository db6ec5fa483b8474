"""What a reader of a plan must know: what it rests on, and what to measure for a better one."""

import math
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench import units
from bench.analysis.capacity.answer import continuation, counted_units
from bench.analysis.capacity.evidence import held_rate
from bench.analysis.capacity.options import declines
from bench.analysis.capacity.plan_request import PlanOption, PlanRequest
from bench.records import capacity_record
from bench.records.capacity_record import CapacityRecord
from bench.workload.scenario_fields import MAX_CONCURRENCY, MOST_WORKERS


def plan_notes(
    record: CapacityRecord,
    request: PlanRequest,
    options: Sequence[PlanOption],
    path: Path | None,
) -> Iterator[str]:
    """Yields what limits the choice of a number, one sentence each. ``path`` is the record."""
    chosen = next((option for option in options if not option.rejected), None)
    if capacity_record.is_rejected(record, "capacity"):
        yield "the scaling law was rejected by a check, so the plan uses measured levels only"
    elif record.scaling is None:
        yield "there is no scaling law, so the plan uses measured levels only"
    if chosen is None:
        yield _too_much(record, request, options)
    else:
        yield from _basis_of(record, chosen, options)
    yield from _contradictions(record)
    if request.service_s is not None:
        yield "the service time is hypothetical; the rest of a task's time is assumed unchanged"
    if capacity_record.is_rejected(record, "e2e.p99"):
        yield "the queueing model was rejected by a check, so waits are not modelled"
    yield from _unproven(record, path)


def command_to_measure(record: CapacityRecord, numbers: Sequence[int]) -> str:
    """Returns the ``bench capacity`` command that searches these numbers of workers or slots."""
    levels = ",".join(map(str, numbers))
    objectives = [f"--slo={each}" for each in record.slo]
    return shlex.join(
        ["bench", "capacity", *record.words, f"--{record.axis}={levels}", *objectives]
    )


def _basis_of(
    record: CapacityRecord, chosen: PlanOption, options: Sequence[PlanOption]
) -> Iterator[str]:
    """Yields what the chosen number's rate rests on, where that is not a search."""
    name = counted_units(chosen.units, record.axis)
    searched = [level.units for level in record.levels]
    is_searched = chosen.units in searched
    if chosen.basis == "extrapolated":
        yield (
            f"the rate of {name} is extrapolated beyond the largest measured number, "
            f"{max(searched)} (low end of its interval); measure it: "
            f"{command_to_measure(record, [chosen.units])}"
        )
    elif chosen.basis == "modelled" and not is_searched:
        below, above = _neighbours(searched, chosen.units)
        yield (
            f"the rate of {name} is modelled between the measured {below} and {above} (low end of "
            f"its interval); measure it: {command_to_measure(record, [chosen.units])}"
        )
    if chosen.units > 1 and chosen is options[0]:
        yield f"fewer than {name} may be enough, but were not measured"


def _neighbours(searched: Sequence[int], number: int) -> tuple[int, int]:
    below = max((each for each in searched if each < number), default=min(searched))
    return below, min((each for each in searched if each > number), default=max(searched))


def _contradictions(record: CapacityRecord) -> Iterator[str]:
    """Yields where more workers or slots were measured to sustain less, significantly or not."""
    found = declines(record)
    for each in found:
        fewer, more = each.fewer, each.more
        yield (
            f"{counted_units(more.units, record.axis)} sustain significantly less than "
            f"{fewer.units}, as measured: {units.format_rate(more.lower_per_s or 0.0)} versus "
            f"{units.format_rate(fewer.lower_per_s)}"
        )
    known = {each.more.units for each in found}
    highest = 0.0
    for level in sorted(record.levels, key=lambda each: each.units):
        rate = level.lower_per_s
        if rate is None:
            continue
        if rate < highest and level.units not in known:
            yield (
                f"{counted_units(level.units, record.axis)} sustain {units.format_rate(rate)} as "
                f"measured, which is not significantly less than the {units.format_rate(highest)} "
                "of fewer, so the plan counts on the latter"
            )
        highest = rate if level.units in known else max(highest, rate)


def _unproven(record: CapacityRecord, path: Path | None) -> Iterator[str]:
    """Yields which levels are not settled, what is known of them, and how to go on."""
    unsettled = [level for level in record.levels if not level.is_settled]
    if not unsettled:
        return
    command = continuation(record, path)
    numbers = ", ".join(str(level.units) for level in unsettled)
    proof = f"; prove them: {command}" if command else ""
    yield f"bounds are not fully proven for {record.axis} {numbers}{proof}"
    for level in unsettled:
        held = held_rate(record, level.units, level.lower_per_s)
        if held is not None and not held.is_proven:
            yield (
                f"{counted_units(level.units, record.axis)} held "
                f"{units.format_rate(held.rate_per_s)} in {held.good} of {held.made} runs, which "
                "proves nothing, so the plan does not count on it"
            )


def _too_much(record: CapacityRecord, request: PlanRequest, options: Sequence[PlanOption]) -> str:
    """Returns why no number is enough, and what would show one that is."""
    best = max(options, key=lambda each: each.holds_per_s, default=None)
    rate = units.format_rate(request.rate_per_s)
    if best is None or not best.holds_per_s:
        measure = command_to_measure(record, record.asked)
        return f"no number of {record.axis} is known to sustain any rate; search again: {measure}"
    text = (
        f"no measured or modelled number of {record.axis} sustains {rate} with "
        f"{request.headroom:.0%} headroom; the highest known rate is "
        f"{units.format_rate(best.holds_per_s)}, with "
        f"{counted_units(best.of_units, record.axis)} ({best.basis})"
    )
    if best.headroom >= 0:
        text += f", which leaves {best.headroom:.0%}"
    most = MOST_WORKERS if record.axis == "workers" else MAX_CONCURRENCY
    needed = best.of_units * request.rate_per_s / (1 - request.headroom) / best.holds_per_s
    more = max(math.ceil(needed), max(record.asked) + 1)
    if more > most:
        return f"{text}; divide the load among queues on several servers"
    measure = command_to_measure(record, sorted({*record.asked, more}))
    return f"{text}; measure more: {measure}"

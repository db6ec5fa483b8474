"""From what was read of a server to a draft of a scenario. Pure."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence

from bench.errors import UsageError
from bench.survey import queue_shares
from bench.survey.drafted import Draft, DraftedField
from bench.survey.observed import Survey
from bench.survey.sizes import size_origin, size_written
from bench.survey.traffic import Traffic, traffic
from bench.units import format_bytes, format_duration, format_rate
from bench.wire.layout_contract import STATE_ARCHIVED, STATE_COMPLETED
from bench.workload.quantities import LEAST_PER_S, MOST_PER_S, MOST_SERVICE_S, plain
from bench.workload.scenario_fields import MAX_CONCURRENCY, MOST_WORKERS

ASSUMED_RATE_PER_S = 100.0
ASSUMED_SIZE = "256B"
_DURATION_S = 20.0
_LONGEST_S = 120.0
_WANTED_TASKS = 200
_MOST_BYTES = 1e9
"""Payloads of a whole run: the layouts keep each of them until the run is over."""
_HEADROOM = 1.25
"""Slots of the run's worker for each task that was at work on average."""
_ONE_AT_A_TIME_PER_S = 1_000
"""Rate up to which a worker keeps up that takes one task at a time, with a round trip for each
command, on a machine with two cores."""
_PREFETCH = 64
_DAY_S = 86_400.0


def draft_of(found: Survey) -> Draft:
    """Returns the scenario that is like the queues of a survey.

    Raises UsageError where none of their names can be used.
    """
    seen = traffic(found)
    names, notes = queue_shares.usable(found, seen)
    if not names:
        raise UsageError(
            f"no queue at {found.address} can be used in a scenario: {'; '.join(notes)}"
        )
    rate_per_s, rate_origin = _rate(found, seen, names)
    fields = [
        *_queues(found, seen, names),
        *_load(found, rate_per_s, rate_origin, seen.service_s),
        *_payload(found),
        *_attempts(found, seen),
        *_workers(seen, rate_per_s),
    ]
    notes += _notes(found, seen)
    return Draft(fields, notes, _headline(found))


def _headline(found: Survey) -> str:
    return (
        f"from {found.address}, layout {found.layout.name}: {found.commands:,} reading commands "
        f"within {format_duration(found.took_s)}, nothing written"
    )


def _queues(found: Survey, seen: Traffic, names: Sequence[str]) -> Iterator[DraftedField]:
    yield DraftedField("layout", found.layout.name, "found: the keys of the queues")
    weights, origin = queue_shares.shares(names, found, seen)
    order = "; the order, highest priority first, is guessed from the names"
    yield DraftedField("queues", weights, origin + (order if len(names) > 1 else ""))


def _rate(found: Survey, seen: Traffic, names: Sequence[str]) -> tuple[float, str]:
    """Returns tasks per second, and where they came from."""
    day_per_s = sum(found.day_ends.get(name, 0) for name in names) / _DAY_S
    arrived = sum(seen.arrived.get(name, 0.0) for name in names)
    watched = f"within {seen.watched_s:.1f} s"
    if arrived and seen.watched_s > 0:
        bound = "at least " if seen.is_lower_bound else ""
        text = f"sampled: {bound}{arrived:,.0f} tasks arrived {watched}, by {seen.source}"
        if day_per_s:
            text += f"; yesterday's mean was {_exact(day_per_s)}/s"
        if seen.is_lower_bound:
            text += "; tasks that were popped at once are not among them"
        return arrived / seen.watched_s, text
    if day_per_s:
        return day_per_s, f"counters: yesterday's mean; no task arrived {watched}"
    return (
        ASSUMED_RATE_PER_S,
        f"assumed: no task was seen to arrive {watched}; write the rate that you expect",
    )


def _load(
    found: Survey, rate_per_s: float, origin: str, service_s: float | None
) -> Iterator[DraftedField]:
    yield DraftedField("arrivals", "poisson", "assumed: tasks arrive independently of each other")
    rate_per_s = min(max(rate_per_s, LEAST_PER_S), MOST_PER_S)
    duration_s = min(max(_WANTED_TASKS / rate_per_s, _DURATION_S), _LONGEST_S)
    why = "chosen: a short first run"
    if service_s is not None and 5 * service_s > duration_s:
        duration_s = math.ceil(5 * min(service_s, MOST_SERVICE_S))
        why = "chosen: five times as long as a task takes"
    sizes = [task.size for task in found.tasks]
    most_per_s = _MOST_BYTES / duration_s / (sum(sizes) / len(sizes)) if sizes else math.inf
    if rate_per_s > most_per_s:
        origin += (
            f"; lowered from {format_rate(rate_per_s)}, so that the run's payloads fit into "
            f"{format_bytes(_MOST_BYTES)} of memory"
        )
        rate_per_s = max(most_per_s, LEAST_PER_S)
    yield DraftedField("rate", _rate_text(rate_per_s), origin)
    yield DraftedField("duration", f"{plain(round(duration_s))}s", why)


def _payload(found: Survey) -> Iterator[DraftedField]:
    sizes = [task.size for task in found.tasks]
    if not sizes:
        yield DraftedField("payload_size", ASSUMED_SIZE, "assumed: no task could be sampled")
        return
    kinds = [task.is_json for task in found.tasks if task.is_json is not None]
    origin = f"{size_origin(sizes)}; {sum(kinds):,} of {len(kinds):,} are JSON"
    yield DraftedField("payload_size", size_written(sizes), origin)
    if kinds and not found.layout.holds_json and sum(kinds) < len(kinds) / 2:
        yield DraftedField("payload_content", "binary", "sampled: most payloads are not JSON")


def _attempts(found: Survey, seen: Traffic) -> Iterator[DraftedField]:
    limits = Counter(task.max_retry for task in found.tasks if task.max_retry is not None)
    if limits:
        ((limit, count),) = limits.most_common(1)
        retried = sum(bool(task.retries) for task in found.tasks)
        origin = f"sampled: {count:,} of {limits.total():,} tasks; {retried:,} had been retried"
        yield DraftedField("max_retry", min(limit, 1000), origin)
    failed, attempts = seen.failed, seen.attempts
    origin = f"counters: {failed:,} of {attempts:,} attempts failed since they began"
    if not attempts:
        failed, attempts = _sampled_attempts(found)
        origin = f"sampled: {failed:,} of {attempts:,} attempts of tasks that have ended failed"
    if failed:
        yield DraftedField("failure_rate", float(f"{min(failed / attempts, 1):.2g}"), origin)
    stored = [task.has_result for task in found.tasks if task.has_result is not None]
    if sum(stored) > len(stored) / 2:
        yield DraftedField(
            "store_results",
            True,
            f"sampled: {sum(stored):,} of {len(stored):,} completed tasks have a result",
        )


def _sampled_attempts(found: Survey) -> tuple[int, int]:
    """How many attempts of sampled tasks failed, and how many were made, of tasks that ended."""
    ended = [task for task in found.tasks if task.state in (STATE_COMPLETED, STATE_ARCHIVED)]
    failed = sum((task.retries or 0) + (task.state == STATE_ARCHIVED) for task in ended)
    return failed, sum((task.retries or 0) + 1 for task in ended)


def _workers(seen: Traffic, rate_per_s: float) -> Iterator[DraftedField]:
    at_work = f"{seen.mean_active:.1f} on average, {seen.peak_active:,} at most"
    if seen.service_s is not None:
        service_s = min(seen.service_s, MOST_SERVICE_S)
        yield DraftedField(
            "service_time",
            f"exp:{_seconds_text(service_s)}",
            f"computed: {at_work} active in {seen.readings} readings, over "
            f"{seen.ended / seen.watched_s:.3g} attempts that ended per second (Little's law); the "
            "exponential shape is assumed",
        )
        slots = max(math.ceil(rate_per_s * service_s * _HEADROOM) + 1, seen.peak_active)
        workers = min(-(-slots // MAX_CONCURRENCY), MOST_WORKERS)
        if workers > 1:
            yield DraftedField("workers", workers, "chosen: processes for these slots")
        yield DraftedField(
            "concurrency",
            min(-(-slots // workers), MAX_CONCURRENCY),
            "chosen: as many as were active at most, and a quarter more than on average",
        )
        drain_s = math.ceil(10 * service_s)
        if drain_s > 30:
            yield DraftedField("drain_timeout", f"{drain_s}s", "chosen: ten times a task's time")
    elif seen.peak_active > 1:
        slots = min(seen.peak_active, MAX_CONCURRENCY)
        yield DraftedField("concurrency", slots, f"sampled: tasks that were active, {at_work}")
    if rate_per_s > _ONE_AT_A_TIME_PER_S:
        yield DraftedField(
            "prefetch",
            _PREFETCH,
            "chosen: tasks that a worker takes at a time, so that one process keeps up; with 1 "
            "and more workers it is as a worker that takes one at a time",
        )


def _notes(found: Survey, seen: Traffic) -> Iterator[str]:
    if seen.service_s is None:
        yield (
            "the time that a task takes is not known, so tasks end at once: set service_time, for "
            'example "exp:20ms", and concurrency'
        )
    if not found.tasks:
        yield "no task could be sampled, so payloads are an assumption"
    elif found.unreadable:
        yield (
            f"{found.unreadable:,} of {found.unreadable + len(found.tasks):,} sampled ids have no "
            f"task of the layout {found.layout.name}: 'bench verify --layout {found.layout.name}' "
            "says why"
        )
    if found.others:
        yield f"the server also has queues of the layout {', '.join(found.others)}: use --layout"
    if found.left_out:
        yield f"{found.left_out:,} more queues were not read, since there are too many"
    if not found.is_whole:
        yield "the search for queues ended before the last key, since there are too many"


def _rate_text(per_s: float) -> str:
    """A rate of three significant digits: per second, or per hour where it is low."""
    if per_s >= 1:
        return f"{_exact(per_s)}/s"
    return f"{_exact(max(per_s * 3600, 1.0))}/h"


def _seconds_text(seconds: float) -> str:
    if seconds < 1:
        return f"{_exact(max(seconds * 1000, 0.001))}ms"
    return f"{_exact(seconds)}s"


def _exact(number: float) -> str:
    """Three significant digits, and all of a larger whole number."""
    return f"{number:.0f}" if number >= 100 else plain(float(f"{number:.3g}"))

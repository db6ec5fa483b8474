"""From readings of queues to rates: what arrived, what ended, and how many tasks were at work."""

from collections.abc import Mapping
from dataclasses import dataclass

from bench.survey.observed import QueueReading, Reading, Survey
from bench.wire.layout_contract import CounterRules

_FEWEST_ENDS = 10
"""Ends of tasks from which a time per task is computed."""


@dataclass(frozen=True)
class Traffic:
    """What happened in the queues while they were watched."""

    watched_s: float
    readings: int
    arrived: Mapping[str, float]
    """Tasks by queue; at least so many where ``is_lower_bound``."""
    is_lower_bound: bool
    """Whether tasks that came and went between two readings are not among them."""
    source: str
    """What the number of arrivals was found by."""
    ended: float
    """Attempts that ended, or tasks where only these are counted; 0 where it is not known."""
    mean_active: float
    peak_active: int
    service_s: float | None
    """Mean time that one attempt takes; None where it cannot be told."""
    failed: int
    """Of ``attempts``, those that failed, since the queues' totals began."""
    attempts: int
    """0 where the totals do not count attempts."""

    @property
    def total(self) -> float:
        """Arrivals in all queues."""
        return sum(self.arrived.values())

    @property
    def rate_per_s(self) -> float:
        """Arrivals per second, in all queues."""
        return self.total / self.watched_s if self.watched_s > 0 else 0.0


def traffic(found: Survey) -> Traffic:
    """Returns what the readings of a survey show."""
    first, last = found.readings[0], found.readings[-1]
    arrived, source, is_lower_bound, ended = _arrivals(found, first, last)
    actives = [sum(each.active for each in one.queues.values()) for one in found.readings]
    watched_s = last.at_s - first.at_s
    mean_active = sum(actives) / len(actives)
    is_known = ended >= _FEWEST_ENDS and mean_active > 0 and watched_s > 0
    processed = sum(each.processed or 0 for each in last.queues.values())
    by_attempt = found.rules == "attempts" and processed > 0
    return Traffic(
        watched_s=watched_s,
        readings=len(actives),
        arrived=arrived,
        is_lower_bound=is_lower_bound,
        source=source,
        ended=ended,
        mean_active=mean_active,
        peak_active=max(actives),
        # Little's law: the mean number at work is the rate at which they end by the time of each.
        service_s=mean_active * watched_s / ended if is_known else None,
        failed=sum(each.failed or 0 for each in last.queues.values()) if by_attempt else 0,
        attempts=processed if by_attempt else 0,
    )


def _arrivals(
    found: Survey, first: Reading, last: Reading
) -> tuple[dict[str, float], str, bool, float]:
    """Returns arrivals by queue, how they were found, whether there may be more, and the ends."""
    pairs = {name: (first.queues[name], last.queues[name]) for name in found.queues}
    counted = [each for each in pairs.values() if each[0].processed is not None]
    if len(counted) == len(pairs):
        arrived = {name: _counted(*pair, found.rules) for name, pair in pairs.items()}
        ended = sum(_attempts(*pair, found.rules) for pair in pairs.values())
        return arrived, "the queues' counters and lengths", False, ended
    gained = {name: _gain(*pair) for name, pair in pairs.items()}
    in_keys = _tasks_in_keys(found, first, last)
    if in_keys <= sum(gained.values()):
        return gained, "what the lists gained", True, 0.0
    grown = sum(pair[1].unfinished - pair[0].unfinished for pair in pairs.values())
    weights = _weights(found, gained)
    arrived = {name: in_keys * weights[name] for name in gained}
    return arrived, "the keys that the database gained", False, max(in_keys - grown, 0.0)


def _counted(before: QueueReading, after: QueueReading, rules: CounterRules) -> float:
    """Arrivals by the totals of what ended, and what has not ended."""
    processed, failed = _counters(before, after)
    ended = processed + failed
    if rules == "attempts":
        ended = processed - failed + max(after.archived - before.archived, 0)
    return float(max(ended + after.unfinished - before.unfinished, 0))


def _attempts(before: QueueReading, after: QueueReading, rules: CounterRules) -> int:
    processed, failed = _counters(before, after)
    return processed if rules == "attempts" else processed + failed


def _counters(before: QueueReading, after: QueueReading) -> tuple[int, int]:
    """What the totals gained; nothing where they went back."""
    return (
        max((after.processed or 0) - (before.processed or 0), 0),
        max((after.failed or 0) - (before.failed or 0), 0),
    )


def _gain(before: QueueReading, after: QueueReading) -> float:
    return float(max(after.unfinished - before.unfinished, 0))


def _tasks_in_keys(found: Survey, first: Reading, last: Reading) -> float:
    """Tasks that new keys stand for, in a layout that keeps every task."""
    if first.keys is None or last.keys is None or not found.layout.keeps_completed(False):
        return 0.0
    stored = [task.has_result for task in found.tasks if task.has_result is not None]
    keys_of_task = 1 + (sum(stored) / len(stored) if stored else 0.0)
    return max(last.keys - first.keys, 0) / keys_of_task


def _weights(found: Survey, gained: Mapping[str, float]) -> dict[str, float]:
    """Shares of the queues by what was sampled, else by what they gained, else equal ones."""
    sampled = {name: sum(task.queue == name for task in found.tasks) for name in gained}
    basis: Mapping[str, float] = next(
        (each for each in (sampled, gained) if sum(each.values())), dict.fromkeys(gained, 1.0)
    )
    total = sum(basis.values())
    return {name: basis[name] / total for name in gained}

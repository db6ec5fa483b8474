"""Whether objectives hold so far, from buckets of latencies that have their limits as bounds."""

import math
from collections.abc import Iterable, Mapping, Sequence

from bench.measure.latency_buckets import BucketCounts, Buckets, added_buckets
from bench.measure.recorder import Interval
from bench.names import ALL_QUEUES
from bench.workload.metrics import Objective, parse_objective


def limits_us(expressions: Iterable[str]) -> list[int]:
    """Returns the limits of the objectives that can be judged while a run lasts, in µs."""
    objectives = map(parse_objective, expressions)
    return [_limit_us(objective) for objective in objectives if _can_be_judged(objective)]


def held_so_far(
    expressions: Iterable[str],
    buckets: Buckets,
    queues: Sequence[str],
    bounds_us: tuple[int, ...],
) -> Mapping[str, bool]:
    """Returns whether each objective holds, by its expression, to three significant digits.

    Left out are those that only a whole run can tell: others than an upper limit of a percentile,
    and those without a latency yet.
    """
    found = {}
    for objective in map(parse_objective, expressions):
        if _can_be_judged(objective) and _limit_us(objective) in bounds_us:
            counted = _counted(objective, buckets, queues, len(bounds_us))
            if counted.count:
                within = sum(counted.counts[: bounds_us.index(_limit_us(objective)) + 1])
                rank = math.ceil((objective.metric.percent or 0) * counted.count / 100 - 1e-9)
                found[objective.expression] = within >= max(rank, 1)
    return found


def _can_be_judged(objective: Objective) -> bool:
    return objective.metric.percent is not None and objective.operator in ("<", "<=")


def _limit_us(objective: Objective) -> int:
    return round(objective.limit * 1e6)


def _counted(
    objective: Objective, buckets: Buckets, queues: Sequence[str], bounds: int
) -> BucketCounts:
    by_queue = buckets.get(Interval(objective.metric.subject.name), {})
    queue = objective.metric.queue
    return added_buckets(
        (each for index, each in by_queue.items() if queue in (ALL_QUEUES, queues[index])), bounds
    )

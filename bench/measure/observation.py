"""How completions of workers that do not report were observed, and how precisely."""

from collections.abc import Mapping

import msgspec

from bench.measure.endings import CounterReadings
from bench.measure.histogram import Histogram, unpack
from bench.measure.ledger import Counts
from bench.measure.reports import ObserverReport
from bench.wire.layout_contract import CounterRules


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """How the completions of a run were observed from outside its workers.

    The end of a traced task is known to within its *width*: the time between the last query in
    which the task had not ended and the first in which it had.
    """

    method: str
    """``polling`` or ``keyspace events``."""
    traced: int
    """Number of tasks that were queried one by one; all others appear in the ledger only."""
    traced_share: float
    """Share of the enqueued tasks that were traced, 0 to 1."""
    unseen: int
    """Number of traced tasks that ended before their due time could be read."""
    unended: int = 0
    """Number of traced tasks that were never seen to end."""
    counted: int | None = None
    """Successes according to the queues' own counters; None if there are none, or if it is not
    known by whose rules they count."""
    counter_rules: CounterRules | None = None
    """By whose rules the counters were read; None if they were not."""
    leases_expired: int = 0
    """Number of tasks whose lease was seen to have ended while a worker had them."""
    ended_after_lease: int = 0
    """How many of those ended afterwards: they were run again, or their worker was slow."""
    resolution_p50_s: float | None
    resolution_p99_s: float | None
    resolution_max_s: float | None
    """The largest width. It and the percentiles are None if no task was seen to end."""


def describe(
    observed: ObserverReport,
    counts: Counts,
    counted: Mapping[str, CounterReadings],
    rules: CounterRules | None,
) -> Observation:
    """Returns the observation that an observer's final report, the ledger's counts and the gains of
    the queues' counters amount to."""
    widths = Histogram() if observed.widths is None else unpack(observed.widths)

    def seconds(value_us: float | None) -> float | None:
        return None if value_us is None else value_us / 1e6

    return Observation(
        method=observed.method,
        traced=observed.traced,
        traced_share=observed.traced / counts.enqueued if counts.enqueued else 0.0,
        unseen=observed.unseen,
        unended=observed.traced - observed.unseen - widths.count,
        counted=None if rules is None else _successes(counted, rules),
        counter_rules=rules,
        leases_expired=observed.leases_expired,
        ended_after_lease=sum(observed.ended_after_lease.values()),
        resolution_p50_s=seconds(widths.percentile_us(50)),
        resolution_p99_s=seconds(widths.percentile_us(99)),
        resolution_max_s=seconds(widths.max_us if widths.count else None),
    )


def _successes(counted: Mapping[str, CounterReadings], rules: CounterRules) -> int:
    return sum(each.last.successes(rules) for each in counted.values())

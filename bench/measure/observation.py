"""How completions were seen from outside, and how well: for the record."""

import msgspec

from bench.measure.histogram import Histogram, unpack
from bench.measure.ledger import Counts
from bench.measure.reports import ObserverReport


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """Of a run whose workers tell nothing. A task ended somewhere within its width: the time from
    the last look at which it had not ended to the first at which it had."""

    method: str
    """``polling`` or ``keyspace events``."""
    traced: int
    """Tasks whose end was looked out for one by one; all others are in the ledger alone."""
    traced_share: float
    """Of those enqueued."""
    unseen: int
    """Of the traced: ended before they could be asked when they were due."""
    unended: int = 0
    """Of the traced: not seen to end at all."""
    counted: int | None = None
    """Successes that the queues' own counters saw; None where the layout has none."""
    resolution_p50_s: float | None
    resolution_p99_s: float | None
    resolution_max_s: float | None
    """Widths; None where no end was seen."""


def describe(observed: ObserverReport, counts: Counts) -> Observation:
    """From what an observer reported at its end."""
    widths = Histogram() if observed.widths is None else unpack(observed.widths)

    def seconds(value_us: float | None) -> float | None:
        return None if value_us is None else value_us / 1e6

    return Observation(
        method=observed.method,
        traced=observed.traced,
        traced_share=observed.traced / counts.enqueued if counts.enqueued else 0.0,
        unseen=observed.unseen,
        unended=observed.traced - observed.unseen - widths.count,
        counted=observed.counted,
        resolution_p50_s=seconds(widths.percentile_us(50)),
        resolution_p99_s=seconds(widths.percentile_us(99)),
        resolution_max_s=seconds(widths.max_us if widths.count else None),
    )

"""The intervals of a run that ended as it was precise enough.

Such a run has stopped where its figures seemed sure, and an interval computed as if its length had
been fixed would hold the true value too seldom. What was asked for is therefore never said to be
surer than the look which ended the run found it.
"""

from collections.abc import Iterator

import msgspec

from bench.measure.confidence import ConfidenceInterval
from bench.measure.stopping import UntilLook
from bench.names import ALL_QUEUES
from bench.records.run_record import PERCENTILE_FIELDS, Rates
from bench.run.collected import CollectedRun
from bench.run.figures.certainty import Summaries
from bench.workload.until import Target, parse_target


def widened_latency(latency: Summaries, run: CollectedRun) -> Summaries:
    """Returns the summaries with intervals of the percentiles asked for that are at least as wide
    as at the look that ended the run."""
    found = {interval: dict(by_queue) for interval, by_queue in latency.items()}
    for target, look in _ending(run):
        fields = [name for name, each in PERCENTILE_FIELDS.items() if each == target.metric.percent]
        for name in fields:
            one = found[target.metric.subject.name][ALL_QUEUES]
            confidence = _widened(one.confidence, name, getattr(one, name), look)
            found[target.metric.subject.name][ALL_QUEUES] = msgspec.structs.replace(
                one, confidence=confidence
            )
    return found


def widened_rates(rates: Rates, run: CollectedRun) -> Rates:
    """Returns the rates with the intervals of those asked for at least as wide as at the look that
    ended the run."""
    for target, look in _ending(run):
        if target.metric.kind == "rate":
            name = target.metric.subject.field
            confidence = _widened(rates.confidence, name, getattr(rates, name), look)
            rates = msgspec.structs.replace(rates, confidence=confidence)
    return rates


def _ending(run: CollectedRun) -> Iterator[tuple[Target, UntilLook]]:
    """The figures asked for, each with the look that ended the run; none where that did not."""
    if run.until is not None and run.until.ended_by == "precision":
        for look in run.until.last:
            yield parse_target(look.asked), look


def _widened(
    confidence: dict[str, ConfidenceInterval], name: str, value: float | None, look: UntilLook
) -> dict[str, ConfidenceInterval]:
    known, half = confidence.get(name), look.half_width
    if known is None or known.low is None or known.high is None or value is None or half is None:
        return confidence
    wider = ConfidenceInterval(
        low=min(known.low, max(value - half, 0.0)), high=max(known.high, value + half)
    )
    return {**confidence, name: wider}

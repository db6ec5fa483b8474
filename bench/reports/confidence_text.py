"""How sure a figure is, in words: the margin beside it, and the lines that say what has none."""

from collections.abc import Iterable, Iterator, Sequence

from bench import units
from bench.measure.confidence import PERIODS, SHORT, TAIL, ConfidenceInterval
from bench.names import ALL_QUEUES
from bench.records.run_record import LatencySummary, RunRecord
from bench.reports.figures import figure
from bench.workload.comparisons import Unit
from bench.workload.metrics import Metric

_NAMES = {"p50_s": "p50", "p90_s": "p90", "p95_s": "p95", "p99_s": "p99", "p999_s": "p99.9"}
_SHOWN = ("p50_s", "p90_s", "p99_s", "p999_s")
_MOST_NAMED = 4
_ONE_PERIOD = 1.5
EXPLANATION = "± is the larger side of the 95% confidence interval of this run"
EXPLANATION_OF_RUNS = (
    "± is the larger side of the 95% confidence interval of the run alone; percentiles and rates "
    "without it have none, and the run's own report says why"
)
NO_ROOM = (
    "how sure the figures are is left out for want of room: a wider terminal and --html show it"
)
_OLDER = "the record is of an older version"


def margin(value: float | None, interval: ConfidenceInterval | None) -> float | None:
    """Returns the larger distance from a figure to an end of its interval; None without one."""
    if value is None or interval is None or interval.low is None or interval.high is None:
        return None
    return max(value - interval.low, interval.high - value)


def duration(summary: LatencySummary, field: str) -> str:
    """Returns a statistic with its margin in the same unit: ``3.14 ms ±0.21``."""
    return seconds(getattr(summary, field), summary.confidence.get(field))


def seconds(value: float | None, interval: ConfidenceInterval | None) -> str:
    """Returns a latency with its margin, likewise; ``–`` for None."""
    text, found = units.format_duration(value), margin(value, interval)
    if value is None or found is None:
        return text
    return f"{text} ±{units.format_margin(found, value)}"


def rate(value: float | None, interval: ConfidenceInterval | None) -> str:
    """Returns a rate with its margin: ``5,000/s ±12``; without ± where it is below the digits."""
    text = units.format_rate(value)
    found = margin(value, interval)
    if value is None or found is None:
        return text
    digits = f"{found:.1f}" if abs(value) < 99.95 else f"{found:,.0f}"
    return f"{text} ±{digits}"


def metric_value(metric: Metric, value: float | None, interval: ConfidenceInterval | None) -> str:
    """Returns a metric's value with its margin, where it has an interval; ``–`` for None."""
    if value is not None and interval is not None:
        if metric.unit == Unit.SECONDS:
            return seconds(value, interval)
        if metric.unit == Unit.PER_SECOND:
            return rate(value, interval)
    return figure(metric, value)


def has_margins(record: RunRecord) -> bool:
    """Whether any percentile of the record has a confidence interval."""
    return any(
        each.is_known
        for by_queue in record.latency.values()
        for summary in by_queue.values()
        for each in summary.confidence.values()
    )


def lines(record: RunRecord) -> Iterator[str]:
    """Yields what the margins mean, and which percentiles of the whole have none and why, a line
    for each reason."""
    found = [
        (interval, _NAMES[field], by_queue[ALL_QUEUES].confidence[field])
        for interval, by_queue in record.latency.items()
        for field in _SHOWN
        if field in by_queue[ALL_QUEUES].confidence
    ]
    if not found:
        if any(by_queue[ALL_QUEUES].count for by_queue in record.latency.values()):
            yield f"how sure the percentiles are is not known: {_OLDER}"
        return
    withheld = [each for each in found if not each[2].is_known]
    if len(withheld) < len(found):
        yield EXPLANATION
    for reason in (SHORT, TAIL, PERIODS):
        chosen = [each for each in withheld if each[2].withheld == reason]
        if chosen:
            yield f"no interval for {_named(chosen, len(found))}: {_reason(reason, chosen)}"


def lines_of_runs(records: Sequence[RunRecord], names: Sequence[str]) -> Iterator[str]:
    """Yields what the margins of several runs mean, and which runs' records, by name, have
    none."""
    if any(map(has_margins, records)):
        yield EXPLANATION_OF_RUNS
    older = [name for name, record in zip(names, records, strict=False) if _is_without_any(record)]
    if older:
        yield (
            f"how sure the percentiles of {', '.join(older)} are is not known: "
            "the records have no intervals"
        )


def _is_without_any(record: RunRecord) -> bool:
    """Whether a record has percentiles and says of none how sure it is."""
    summaries = [each for by_queue in record.latency.values() for each in by_queue.values()]
    return any(each.count for each in summaries) and not any(each.confidence for each in summaries)


def lines_of_figures(intervals: Iterable[ConfidenceInterval | None]) -> Iterator[str]:
    """Yields how sure the figures of a list are, one of each run; None where its record does not
    say."""
    found = list(intervals)
    if any(each is not None and each.is_known for each in found):
        yield EXPLANATION_OF_RUNS
    elif any(each is not None for each in found):
        yield "no figure has a confidence interval; each run's own report says why"
    missing = sum(each is None for each in found)
    if missing:
        of = "" if missing == len(found) else f"{missing} of {len(found)} "
        yield f"how sure {of}figures are is not known: the records have no intervals"


_Found = Sequence[tuple[str, str, ConfidenceInterval]]


def _named(chosen: _Found, of: int) -> str:
    """Which percentiles these are: those of the same percent together."""
    if len(chosen) == of:
        return "any percentile"
    by_percent: dict[str, list[str]] = {}
    for interval, percent, _ in chosen:
        by_percent.setdefault(percent, []).append(interval)
    names = [
        f"{percent} of {', '.join(intervals)}"
        if len(intervals) <= _MOST_NAMED
        else f"{percent} of {len(intervals)} intervals"
        for percent, intervals in by_percent.items()
    ]
    return "; ".join(names)


def _reason(reason: str, chosen: _Found) -> str:
    needed = max((each.needs_s or 0.0 for _, _, each in chosen), default=0.0)
    at_least = f"a window of {units.format_duration(needed)}"
    if reason == SHORT:
        return f"the run is too short; {at_least} is needed"
    if reason == TAIL:
        return f"too few tasks are slower; {at_least} may have enough"
    least = min(each.periods or 0.0 for _, _, each in chosen)
    if least < _ONE_PERIOD:
        return "one stall, or one change of the level, decides some of them"
    return f"they are decided by few periods, about {least:.0f} at the least; run longer"

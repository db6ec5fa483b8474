"""Whether a run met its objectives (``--slo``)."""

from collections.abc import Callable, Mapping, Sequence

from bench.measure.faults import FaultOutcome
from bench.measure.ledger import Counts
from bench.names import ALL_QUEUES
from bench.records.run_record import Rates, SloResult
from bench.workload.comparisons import Unit
from bench.workload.metrics import ALL_FAULTS, Metric, parse_objective


def evaluated(
    expressions: Sequence[str],
    value_of: Callable[[Metric], float | None],
    most_of: Callable[[Metric], float | None],
    outcomes: Sequence[FaultOutcome] = (),
    perhaps_lost: int = 0,
) -> list[SloResult]:
    """Each objective with its value; one without data (None) is not met.

    ``most_of`` is the largest value that is possible where only bounds of the value are known, and
    None where the value itself is known. An objective must hold at both. ``outcomes`` are those of
    the faults of the run, and ``perhaps_lost`` tasks were lost or ended, which is not known.
    """
    results = []
    for expression in expressions:
        objective = parse_objective(expression)
        if objective.metric.kind == "fault":
            value = after_faults(objective.metric, outcomes)
            at_most = _most_lost(objective.metric, value, perhaps_lost)
        else:
            value, at_most = value_of(objective.metric), most_of(objective.metric)
        holds = objective.holds(value) and (at_most is None or objective.holds(at_most))
        results.append(SloResult(objective.expression, value, holds, at_most))
    return results


def _most_lost(metric: Metric, lost: float | None, perhaps_lost: int) -> float | None:
    """The most that faults can have lost, where that is not known; None for anything else."""
    if metric.subject.name != "lost" or lost is None or not perhaps_lost:
        return None
    return lost + perhaps_lost


def largest_possible(
    counts: Mapping[str, Counts], rates: Rates, *, gone_may_be_lost: bool = False
) -> Callable[[Metric], float | None]:
    """Returns a function from a metric to the largest value that is possible where tasks ended in a
    way that is not known, or, with ``gone_may_be_lost``, were lost; None where that does not
    matter."""

    def most_of(metric: Metric) -> float | None:
        of_queue = counts.get(metric.queue, Counts())
        if not of_queue.outcome_unknown:
            return None
        bounded = ("completed", "failed", *(["lost"] if gone_may_be_lost else []))
        if metric.kind == "count" and metric.subject.name in bounded:
            return float(getattr(of_queue, metric.subject.name) + of_queue.outcome_unknown)
        if metric.subject.name == "completed.rate" and rates.finished_per_s is not None:
            total = counts[ALL_QUEUES]
            return rates.finished_per_s * (total.ended - total.failed) / total.ended
        return None

    return most_of


def after_faults(metric: Metric, outcomes: Sequence[FaultOutcome]) -> float | None:
    """Returns what the faults of a kind did: the sum of a count, or the longest recovery in
    seconds.

    None where that cannot be said: without such a fault, where one of them did not happen, and for
    a recovery that one of them had not made by the end, or that nothing was measured of.
    """
    meant = [each for each in outcomes if metric.faults in (ALL_FAULTS, each.kind)]
    if not meant or any(each.began_s is None for each in meant):
        return None
    if metric.unit is Unit.TASKS:
        return float(sum(getattr(each, metric.subject.field) for each in meant))
    times = [each.recovery_s if each.recovered_s else None for each in meant]
    known = [each for each in times if each is not None]
    return max(known) if len(known) == len(times) else None

"""Whether a run met its objectives (``--slo``)."""

from collections.abc import Callable, Sequence

from bench.records.run_record import SloResult
from bench.workload.metrics import Metric, parse_objective


def evaluated(
    expressions: Sequence[str], value_of: Callable[[Metric], float | None]
) -> list[SloResult]:
    """Each objective with its value; one without data (None) is not met."""
    results = []
    for expression in expressions:
        objective = parse_objective(expression)
        value = value_of(objective.metric)
        results.append(SloResult(objective.expression, value, objective.holds(value)))
    return results

"""Runs against runs: which metrics are worse, better, no worse, or undecided, and what follows.

Correctness comes first: a candidate that loses or duplicates tasks has regressed, however fast it
is. Then every gated metric is put to the rule, the p values are corrected for being several, and
the worst decision is the comparison's.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench.analysis import rule
from bench.analysis.metrics import Metric
from bench.analysis.rule import Change, Decision
from bench.errors import ExitCode, MeasurementError
from bench.record import RunRecord

MARGIN = 0.05
ALPHA = 0.05
CONFIDENCE = 0.90
"""Two-sided: so that *no worse* is wrong with the chance of alpha, too."""


@dataclass(frozen=True)
class Row:
    """One metric. Values are medians over the runs of each side, in the record's units."""

    metric: Metric
    base: float | None
    candidate: float | None
    change: Change | None
    """None where a side has no such figure in some run."""
    p_worse: float
    """Corrected for all gated metrics (Holm); of a metric that is not gated as it is."""
    margin: float
    is_gated: bool
    decision: Decision
    pairs_needed: int | None
    """Where it is inconclusive: how many pairs would probably decide."""


@dataclass(frozen=True)
class Comparison:
    """All rows, and what they come to."""

    rows: Sequence[Row]
    pairs: int
    faults: Sequence[str]
    """Tasks that the candidate lost or finished twice, in words: these are decided without rows."""

    @property
    def decision(self) -> Decision:
        """The worst of the gated rows; a fault is worse than any."""
        if self.faults:
            return Decision.REGRESSION
        made = {row.decision for row in self.rows if row.is_gated}
        for worst in (Decision.REGRESSION, Decision.INCONCLUSIVE, Decision.NO_WORSE):
            if worst in made:
                return worst
        return Decision.IMPROVEMENT if made else Decision.INCONCLUSIVE

    @property
    def exit_code(self) -> ExitCode:
        """0 for no worse and better, 1 for a regression, 3 where nothing was proven."""
        return {
            Decision.REGRESSION: ExitCode.REGRESSION,
            Decision.INCONCLUSIVE: ExitCode.INCONCLUSIVE,
        }.get(self.decision, ExitCode.PASSED)


def compare(
    base: Sequence[RunRecord],
    candidate: Sequence[RunRecord],
    gated: Sequence[Metric],
    shown: Sequence[Metric] = (),
    margins: dict[str, float] | None = None,
) -> Comparison:
    """Compare runs pair by pair, in the order in which they began.

    ``margins`` widens the margin of a metric, by name, to what noise alone was seen to do. Raises
    MeasurementError when the sides have not as many runs each.
    """
    left = sorted(base, key=lambda record: record.started_at)
    right = sorted(candidate, key=lambda record: record.started_at)
    if len(left) != len(right) or not left:
        raise MeasurementError(
            f"{len(left)} runs of the base and {len(right)} of the candidate make no pairs: "
            "measure as many of each"
        )
    wider = margins or {}
    rows = [
        _row(metric, left, right, max(MARGIN, wider.get(metric.name, 0.0)), metric in gated)
        for metric in (*gated, *(each for each in shown if each not in gated))
    ]
    return Comparison(_corrected(rows), len(left), _faults(left, right))


def _row(
    metric: Metric,
    base: Sequence[RunRecord],
    candidate: Sequence[RunRecord],
    margin: float,
    is_gated: bool,
) -> Row:
    before, after = _values(metric, base), _values(metric, candidate)
    changed = None
    if len(before) == len(base) and len(after) == len(candidate):
        ratios = rule.log_ratios(before, after, metric.higher_is_better)
        changed = rule.change(ratios, margin, CONFIDENCE)
    return Row(
        metric=metric,
        base=_median(before),
        candidate=_median(after),
        change=changed,
        p_worse=1.0 if changed is None else changed.p_worse,
        margin=margin,
        is_gated=is_gated,
        decision=Decision.INCONCLUSIVE if changed is None else rule.decide(changed, margin, ALPHA),
        pairs_needed=None,
    )


def _corrected(rows: Sequence[Row]) -> list[Row]:
    """The gated rows with p values corrected for their number, and decided by those."""
    gated = [row for row in rows if row.is_gated]
    p_values = rule.holm([row.p_worse for row in gated])
    by_metric = {row.metric: p for row, p in zip(gated, p_values, strict=True)}
    made = []
    for row in rows:
        p_worse = by_metric.get(row.metric, row.p_worse)
        decision, needed = row.decision, None
        if row.change is not None:
            if decision is Decision.REGRESSION and p_worse > ALPHA:
                decision = Decision.INCONCLUSIVE
            if decision is Decision.INCONCLUSIVE:
                needed = rule.pairs_to_decide(row.change, row.margin)
        made.append(replace(row, p_worse=p_worse, decision=decision, pairs_needed=needed))
    return made


def _faults(base: Sequence[RunRecord], candidate: Sequence[RunRecord]) -> list[str]:
    found = []
    for name in ("lost", "duplicated"):
        before = sum(getattr(record.counts, name) for record in base)
        after = sum(getattr(record.counts, name) for record in candidate)
        if after > before:
            found.append(f"the candidate {_VERBS[name]} {after} tasks, the base {before}")
    return found


_VERBS = {"lost": "lost", "duplicated": "finished more than once"}


def _values(metric: Metric, records: Sequence[RunRecord]) -> list[float]:
    found = [metric.of(record) for record in records]
    return [value for value in found if value is not None and value > 0]


def _median(values: Sequence[float]) -> float | None:
    if not values:
        return None
    ordered = sorted(values)
    middle = len(ordered) // 2
    return (ordered[middle] + ordered[-1 - middle]) / 2

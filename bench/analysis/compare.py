"""Runs against runs: which metrics are worse, better, no worse, or undecided, and what follows.

Correctness comes first: a candidate that loses or duplicates tasks, or does not hold a load that
the base holds, has regressed, however fast it is. Then all gated metrics are put to the rule
together, and the worst decision is the comparison's.
"""

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scipy import stats

from bench.analysis import rule
from bench.analysis.metric_values import value_of
from bench.analysis.rule import ALPHA, MARGIN, Decision, Judgement
from bench.errors import ExitCode, UsageError
from bench.records.comparison_record import GateRow
from bench.records.run_record import RunRecord
from bench.workload.metrics import Metric

Pair = tuple[RunRecord, RunRecord]
"""A run of the base and one of the candidate that belong together."""


@dataclass(frozen=True)
class Question:
    """What is asked of the pairs: which metrics decide, which are only shown, and how much matters.

    ``floors`` are what noise alone does, by metric: margins are never below them.
    """

    gated: Sequence[Metric]
    shown: Sequence[Metric] = ()
    margin: float = MARGIN
    floors: Mapping[str, float] | None = None

    def margin_of(self, metric: Metric) -> float:
        """The margin, or what noise alone does if that is more."""
        return max(self.margin, self.floor_of(metric) or 0.0)

    def floor_of(self, metric: Metric) -> float | None:
        """What noise alone does; None where it was not measured."""
        return (self.floors or {}).get(metric.name)


@dataclass(frozen=True)
class Comparison:
    """What the pairs came to."""

    rows: Sequence[GateRow]
    pairs: int
    left_out: int
    faults: Sequence[str]
    drift: float | None

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


def in_pairs(base: Sequence[RunRecord], candidate: Sequence[RunRecord]) -> list[Pair]:
    """Runs of both sides, paired in the order in which they began.

    Raises UsageError when the sides have not as many runs each.
    """
    left = sorted(base, key=lambda record: record.started_at)
    right = sorted(candidate, key=lambda record: record.started_at)
    if len(left) != len(right) or not left:
        raise UsageError(
            f"{len(left)} runs of the base and {len(right)} of the candidate make no pairs: "
            "measure as many of each"
        )
    return list(zip(left, right, strict=True))


def compare(pairs: Sequence[Pair], question: Question, only_valid: bool = True) -> Comparison:
    """Compare pair by pair. With ``only_valid``, speed is compared where both runs of a pair may be
    quoted; faults are looked for in all of them."""
    used = [pair for pair in pairs if not only_valid or all(map(_is_valid, pair))]
    metrics = [*question.gated, *(each for each in question.shown if each not in question.gated)]
    values = {metric: _values(metric, used) for metric in metrics}
    judgements = _judgements(values, question)
    rows = [_row(metric, values[metric], judgements.get(metric), question) for metric in metrics]
    drift = _drift(values[question.gated[0]]) if question.gated else None
    return Comparison(rows, len(used), len(pairs) - len(used), _faults(pairs), drift)


def noise_floors(
    pairs: Sequence[Pair], metrics: Sequence[Metric], planned_pairs: int
) -> dict[str, float]:
    """What noise alone does to each metric's estimate over that many pairs, from valid pairs of the
    base with itself; a metric that some run lacks has none."""
    valid = [pair for pair in pairs if all(map(_is_valid, pair))]
    floors = {}
    for metric in metrics:
        values = _values(metric, valid)
        if values:
            before, after = zip(*values, strict=True)
            ratios = rule.log_ratios(before, after, metric.higher_is_better)
            floors[metric.name] = rule.noise_floor(ratios, planned_pairs)
    return floors


def _judgements(
    values: Mapping[Metric, Sequence[tuple[float, float]]], question: Question
) -> dict[Metric, Judgement]:
    """Gated metrics are judged together; each that is only shown, alone."""
    families = [
        [metric for metric in question.gated if values[metric]],
        *([metric] for metric in values if metric not in question.gated and values[metric]),
    ]
    made: dict[Metric, Judgement] = {}
    for family in families:
        asked = []
        for metric in family:
            before, after = zip(*values[metric], strict=True)
            ratios = rule.log_ratios(before, after, metric.higher_is_better)
            asked.append((ratios, question.margin_of(metric)))
        made.update(zip(family, rule.judge(asked), strict=True))
    return made


def _row(
    metric: Metric,
    values: Sequence[tuple[float, float]],
    judgement: Judgement | None,
    question: Question,
) -> GateRow:
    is_gated = metric in question.gated
    shared = {
        "metric": metric.name,
        "margin": question.margin_of(metric),
        "floor": question.floor_of(metric),
        "is_gated": is_gated,
    }
    if judgement is None:
        return GateRow(base=None, candidate=None, decision=Decision.INCONCLUSIVE, **shared)  # type: ignore[arg-type]
    changed = judgement.change
    return GateRow(
        base=statistics.median(before for before, _ in values),
        candidate=statistics.median(after for _, after in values),
        change=changed.estimate,
        low=changed.low if math.isfinite(changed.low) else None,
        high=changed.high if math.isfinite(changed.high) else None,
        p=changed.p_worse if is_gated else None,
        decision=judgement.decision,
        pairs_needed=judgement.pairs_needed,
        **shared,  # type: ignore[arg-type]
    )


def _values(metric: Metric, pairs: Sequence[Pair]) -> list[tuple[float, float]]:
    """The metric on both sides of all pairs; none where a run has no such figure, or none above
    zero, as that has no ratio."""
    found = [(value_of(metric, before), value_of(metric, after)) for before, after in pairs]
    whole = [(before, after) for before, after in found if before is not None and after is not None]
    is_whole = len(whole) == len(pairs) and all(min(each) > 0 for each in whole)
    return whole if is_whole else []


def _drift(values: Sequence[tuple[float, float]]) -> float | None:
    base = [before for before, _ in values]
    return max(base) / min(base) - 1 if base else None


def _is_valid(record: RunRecord) -> bool:
    return record.verdict == "valid"


def _faults(pairs: Sequence[Pair]) -> list[str]:
    found = []
    for name, verb in (("lost", "lost"), ("duplicated", "finished more than once")):
        before = sum(getattr(base.counts, name) for base, _ in pairs)
        after = sum(getattr(candidate.counts, name) for _, candidate in pairs)
        if after > before:
            found.append(f"the candidate {verb} {after:,} tasks, the base {before:,}")
    return [*found, *_load_not_held(pairs)]


def _load_not_held(pairs: Sequence[Pair]) -> list[str]:
    """A candidate whose runs are invalid more often than the base's: McNemar's exact test.

    Where only one run of a pair is valid, chance alone would make it either with one half.
    """
    only_base = sum(_is_valid(base) and not _is_valid(other) for base, other in pairs)
    only_candidate = sum(_is_valid(other) and not _is_valid(base) for base, other in pairs)
    apart = only_base + only_candidate
    if not apart or stats.binomtest(only_base, apart, alternative="greater").pvalue > ALPHA:
        return []
    verdicts = Counter(other.verdict for _, other in pairs if not _is_valid(other))
    named = ", ".join(f"{verdict} ×{count}" for verdict, count in verdicts.most_common())
    return [
        f"the candidate did not hold the load in {only_base} of {len(pairs)} pairs whose base did"
        f" ({named})"
    ]

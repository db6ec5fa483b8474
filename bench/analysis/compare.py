"""Compares two sets of runs: which metrics are worse, better, no worse, or inconclusive.

Correctness comes first: a candidate that loses or duplicates tasks, or cannot sustain a load that
the base sustains, has regressed, however fast it is. Then all gated metrics are decided together,
and the worst of these decisions is that of the comparison.
"""

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.analysis import rule, voids
from bench.analysis.metric_values import value_of
from bench.analysis.rule import ALPHA, MARGIN, Decision, MetricDecision
from bench.analysis.sequential import Analyses
from bench.analysis.significance import fair_coin_p
from bench.errors import ExitCode, UsageError
from bench.records.comparison_record import GateRow, figure_changes
from bench.records.run_record import RunRecord
from bench.workload.metrics import Metric

Pair = tuple[RunRecord, RunRecord]
"""A run of the base and the run of the candidate that it is compared with."""


@dataclass(frozen=True)
class Criteria:
    """How pairs are compared: which metrics decide, which are only shown, and what change matters.

    ``margin`` is the share by which a metric must be worse to matter. ``floors`` are the changes
    that noise alone makes, by metric; a metric's margin is never below its floor. ``analyses`` are
    those of the plan; None where exactly the pairs at hand were to be judged. ``voids`` tells
    whether pairs whose canaries disagree are left out.
    """

    gated: Sequence[Metric]
    shown: Sequence[Metric] = ()
    margin: float = MARGIN
    floors: Mapping[str, float] | None = None
    analyses: Analyses | None = None
    voids: bool = False

    def margin_of(self, metric: Metric) -> float:
        """Returns the margin of a metric: the common one, or its noise floor if that is higher."""
        return max(self.margin, self.floor_of(metric) or 0.0)

    def floor_of(self, metric: Metric) -> float | None:
        """Returns the noise floor of a metric; None where it was not measured."""
        return (self.floors or {}).get(metric.name)


@dataclass(frozen=True)
class Comparison:
    """The outcome of a comparison.

    ``pairs`` were compared and ``left_out`` excluded, because a run of theirs is not valid; those
    that are ``void`` are neither, because their canaries disagree. ``faults`` are failures of
    correctness, one sentence each. ``drift`` is how far the base's own runs lie apart in the first
    gated metric, as a share of the lowest; None without values. ``is_plain`` tells whether the
    gated metrics decide already, whatever further pairs show. Faults have no part in it: their test
    is made once, so a job must not stop because of them.
    """

    rows: Sequence[GateRow]
    pairs: int
    left_out: int
    faults: Sequence[str]
    drift: float | None
    is_plain: bool = False
    void: int = 0

    @property
    def decision(self) -> Decision:
        """The worst decision of the gated metrics; a regression where there is a fault."""
        if self.faults:
            return Decision.REGRESSION
        made = {row.decision for row in self.rows if row.is_gated}
        for worst in (Decision.REGRESSION, Decision.INCONCLUSIVE, Decision.NO_WORSE):
            if worst in made:
                return worst
        return Decision.IMPROVEMENT if made else Decision.INCONCLUSIVE

    @property
    def exit_code(self) -> ExitCode:
        """The exit code that tells the decision to a script."""
        return {
            Decision.REGRESSION: ExitCode.REGRESSION,
            Decision.INCONCLUSIVE: ExitCode.INCONCLUSIVE,
        }.get(self.decision, ExitCode.PASSED)


def in_pairs(base: Sequence[RunRecord], candidate: Sequence[RunRecord]) -> list[Pair]:
    """Returns the runs of both sides in pairs, in the order in which they started.

    Raises UsageError when the sides have different numbers of runs, or none.
    """
    left = sorted(base, key=lambda record: record.started_at)
    right = sorted(candidate, key=lambda record: record.started_at)
    if len(left) != len(right) or not left:
        raise UsageError(
            f"{len(left)} runs of the base and {len(right)} of the candidate cannot be paired; "
            "measure the same number of each"
        )
    return list(zip(left, right, strict=True))


def compare(pairs: Sequence[Pair], criteria: Criteria, only_valid: bool = True) -> Comparison:
    """Returns the outcome of comparing the pairs.

    With ``only_valid``, metrics are compared only in pairs of two valid runs; faults are looked for
    in all pairs.
    """
    used = usable(pairs, criteria.voids) if only_valid else pairs
    metrics = [*criteria.gated, *(each for each in criteria.shown if each not in criteria.gated)]
    values = {metric: _values(metric, used) for metric in metrics}
    decisions = _decisions(values, criteria)
    rows = [
        _row(metric, values[metric], decisions.get(metric), criteria, bool(used))
        for metric in metrics
    ]
    drift = _drift(values[criteria.gated[0]]) if criteria.gated else None
    gated = [decisions[metric] for metric in criteria.gated if metric in decisions]
    is_plain = len(gated) == len(criteria.gated) and rule.is_plain(gated)
    left_out = len(pairs) - len(usable(pairs)) if only_valid else 0
    void = len(pairs) - len(used) - left_out
    return Comparison(rows, len(used), left_out, _faults(pairs), drift, is_plain, void)


def usable(pairs: Sequence[Pair], without_void: bool = False) -> list[Pair]:
    """Returns the pairs whose figures may be compared: both runs are valid and, with
    ``without_void``, their canaries agree."""
    valid = [pair for pair in pairs if all(map(_is_valid, pair))]
    return [pair for pair in valid if not (without_void and voids.disagreement(*pair))]


def noise_floors(
    pairs: Sequence[Pair], metrics: Sequence[Metric], planned_pairs: int, without_void: bool = False
) -> dict[str, float]:
    """Returns the change that noise alone makes to each metric's estimate, as a share.

    ``pairs`` are pairs of base runs, of which invalid ones are ignored, and with ``without_void``
    those whose canaries disagree; the floors are for ``planned_pairs`` pairs. A metric that is
    missing in a run gets no floor.
    """
    valid = usable(pairs, without_void)
    floors = {}
    for metric in metrics:
        values = _values(metric, valid)
        if values:
            before, after = zip(*values, strict=True)
            ratios = rule.log_ratios(before, after, metric.higher_is_better)
            floors[metric.name] = rule.noise_floor(ratios, planned_pairs)
    return floors


def _decisions(
    values: Mapping[Metric, Sequence[tuple[float, float]]], criteria: Criteria
) -> dict[Metric, MetricDecision]:
    """Returns the decision on each metric: gated ones together, the others one by one."""
    families = [
        [metric for metric in criteria.gated if values[metric]],
        *([metric] for metric in values if metric not in criteria.gated and values[metric]),
    ]
    made: dict[Metric, MetricDecision] = {}
    for family in families:
        ratios_and_margins = []
        for metric in family:
            before, after = zip(*values[metric], strict=True)
            ratios = rule.log_ratios(before, after, metric.higher_is_better)
            ratios_and_margins.append((ratios, criteria.margin_of(metric)))
        decided = rule.decide_together(ratios_and_margins, criteria.analyses)
        made.update(zip(family, decided, strict=True))
    return made


def _row(
    metric: Metric,
    values: Sequence[tuple[float, float]],
    decided: MetricDecision | None,
    criteria: Criteria,
    has_pairs: bool,
) -> GateRow:
    is_gated = metric in criteria.gated
    shared = {
        "metric": metric.name,
        "margin": criteria.margin_of(metric),
        "floor": criteria.floor_of(metric),
        "is_gated": is_gated,
    }
    if decided is None:
        # Without any pair, nothing is known of the metric, be it in the runs or not.
        needed = None if has_pairs else rule.fewest_pairs(len(criteria.gated))
        return GateRow(
            base=None,
            candidate=None,
            decision=Decision.INCONCLUSIVE,
            pairs_needed=needed,
            **shared,  # type: ignore[arg-type]
        )
    changed = decided.change
    worse_low, worse_high = (
        end if math.isfinite(end) else None for end in (changed.low, changed.high)
    )
    low, estimate, high = figure_changes(
        metric.higher_is_better, (worse_low, changed.estimate, worse_high)
    )
    return GateRow(
        base=statistics.median(before for before, _ in values),
        candidate=statistics.median(after for _, after in values),
        paired_change=estimate,
        low=low,
        high=high,
        p=changed.p_worse if is_gated else None,
        decision=decided.decision,
        pairs_needed=decided.pairs_needed,
        **shared,  # type: ignore[arg-type]
    )


def _values(metric: Metric, pairs: Sequence[Pair]) -> list[tuple[float, float]]:
    """Returns the metric on both sides of all pairs.

    Empty where a run lacks the metric, or has it at zero or below, which has no ratio.
    """
    found = [(value_of(metric, before), value_of(metric, after)) for before, after in pairs]
    whole = [(before, after) for before, after in found if before is not None and after is not None]
    is_whole = len(whole) == len(pairs) and all(min(each) > 0 for each in whole)
    return whole if is_whole else []


def _drift(values: Sequence[tuple[float, float]]) -> float | None:
    base = [before for before, _ in values]
    return max(base) / min(base) - 1 if base else None


def _is_valid(record: RunRecord) -> bool:
    return record.is_valid


def _faults(pairs: Sequence[Pair]) -> list[str]:
    found = []
    for name, verb in (("lost", "lost"), ("duplicated", "finished more than once")):
        before = sum(getattr(base.counts, name) for base, _ in pairs)
        after = sum(getattr(candidate.counts, name) for _, candidate in pairs)
        if after > before:
            found.append(f"the candidate {verb} {after:,} tasks, the base {before:,}")
    return [*found, *_load_not_sustained(pairs)]


def _load_not_sustained(pairs: Sequence[Pair]) -> list[str]:
    """Returns a fault where the candidate's runs are invalid more often than the base's.

    McNemar's exact test: by chance alone, the valid run of a half-valid pair is the base's with a
    probability of one half.
    """
    only_base = sum(_is_valid(base) and not _is_valid(other) for base, other in pairs)
    only_candidate = sum(_is_valid(other) and not _is_valid(base) for base, other in pairs)
    apart = only_base + only_candidate
    if not apart or fair_coin_p(only_base, apart) > ALPHA:
        return []
    verdicts = Counter(other.verdict for _, other in pairs if not _is_valid(other))
    counts = ", ".join(f"{verdict} ×{count}" for verdict, count in verdicts.most_common())
    return [
        f"the candidate did not sustain the load in {only_base} of {len(pairs)} pairs whose base "
        f"did ({counts})"
    ]

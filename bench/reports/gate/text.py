"""Sentences and figures that all reports of a comparison share."""

from bench import units
from bench.analysis.rule import Decision
from bench.records.comparison_record import GateRecord, GateRow
from bench.reports.figures import NOTHING, counted, figure, share, signed_share
from bench.workload.metrics import parse_metric

MARKS = {
    Decision.REGRESSION: "❌",
    Decision.INCONCLUSIVE: "⚠️",
    Decision.NO_WORSE: "✅",
    Decision.IMPROVEMENT: "🚀",
}
"""The mark of each decision, for reports that show no colour."""
RERUN = "rerun"
"""Label of the command that made the comparison."""


def headline(gate: GateRecord) -> str:
    """Returns ``backlog: 1 regression, 0 inconclusive (10 pairs, margin 5%, noise ±2.1%)``."""
    gated = [row for row in gate.rows if row.is_gated]
    regressions = _count(gated, Decision.REGRESSION) + len(gate.faults)
    inconclusive = _count(gated, Decision.INCONCLUSIVE)
    outcome = f"{counted(regressions, 'regression')}, {inconclusive} inconclusive"
    improvements = _count(gated, Decision.IMPROVEMENT)
    if improvements:
        outcome += f", {counted(improvements, 'improvement')}"
    details = [counted(gate.pairs, "pair")]
    margins = sorted({row.margin for row in gated})
    if margins:
        ends = dict.fromkeys(map(share, (margins[0], margins[-1])))
        details.append(f"margin {' to '.join(ends)}")
    floors = [row.floor for row in gated if row.floor is not None]
    if floors:
        details.append(f"noise ±{share(max(floors))}")
    return f"{gate.title}: {outcome} ({', '.join(details)})"


def _count(rows: list[GateRow], decision: Decision) -> int:
    return sum(row.decision == decision for row in rows)


def values(row: GateRow) -> tuple[str, str]:
    """Returns the values of the base and the candidate, each with its unit."""
    metric = parse_metric(row.metric)
    return figure(metric, row.base), figure(metric, row.candidate)


def change(row: GateRow) -> str:
    """Returns how the figure itself changed, with its interval: ``+12.3% [+9.8, +14.9]``.

    A falling rate is negative. The interval is omitted where the pairs are too few for one.
    """
    if row.change is None:
        return NOTHING
    low, high = row.low, row.high
    if low is None and high is None:
        return f"{signed_share(_of_figure(row, row.change))}%"
    if parse_metric(row.metric).higher_is_better:
        low, high = high, low
    ends = f"{_end(row, low, '−∞')}, {_end(row, high, '+∞')}"
    return f"{signed_share(_of_figure(row, row.change))}% [{ends}]"


def _end(row: GateRow, worse: float | None, infinite: str) -> str:
    return infinite if worse is None else signed_share(_of_figure(row, worse))


def _of_figure(row: GateRow, worse: float) -> float:
    """Returns the change of the figure, given the share by which the candidate is worse."""
    return 1 / (1 + worse) - 1 if parse_metric(row.metric).higher_is_better else worse


def probability(row: GateRow) -> str:
    """Returns the corrected p value, or ``–`` for a metric that is not gated."""
    if row.p is None:
        return NOTHING
    return "<0.001" if row.p < 0.001 else f"{row.p:.3f}"


def verdict(row: GateRow) -> str:
    """Returns the decision; for an inconclusive one, also what is missing."""
    if row.decision != Decision.INCONCLUSIVE:
        return row.decision
    if row.change is None:
        return "inconclusive: not in every run"
    if row.pairs_needed is None:
        return "inconclusive: too close to the margin"
    return f"inconclusive: needs {row.pairs_needed} pairs"


def is_unchanged(row: GateRow) -> bool:
    """Returns whether the row may be folded away: it is no worse, or decides nothing."""
    return row.decision == Decision.NO_WORSE or not row.is_gated


def rerun(gate: GateRecord) -> str:
    """Returns the command that made the comparison, with its label."""
    return f"{RERUN}: {gate.command}"


def footer(gate: GateRecord) -> list[str]:
    """Returns what the figures are based on, one line per fact."""
    lines = [
        f"{side.label}: {side.what or 'unchanged'} · revision {side.revision} · {side.server} · "
        f"{counted(side.runs, 'run')}{_verdicts(side.verdicts)}"
        for side in (gate.base, gate.candidate)
    ]
    facts = [gate.machine]
    if gate.drift is not None:
        facts.append(f"the base's runs differ by up to {share(gate.drift)}")
    if gate.noise_pairs:
        facts.append(f"noise from {counted(gate.noise_pairs, 'base-versus-base pair')}")
    if gate.duration_s is not None:
        facts.append(f"took {units.format_duration(gate.duration_s)}")
    lines.append(" · ".join(facts))
    if gate.pairs_left_out:
        lines.append(
            f"{counted(gate.pairs_left_out, 'pair')} excluded from the figures, because a run is "
            "not valid"
        )
    return [*lines, *gate.notes]


def _verdicts(verdicts: dict[str, int]) -> str:
    others = {verdict: count for verdict, count in verdicts.items() if verdict != "valid"}
    return "".join(f", {count} {verdict}" for verdict, count in others.items())

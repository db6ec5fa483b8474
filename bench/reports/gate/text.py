"""What all reports of a comparison say in the same words."""

from bench import units
from bench.analysis.rule import Decision
from bench.records.comparison_record import GateRecord, GateRow
from bench.reports.figures import NOTHING, figure, share, signed_share
from bench.workload.metrics import parse_metric

MARKS = {
    Decision.REGRESSION: "❌",
    Decision.INCONCLUSIVE: "⚠️",
    Decision.NO_WORSE: "✅",
    Decision.IMPROVEMENT: "🚀",
}


def headline(gate: GateRecord) -> str:
    """``backlog: 1 regression, 0 inconclusive (10 pairs, margin 5%, noise ±2.1%)``."""
    gated = [row for row in gate.rows if row.is_gated]
    counts = [_count(gated, Decision.REGRESSION) + len(gate.faults)]
    counts.append(_count(gated, Decision.INCONCLUSIVE))
    said = f"{counts[0]} regression{'' if counts[0] == 1 else 's'}, {counts[1]} inconclusive"
    better = _count(gated, Decision.IMPROVEMENT)
    if better:
        said += f", {better} improvement{'' if better == 1 else 's'}"
    details = [f"{gate.pairs} pair{'' if gate.pairs == 1 else 's'}"]
    margins = sorted({row.margin for row in gated})
    if margins:
        ends = dict.fromkeys(map(share, (margins[0], margins[-1])))
        details.append(f"margin {' to '.join(ends)}")
    floors = [row.floor for row in gated if row.floor is not None]
    if floors:
        details.append(f"noise ±{share(max(floors))}")
    return f"{gate.title}: {said} ({', '.join(details)})"


def _count(rows: list[GateRow], decision: Decision) -> int:
    return sum(row.decision == decision for row in rows)


def values(row: GateRow) -> tuple[str, str]:
    """The row's base and candidate."""
    metric = parse_metric(row.metric)
    return figure(metric, row.base), figure(metric, row.candidate)


def change(row: GateRow) -> str:
    """``+12.3% [+9.8, +14.9]``: how the figure itself changed; a rate that falls is negative."""
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
    """From a share by which the candidate is worse to the change of the figure."""
    return 1 / (1 + worse) - 1 if parse_metric(row.metric).higher_is_better else worse


def probability(row: GateRow) -> str:
    """The corrected p, or nothing for what is only shown."""
    if row.p is None:
        return NOTHING
    return "<0.001" if row.p < 0.001 else f"{row.p:.3f}"


def verdict(row: GateRow) -> str:
    """The decision; for one that is open, what would settle it."""
    if row.decision != Decision.INCONCLUSIVE:
        return row.decision
    if row.change is None:
        return "inconclusive: no such figure"
    if row.pairs_needed is None:
        return "inconclusive: at the margin"
    return f"inconclusive: needs {row.pairs_needed} pairs"


def is_unchanged(row: GateRow) -> bool:
    """Whether a reader in a hurry can do without the row."""
    return row.decision == Decision.NO_WORSE or not row.is_gated


def footer(gate: GateRecord) -> list[str]:
    """What the figures rest on, a line each."""
    lines = [
        f"{side.label}: {side.what or 'as it is'} · revision {side.revision} · {side.server} · "
        f"{side.runs} run{'' if side.runs == 1 else 's'}{_verdicts(side.verdicts)}"
        for side in (gate.base, gate.candidate)
    ]
    facts = [gate.machine]
    if gate.drift is not None:
        facts.append(f"the base's own runs lie {share(gate.drift)} apart")
    if gate.noise_pairs:
        facts.append(f"noise from {gate.noise_pairs} pairs of the base with itself")
    if gate.duration_s is not None:
        facts.append(f"measured for {units.format_duration(gate.duration_s)}")
    lines.append(" · ".join(facts))
    if gate.pairs_left_out:
        lines.append(
            f"pairs left out of the figures, as a run of theirs is not valid: {gate.pairs_left_out}"
        )
    return [*lines, *gate.notes]


def _verdicts(verdicts: dict[str, int]) -> str:
    others = {verdict: count for verdict, count in verdicts.items() if verdict != "valid"}
    return "".join(f", {count} {verdict}" for verdict, count in others.items())

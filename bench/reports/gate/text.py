"""Sentences and figures that all reports of a comparison share."""

from collections.abc import Sequence

from bench import units
from bench.analysis.rule import Decision
from bench.records.comparison_record import Disagreement, GateRecord, GateRow, Side, VoidPair
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
    details = [pairs(gate)]
    margins = sorted({row.margin for row in gated})
    if margins:
        ends = dict.fromkeys(map(share, (margins[0], margins[-1])))
        details.append(f"margin {' to '.join(ends)}")
    floors = [row.floor for row in gated if row.floor is not None]
    if floors:
        details.append(f"noise ±{share(max(floors))}")
    return f"{gate.title}: {outcome} ({', '.join(details)})"


def pairs(gate: GateRecord) -> str:
    """Returns the number of pairs, ``5 of 10 pairs`` where the job stopped early."""
    if gate.stopping is None or gate.stopping.stopped_after is None:
        return counted(gate.pairs, "pair")
    return f"{gate.pairs} of {counted(gate.stopping.planned, 'pair')}"


def _stopped(gate: GateRecord) -> str | None:
    """Returns when a job's decision was looked for, and why it ended before its plan did; None
    where that happened once, after all pairs."""
    stopping = gate.stopping
    if stopping is None:
        return None
    if stopping.stopped_after is None:
        *early, last = stopping.analyses or [0]
        analyses = ", ".join(map(str, early))
        return f"analysed after {analyses} and {last} pairs" if early else None
    gated = [row for row in gate.rows if row.is_gated]
    worse = [row.metric for row in gated if row.decision == Decision.REGRESSION]
    reason = f"{' and '.join(worse)} regressed" if worse else "no gated metric is worse"
    return f"stopped after {stopping.stopped_after} of {stopping.planned} pairs: {reason}"


def _count(rows: list[GateRow], decision: Decision) -> int:
    return sum(row.decision == decision for row in rows)


def values(row: GateRow) -> tuple[str, str]:
    """Returns the values of the base and the candidate, each with its unit."""
    metric = parse_metric(row.metric)
    return figure(metric, row.base), figure(metric, row.candidate)


def difference(row: GateRow) -> str:
    """Returns by how much the two medians differ, which stand beside it: ``+12.3%``."""
    return NOTHING if row.difference is None else f"{signed_share(row.difference)}%"


def paired_change(row: GateRow) -> str:
    """Returns the paired change of the figure, with its interval: ``+12.3% [+9.8, +14.9]``.

    It is positive where the candidate's figure is higher. The interval is omitted where the pairs
    are too few for one.
    """
    if row.paired_change is None:
        return NOTHING
    estimate = f"{signed_share(row.paired_change)}%"
    if _is_open(row):
        return estimate
    low = "−∞" if row.low is None else signed_share(row.low)
    high = "+∞" if row.high is None else signed_share(row.high)
    return f"{estimate} [{low}, {high}]"


def figures(row: GateRow) -> str:
    """Returns both medians, their difference, and the paired change, each named, in one line."""
    medians = f"median {' → '.join(values(row))} ({difference(row)})"
    return f"{medians}, paired change {paired_change(row)}"


def legend(gate: GateRecord) -> str:
    """Returns what the columns of a comparison mean, and which direction is better."""
    return (
        "Difference: of the two medians. Paired change: estimated from the ratios within the "
        f"pairs, with its {gate.confidence:.0%} interval; the medians alone have none. "
        f"{_without_interval(gate)}Both are changes of "
        f"{gate.candidate.label} against {gate.base.label}, positive where the figure of "
        f"{gate.candidate.label} is higher. {_directions(gate)}"
    )


def _without_interval(gate: GateRecord) -> str:
    """Returns why a paired change has no interval; empty where each has one."""
    lacks = [row for row in gate.rows if row.paired_change is not None and _is_open(row)]
    return "Without an interval: the pairs are too few for one. " if lacks else ""


def _is_open(row: GateRow) -> bool:
    return row.low is None and row.high is None


def _directions(gate: GateRecord) -> str:
    """Returns in words which direction is better, for all metrics of the comparison."""
    rising = [row.metric for row in gate.rows if higher_is_better(row)]
    if len(rising) == len(gate.rows):
        return "Higher is better"
    return (
        f"Higher is better for {', '.join(rising)}, lower for the others"
        if rising
        else ("Lower is better")
    )


def higher_is_better(row: GateRow) -> bool:
    """Returns whether a rise of the figure is an improvement."""
    return parse_metric(row.metric).higher_is_better


def _disagreement(row: GateRow) -> str | None:
    """Returns a sentence where the medians say something else than the paired change does."""
    if row.difference is None or row.paired_change is None:
        return None
    if _is_open(row):
        agrees = row.difference * row.paired_change >= 0
    else:
        low = row.difference if row.low is None else row.low
        high = row.difference if row.high is None else row.high
        agrees = low <= row.difference <= high
    if agrees:
        return None
    return (
        f"{row.metric}: the medians differ by {difference(row)}, but the paired change is "
        f"{paired_change(row)}: the figures vary widely between pairs, and only runs of the same "
        "pair are compared; the paired change decides"
    )


def probability(row: GateRow) -> str:
    """Returns the corrected p value, or ``–`` for a metric that is not gated."""
    if row.p is None:
        return NOTHING
    return "<0.001" if row.p < 0.001 else f"{row.p:.3f}"


def verdict(row: GateRow) -> str:
    """Returns the decision; for an inconclusive one, also what is missing."""
    if row.decision != Decision.INCONCLUSIVE:
        return row.decision
    if row.paired_change is None and row.pairs_needed is None:
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
        f"{_name(side, role)}: {side.what or 'unchanged'} · revision {side.revision} · "
        f"{side.server} · {counted(side.runs, 'run')}{_verdicts(side.verdicts)}"
        for side, role in ((gate.base, "base"), (gate.candidate, "candidate"))
    ]
    facts = [gate.machine]
    if gate.drift is not None:
        facts.append(f"the base's runs differ by up to {share(gate.drift)}")
    if gate.noise_pairs:
        facts.append(f"noise from {counted(gate.noise_pairs, 'base-versus-base pair')}")
    elif gate.stopping is not None:
        facts.append("noise unknown, because no base-versus-base pair could be used")
    if gate.duration_s is not None:
        facts.append(f"took {units.format_duration(gate.duration_s)}")
    lines.append(" · ".join(facts))
    if gate.pairs_left_out:
        lines.append(
            f"{counted(gate.pairs_left_out, 'pair')} excluded from the figures, because a run is "
            "not valid"
        )
    if gate.stopping is not None and gate.stopping.void:
        lines.append(_void(gate.stopping.void))
    stopped = _stopped(gate)
    if stopped is not None:
        lines.append(stopped)
    disagreements = [each for row in gate.rows if (each := _disagreement(row)) is not None]
    return [*lines, *disagreements, *gate.notes]


def _void(pairs: Sequence[VoidPair]) -> str:
    """Returns which pairs were left out because the machine changed, and how that was seen."""
    each = [
        f"{'noise pair' if void.is_noise else 'pair'} {void.number} ({_apart(void.canaries)})"
        for void in pairs
    ]
    one = len(each) == 1
    return f"void, because {'its' if one else 'their'} canaries disagree: {', '.join(each)}"


def _apart(canaries: Disagreement) -> str:
    work = "a round" if canaries.work == "round" else canaries.work
    return (
        f"{work} took {units.format_duration(canaries.slowest_s)} {canaries.slowest}, "
        f"{units.format_duration(canaries.fastest_s)} {canaries.fastest}"
    )


def _name(side: Side, role: str) -> str:
    """Returns the label of a side with its role, where the label does not say it."""
    return side.label if side.label == role else f"{side.label} ({role})"


def _verdicts(verdicts: dict[str, int]) -> str:
    others = {verdict: count for verdict, count in verdicts.items() if verdict != "valid"}
    return "".join(f", {count} {verdict}" for verdict, count in others.items())

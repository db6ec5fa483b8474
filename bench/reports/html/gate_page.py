"""A comparison of two sides as a section of a page."""

from bench.analysis.rule import Decision
from bench.records.comparison_record import GateRecord, GateRow
from bench.reports.figures import NOTHING, share
from bench.reports.gate import text
from bench.reports.html.provenance import Setup, stamp
from bench.reports.html.section import Section, Table, Tone
from bench.reports.plots.forest import forest_picture

_TONES: dict[Decision, Tone] = {
    Decision.REGRESSION: "bad",
    Decision.INCONCLUSIVE: "open",
    Decision.NO_WORSE: "good",
    Decision.IMPROVEMENT: "good",
}
_MEANINGS = {
    Decision.REGRESSION: "the candidate is worse than the base",
    Decision.INCONCLUSIVE: "it is not proven that the candidate is no worse than the base",
    Decision.NO_WORSE: "the candidate is no worse than the base",
    Decision.IMPROVEMENT: "the candidate is better than the base",
}


def section(gate: GateRecord) -> Section:
    """Returns a section with everything a comparison of two sides found."""
    decision = Decision(gate.decision)
    picture = forest_picture(gate)
    return Section(
        kind="gate",
        group="Comparisons",
        title=f"{gate.title}: {gate.base.label} versus {gate.candidate.label}",
        verdict=decision.upper(),
        tone=_TONES[decision],
        answer=f"{_MEANINGS[decision].capitalize()}. {text.headline(gate)}.",
        figures={
            "pairs": text.pairs(gate).removesuffix(" pairs").removesuffix(" pair"),
            "largest gated paired change": _largest(gate),
        },
        stamp=stamp("Comparison made", gate.made_at),
        setup=Setup(gate.command),
        view={
            "gate": gate,
            "metrics": _metrics(gate),
            "legend": f"{text.legend(gate)}. p: against the margin, corrected (Hochberg).",
            "footer": text.footer(gate),
        },
        pictures=[picture] if picture else [],
    )


def _largest(gate: GateRecord) -> str:
    changed = [row for row in gate.rows if row.is_gated and row.paired_change is not None]
    if not changed:
        return NOTHING
    row = max(changed, key=lambda each: abs(each.paired_change or 0.0))
    return f"{row.metric} {text.paired_change(row)}"


def _metrics(gate: GateRecord) -> Table:
    return Table(
        "All metrics",
        [
            *("metric", "verdict", f"median {gate.base.label}", f"median {gate.candidate.label}"),
            *("difference", "paired change", "margin", "p"),
        ],
        [_cells(row) for row in gate.rows],
        names=2,
        strong=frozenset(index for index, row in enumerate(gate.rows) if row.is_gated),
    )


def _cells(row: GateRow) -> list[str]:
    return [
        row.metric,
        text.verdict(row) if row.is_gated else "not gated",
        *text.values(row),
        text.difference(row),
        text.paired_change(row),
        share(row.margin),
        text.probability(row),
    ]

"""A comparison as Markdown, for a pull request's comment or a CI job's summary."""

from collections.abc import Iterable, Sequence

from bench.analysis.rule import Decision
from bench.records.comparison_record import GateRecord, GateRow
from bench.reports.gate import text
from bench.reports.markdown.marks import code, escaped, in_code


def markdown(gate: GateRecord) -> str:
    """Returns the decision, the changed metrics, the others (folded), and what it is based on."""
    return "\n".join(_parts(gate)) + "\n"


def _parts(gate: GateRecord) -> Iterable[str]:
    yield f"### {text.MARKS[Decision(gate.decision)]} bench: {escaped(text.headline(gate))}"
    yield ""
    for fault in gate.faults:
        yield f"- **{escaped(fault)}**"
    if gate.faults:
        yield ""
    changed = [row for row in gate.rows if not text.is_unchanged(row)]
    others = [row for row in gate.rows if text.is_unchanged(row)]
    if changed:
        yield from _table(gate, changed)
        yield ""
    if others:
        yield f"<details><summary>{_summary(others)}</summary>"
        yield ""
        yield from _table(gate, others)
        yield ""
        yield "</details>"
        yield ""
    lines = [f"{text.legend(gate)}.", *text.footer(gate)]
    yield from (f"<sub>{escaped(line)}</sub><br>" for line in lines)
    yield f"<sub>{text.RERUN}: {in_code(gate.command)}</sub>"


def _summary(rows: Sequence[GateRow]) -> str:
    same = sum(row.is_gated for row in rows)
    shown = len(rows) - same
    counts = ((same, "no worse"), (shown, "not gated"))
    return ", ".join(f"{count} {what}" for count, what in counts if count)


def _table(gate: GateRecord, rows: Sequence[GateRow]) -> Iterable[str]:
    yield (
        f"| metric | median {escaped(gate.base.label)} | median {escaped(gate.candidate.label)} "
        f"| difference | paired change [{gate.confidence:.0%} interval] | p (Hochberg) | verdict |"
    )
    yield "|---|---:|---:|---:|---:|---:|---|"
    for row in rows:
        verdict = text.verdict(row) if row.is_gated else "not gated"
        if row.decision == Decision.REGRESSION and row.is_gated:
            verdict = f"**{verdict}**"
        cells = (
            code(row.metric),
            *text.values(row),
            text.difference(row),
            text.paired_change(row),
            text.probability(row),
            verdict,
        )
        yield "| " + " | ".join(cells) + " |"

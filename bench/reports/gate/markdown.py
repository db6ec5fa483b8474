"""A comparison as Markdown, for a pull request's comment or a CI job's summary."""

from collections.abc import Iterable, Sequence

from bench.analysis.rule import Decision
from bench.inert import visible
from bench.records.comparison_record import GateRecord, GateRow
from bench.reports.gate import text


def markdown(gate: GateRecord) -> str:
    """Returns the decision, the changed metrics, the others (folded), and what it is based on."""
    return "\n".join(_parts(gate)) + "\n"


def _parts(gate: GateRecord) -> Iterable[str]:
    yield f"### {text.MARKS[Decision(gate.decision)]} bench: {_escaped(text.headline(gate))}"
    yield ""
    for fault in gate.faults:
        yield f"- **{_escaped(fault)}**"
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
    yield from (f"<sub>{_escaped(line)}</sub><br>" for line in lines)
    yield f"<sub>{text.RERUN}: {_in_code(gate.command)}</sub>"


def _summary(rows: Sequence[GateRow]) -> str:
    same = sum(row.is_gated for row in rows)
    shown = len(rows) - same
    counts = ((same, "no worse"), (shown, "not gated"))
    return ", ".join(f"{count} {what}" for count, what in counts if count)


def _table(gate: GateRecord, rows: Sequence[GateRow]) -> Iterable[str]:
    yield (
        f"| metric | median {_escaped(gate.base.label)} | median {_escaped(gate.candidate.label)} "
        f"| difference | paired change [{gate.confidence:.0%} interval] | p (Holm) | verdict |"
    )
    yield "|---|---:|---:|---:|---:|---:|---|"
    for row in rows:
        verdict = text.verdict(row) if row.is_gated else "not gated"
        if row.decision == Decision.REGRESSION and row.is_gated:
            verdict = f"**{verdict}**"
        cells = (
            _code(row.metric),
            *text.values(row),
            text.difference(row),
            text.paired_change(row),
            text.probability(row),
            verdict,
        )
        yield "| " + " | ".join(cells) + " |"


def _escaped(text: str) -> str:
    """Returns text of one line, in which no flag or name can act as markup."""
    text = visible(text)
    for mark in ("\\", "`", "*", "_", "|", "[", "]", "~"):
        text = text.replace(mark, "\\" + mark)
    # A name would call its owner, or refer to an issue, in a pull request's comment.
    return _escaped_html(text).replace("#", "&#35;").replace("@", "&#64;")


def _code(name: str) -> str:
    """Returns a name in the letters of code; in a table, where not even code may hold a ``|``."""
    is_plain = name.isprintable() and not any(mark in name for mark in "`|\\")
    return f"`{name}`" if is_plain else _in_code(name)


def _in_code(text: str) -> str:
    """Returns text in the letters of code, every mark of which is an HTML entity.

    Markdown is read inside HTML as well, but not inside an entity.
    """
    marked = (
        each if each.isalnum() or each in " .,:/=-'+" or not each.isascii() else f"&#{ord(each)};"
        for each in visible(text)
    )
    return f"<code>{''.join(marked)}</code>"


def _escaped_html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

"""A comparison as a terminal report: the decision first, then every metric."""

from collections.abc import Iterable
from pathlib import Path

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from bench.analysis.rule import Decision
from bench.records.comparison_record import GateRecord, GateRow
from bench.reports import next_steps
from bench.reports.console import fault_line, next_lines, print_parts
from bench.reports.gate import text
from bench.reports.tables import least_width, plain_table

_STYLES = {
    Decision.REGRESSION: "bold red",
    Decision.INCONCLUSIVE: "yellow",
    Decision.NO_WORSE: "green",
    Decision.IMPROVEMENT: "bold green",
}
_LONGEST_WORD = len("inconclusive:")
"""Columns that a verdict needs so that its words stay whole."""
_WIDEST_NAME = 24
"""Columns of a metric's name that are kept, even if a verdict must then wrap."""


def print_gate(gate: GateRecord, place: str | None) -> None:
    """Print the report to standard output; ``place`` is the folder of the runs' records, if any."""
    print_parts(lambda width: render(gate, place, width))


def print_saved(gate: GateRecord, _: Path) -> None:
    """Print the report of a saved comparison, whose runs' records may be anywhere."""
    print_gate(gate, None)


def render(gate: GateRecord, place: str | None, width: int) -> Iterable[RenderableType]:
    """Returns the parts of the report, top to bottom, for a terminal of ``width`` columns."""
    decision = Decision(gate.decision)
    yield Text.assemble((decision.upper(), _STYLES[decision]), f"  {text.headline(gate)}")
    for fault in gate.faults:
        yield fault_line(fault)
    yield ""
    tables = (_table(gate, has_p=has_p) for has_p in (True, False))
    table = next((each for each in tables if least_width(each) <= width), None)
    if table is None:
        yield from _lines(gate)
    else:
        # The library would take the room that is missing from names as well, and cut the verdicts.
        verdicts = table.columns[-1]
        verdicts.max_width = width - least_width(table) + _LONGEST_WORD
        yield table
    yield Text(f"{text.legend(gate)}.", style="dim")
    yield ""
    for line in text.footer(gate):
        yield Text(line, style="dim")
    yield Text.assemble(f"{text.RERUN}: ", (gate.command, "bold"))
    yield from next_lines(next_steps.after_comparison(gate, place))
    if place is not None:
        yield Text.assemble("records: ", (place, "bold"))


def _table(gate: GateRecord, has_p: bool) -> Table:
    """Returns one row per metric; the p values are left out where there is little room."""
    table = plain_table(
        "metric",
        f"median {gate.base.label}",
        f"median {gate.candidate.label}",
        "difference",
        "paired change",
        *(("p",) if has_p else ()),
        text_columns=1,
    )
    table.add_column("verdict", overflow="fold", min_width=_LONGEST_WORD)
    # The sentence of a verdict wraps better than a name does.
    longest = max((len(row.metric) for row in gate.rows), default=0)
    table.columns[0].min_width = min(longest, _WIDEST_NAME)
    for row in gate.rows:
        table.add_row(
            row.metric,
            *text.values(row),
            text.difference(row),
            text.paired_change(row),
            *((text.probability(row),) if has_p else ()),
            _verdict(row),
            style="" if row.is_gated else "dim",
        )
    return table


def _lines(gate: GateRecord) -> Iterable[Text]:
    """Yields two lines per metric, for a narrow terminal, so that no figure is truncated."""
    for row in gate.rows:
        yield Text.assemble((row.metric, "bold"), "  ", _verdict(row))
        yield Text(f"  {text.figures(row)}")


def _verdict(row: GateRow) -> Text:
    if not row.is_gated:
        return Text("not gated", style="dim")
    return Text(text.verdict(row), style=_STYLES[Decision(row.decision)])

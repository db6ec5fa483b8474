"""The result of ``bench verify`` as a terminal report: the answer first."""

from collections.abc import Iterable

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from bench import units
from bench.reports.console import print_parts
from bench.reports.figures import counted
from bench.reports.tables import plain_table
from bench.verify.verification import Verification, VerifyFinding

_MARKS = {"error": ("✗ ", "bold red"), "warning": ("! ", "bold yellow")}


def print_verification(verification: Verification) -> None:
    """Print the report to standard output."""
    print_parts(lambda _: render(verification))


def render(verification: Verification) -> Iterable[RenderableType]:
    """Returns the parts of the report, top to bottom."""
    yield _answer(verification)
    yield ""
    yield _keys(verification)
    if verification.findings:
        yield ""
    for finding in verification.findings:
        yield _finding(finding)
    notes = list(verification.notes)
    if verification.moved_on:
        notes.append(
            f"{counted(verification.moved_on, 'id')} looked wrong at first, but had moved on or "
            "was correct when checked again"
        )
    if notes:
        yield ""
    for note in notes:
        yield Text(note, style="dim")


def _answer(verification: Verification) -> Text:
    of = f"{counted(verification.looked_at, 'task')} checked"
    if verification.looked_at < verification.ids:
        of += f" (out of {units.format_count(verification.ids)})"
    layout = verification.layout
    if not verification.follows:
        wrong = units.format_count(verification.wrong)
        what = f"{wrong} of {of}" if verification.wrong else f"{of}, and keys of the wrong type"
        return Text.assemble((f"does not follow the {layout} layout", "bold red"), f": {what}")
    warnings = sum(finding.severity == "warning" for finding in verification.findings)
    also = f", {counted(warnings, 'warning')}" if warnings else ""
    return Text.assemble(
        (f"follows the {layout} layout", "bold green"), f": {of}, none wrong{also}"
    )


def _keys(verification: Verification) -> Table:
    table = plain_table("queue", "key", "ids", "checked", "wrong", text_columns=2)
    shown = ""
    for row in verification.places:
        # Workers always use these two; the others are shown only where they hold an id.
        if row.ids or row.place in ("pending", "active"):
            figures = [units.format_count(each) for each in (row.ids, row.looked_at, row.wrong)]
            name = "" if row.queue == shown else row.queue
            table.add_row(Text(name), row.place, *figures, style="red" if row.wrong else "")
            shown = row.queue
    return table


def _finding(finding: VerifyFinding) -> Text:
    return Text.assemble(
        _MARKS[finding.severity],
        (finding.title, "bold"),
        f": {units.format_count(finding.count)} of {units.format_count(finding.looked_at)}"
        f" checked ({', '.join(finding.examples)}). {finding.cause}. {finding.cure}.",
    )

"""Names, figures and sentences that all reports of runs side by side share."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.analysis.metric_values import confidence_of
from bench.analysis.side_by_side import FigureRow, SideBySide, is_same_run
from bench.records.run_record import RunRecord
from bench.reports import confidence_text, run_text
from bench.reports.figures import NOTHING, signed_share
from bench.workload.metrics import format_value

LETTERS = "ABCDEF"
"""A letter for each run: it stands for the run in tables, sentences and pictures."""
SAME_SETTINGS = "No setting differs between the runs."
SAME_RUN = "The same run was given more than once."
CAPTION = (
    "Changes are against A. Single runs differ by chance as well: 'bench ab' tells what is real."
)


def names(paths: Sequence[Path]) -> list[str]:
    """Returns the shortest ends of the paths that tell the files apart, without ``.json``.

    A file that is given twice has the same name each time.
    """
    whole = [path.with_suffix("") if path.suffix == ".json" else path for path in paths]
    for length in range(1, max(len(path.parts) for path in whole) + 1):
        ends = ["/".join(path.parts[-length:]) for path in whole]
        if len(set(ends)) == len(ends):
            return ends
    return ["/".join(path.parts) for path in whole]


def figure_headings(runs: int) -> list[str]:
    """Returns the headings of the table of figures: a run each, and its change against A."""
    changed = [text for each in LETTERS[1:runs] for text in (each, f"{each} vs A")]
    return ["metric", LETTERS[0], *changed]


def figure_cells(
    row: FigureRow, records: Sequence[RunRecord], *, has_margins: bool = True
) -> list[str]:
    """Returns the cells of a row of that table, with margins where there is room for them."""
    values = [
        _value(row, value, each, has_margins=has_margins)
        for value, each in zip(row.values, records, strict=True)
    ]
    changes = map(_change, [row] * len(row.changes), range(1, len(values)))
    changed = [text for pair in zip(values[1:], changes, strict=True) for text in pair]
    return [row.metric.name, values[0], *changed]


def how_sure(records: Sequence[RunRecord]) -> Iterator[str]:
    """Yields what the margins mean, and which runs have none."""
    return confidence_text.lines_of_runs(records, LETTERS)


def _value(row: FigureRow, value: float | None, record: RunRecord, *, has_margins: bool) -> str:
    """Returns a figure; a lower bound says so."""
    is_bound = row.metric.name in ("completed.rate", "completed") and record.counts.outcome_unknown
    interval = confidence_of(row.metric, record) if has_margins else None
    text = confidence_text.metric_value(row.metric, value, interval)
    return f"≥ {text}" if is_bound and value is not None else text


def _change(row: FigureRow, run: int) -> str:
    """Returns the change of a run against the first: in percent, or against zero as it is."""
    change, value = row.changes[run - 1], row.values[run]
    if change is not None:
        return f"{signed_share(change)}%"
    if value is None or row.values[0] is None:
        return NOTHING
    return f"+{format_value(row.metric, value)}" if value else "0.0%"


def setting_headings(runs: int) -> list[str]:
    """Returns the headings of the table of the settings that differ."""
    return ["setting", *LETTERS[:runs]]


def notes(side: SideBySide) -> Iterator[str]:
    """Yields what a reader must know of the runs: warnings of each, behind the runs' letters."""
    if is_same_run(side.records):
        yield SAME_RUN
    warned: dict[str, list[str]] = {}
    for letter, record in zip(LETTERS, side.records, strict=False):
        for warning in record.warnings:
            warned.setdefault(warning.message, []).append(letter)
    for message, letters in warned.items():
        yield f"{', '.join(letters)}: {message}"


def banner(records: Sequence[RunRecord]) -> str:
    """Returns the warning below the title of a picture; empty where all runs are valid."""
    invalid = [
        f"{letter} {run_text.verdict(record)}"
        for letter, record in zip(LETTERS, records, strict=False)
        if not record.is_valid
    ]
    return f"{', '.join(invalid)}: do not quote" if invalid else ""

"""Runs side by side as Markdown: which runs, what is set differently, what they did."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from bench.analysis.side_by_side import MOST_RUNS, side_by_side
from bench.records.run_record import RunRecord
from bench.reports import confidence_text, run_text
from bench.reports import side_by_side_text as text
from bench.reports.markdown.marks import code, escaped, small, table

Files = Sequence[tuple[Path, RunRecord]]


def markdown(files: Files) -> str:
    """Returns two or more runs: up to ``MOST_RUNS`` side by side, of more a line for each."""
    parts = _list(files) if len(files) > MOST_RUNS else _side_by_side(files)
    return "\n".join(parts) + "\n"


def _side_by_side(files: Files) -> Iterator[str]:
    records = [record for _, record in files]
    side = side_by_side(records)
    yield f"### bench: {len(files)} runs side by side"
    yield ""
    yield from _runs(files, text.LETTERS)
    yield ""
    notes = [f"- ⚠️ {escaped(note)}" for note in text.notes(side)]
    yield from [*notes, ""] if notes else ()
    if side.settings:
        headings = text.setting_headings(len(files))
        rows = [[code(row.label), *map(escaped, row.values)] for row in side.settings]
        yield from table(headings, rows, text_columns=len(headings))
    else:
        yield text.SAME_SETTINGS
    yield ""
    figures = (text.figure_cells(row, records) for row in side.figures)
    yield from table(
        text.figure_headings(len(files)), ([code(first), *rest] for first, *rest in figures)
    )
    yield ""
    yield from map(small, text.how_sure(records))
    yield small(text.CAPTION)


def _list(files: Files) -> Iterator[str]:
    yield f"### bench: {len(files)} runs"
    yield ""
    numbers = [str(number) for number in range(1, len(files) + 1)]
    yield from _runs(files, numbers)
    yield ""
    yield from map(small, confidence_text.lines_of_runs([record for _, record in files], numbers))


def _runs(files: Files, keys: Sequence[str]) -> Iterable[str]:
    names = text.names([path for path, _ in files])
    rows = [
        [
            key,
            code(name),
            f"{'✅' if record.is_valid else '❌'} {escaped(run_text.headline(record))}",
        ]
        for key, name, (_, record) in zip(keys, names, files, strict=False)
    ]
    return table(["", "run", ""], rows, text_columns=3)


def _mark(record: RunRecord) -> str:
    return "✅" if record.is_valid else "❌"

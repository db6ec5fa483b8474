"""Tables for a terminal."""

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import RenderableType
from rich.table import Column, Table
from rich.text import Span, Text

from bench import inert

_GAP = 3
"""Spaces between two columns of a table."""
_LEAST_NAME = 12
"""Columns to which names may be wrapped; below that, a table is hard to read."""


class ReportTable(Table):
    """A table of text, which is shown as it is: control characters and markup do nothing."""

    def add_row(self, *cells: RenderableType | None, **options: Any) -> None:
        """Add a row; ``cells`` are text."""
        super().add_row(*map(inert_text, cells), **options)


def plain_table(*names: str, text_columns: int) -> ReportTable:
    """Returns a table without a frame, with a column for each name.

    The first ``text_columns`` columns hold text, are left-aligned and may wrap. The others hold
    figures, are right-aligned and never wrap, because half a figure reads as another figure.
    """
    table = ReportTable(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for index, name in enumerate(names):
        is_text = index < text_columns
        table.add_column(
            Text(inert.visible(name, keep="\n")),
            justify="left" if is_text else "right",
            no_wrap=not is_text,
            overflow="fold" if is_text else "ellipsis",
        )
    return table


def inert_text(text: RenderableType | None) -> Text:
    """Returns a line with the same styles, in which no letter does anything but appear."""
    line = text if isinstance(text, Text) else Text("" if text is None else str(text))
    letters = inert.letters(line.plain)
    starts = list(itertools.accumulate(map(len, letters), initial=0))
    spans = [Span(starts[each.start], starts[each.end], each.style) for each in line.spans]
    return Text("".join(letters), line.style, spans=spans)


def natural_width(table: Table) -> int:
    """Returns the width in columns that shows every name and figure without wrapping."""
    return sum(map(_width, table.columns)) + _GAP * (len(table.columns) - 1)


def least_width(table: Table) -> int:
    """Returns the width in columns below which a figure would be cut off, or no room is left for
    names."""
    least = [
        _width(each) if each.no_wrap else min(_width(each), max(each.min_width or 0, _LEAST_NAME))
        for each in table.columns
    ]
    return sum(least) + _GAP * (len(least) - 1)


def fitting(table: ReportTable, width: int) -> Iterator[Table | Text]:
    """Yields a table where its figures fit into ``width`` columns, else a line for each row."""
    if least_width(table) <= width:
        yield table
        return
    name = ""
    for cells in zip(*(column.cells for column in table.columns), strict=True):
        # A name that several rows share stands only in the first.
        name = str(cells[0]) or name
        figures = zip(table.columns[1:], cells[1:], strict=True)
        texts = [_labelled(column, str(cell)) for column, cell in figures if str(cell)]
        yield Text.assemble((name, "bold"), "  ", " · ".join(texts))


def _labelled(column: Column, cell: str) -> str:
    """Returns a cell behind its heading; a figure stays on the line of its unit."""
    text = f"{column.header} {cell}".replace("\n", " ").strip()
    return text.replace(" ", "\u00a0") if column.no_wrap else text


def _width(column: Column) -> int:
    texts: Iterable[RenderableType] = [column.header, *column.cells]
    return max(cell_len(line) for text in texts for line in str(text).split("\n"))

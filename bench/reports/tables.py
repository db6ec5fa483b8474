"""Tables for a terminal."""

from rich.box import SIMPLE_HEAD
from rich.table import Table


def plain_table(*names: str, text_columns: int) -> Table:
    """Returns a table without a frame, with a column for each name.

    The first ``text_columns`` columns hold text, are left-aligned and may wrap. The others hold
    figures, are right-aligned and never wrap, because half a figure reads as another figure.
    """
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for index, name in enumerate(names):
        is_text = index < text_columns
        table.add_column(
            name,
            justify="left" if is_text else "right",
            no_wrap=not is_text,
            overflow="fold" if is_text else "ellipsis",
        )
    return table

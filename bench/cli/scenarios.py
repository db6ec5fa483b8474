"""``bench scenarios``: the built-in scenarios, as a list or as TOML."""

import sys

from rich.box import SIMPLE_HEAD
from rich.table import Table

from bench.reports.console import console_for_stdout
from bench.workload import library

_SCHEMA_LINES = """\
#:schema ./scenario.schema.json
# Editors check this file against that one; 'bench schema scenario > scenario.schema.json' makes it.
"""


def scenarios(name: str | None = None, /) -> int:
    """List the built-in scenarios, or print one as TOML, to copy and change.

    Parameters
    ----------
    name
        Name of a built-in scenario.
    """
    if name is not None:
        sys.stdout.write(_SCHEMA_LINES + library.text_of(name))
        return 0
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("scenario", no_wrap=True)
    table.add_column("question that it answers")
    for each in library.names():
        table.add_row(each, str(library.load(each)[1]["description"]))
    console_for_stdout().print(table)
    return 0

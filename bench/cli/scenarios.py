"""``bench scenarios``: the built-in scenarios, as a list or as TOML."""

import sys

from bench.reports.console import print_parts
from bench.reports.tables import plain_table
from bench.workload import library

SCHEMA_LINES = """\
#:schema ./scenario.schema.json
# Editors check this file against that one; 'bench schema scenario > scenario.schema.json' makes it.
"""
"""The first lines of a scenario's file, by which editors find its schema."""


def scenarios(name: str | None = None, /) -> int:
    """List the built-in scenarios, or print one as TOML, to copy and change.

    Parameters
    ----------
    name
        Name of a built-in scenario.
    """
    if name is not None:
        sys.stdout.write(SCHEMA_LINES + library.text_of(name))
        return 0
    table = plain_table("scenario", "question that it answers", text_columns=2)
    for each in library.names():
        table.add_row(each, str(library.load(each)[1]["description"]))
    print_parts(lambda _: [table])
    return 0

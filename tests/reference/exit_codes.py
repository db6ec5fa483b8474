"""The reference of exit codes."""

from bench.errors import ExitCode
from tests.reference.source_docs import attribute_docs
from tests.reference.tables import table


def exit_code_table() -> str:
    """Return a table with the meaning of each exit code."""
    meanings = attribute_docs(ExitCode)
    return table(("code", "when"), [(str(code.value), meanings[code.name]) for code in ExitCode])

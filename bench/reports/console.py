"""The console that reports are printed to."""

from collections.abc import Callable, Iterable
from pathlib import Path

from rich.console import Console, RenderableType
from rich.text import Text

_PLAIN_WIDTH = 100


class _Console(Console):
    """Raises BrokenPipeError when the reader has gone; Rich would exit the process with code 1."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def console_for_stdout() -> Console:
    """Returns a console on standard output.

    It is as wide as the terminal, or 100 columns wide where the output is not a terminal.
    """
    console = _Console(highlight=False)
    return console if console.is_terminal else _Console(highlight=False, width=_PLAIN_WIDTH)


def print_parts(render: Callable[[int], Iterable[RenderableType]]) -> None:
    """Print a report to standard output, one part below the other.

    ``render`` takes the width of the console in columns and returns the parts, top to bottom.
    Raises BrokenPipeError when the reader has gone.
    """
    console = console_for_stdout()
    for part in render(console.width):
        console.print(part)


def note_line(note: str) -> Text:
    """Returns a line that draws attention to something the reader must know."""
    return Text.assemble(("! ", "bold yellow"), note)


def fault_line(fault: str) -> Text:
    """Returns a line that reports a failure."""
    return Text.assemble(("✗ ", "bold red"), fault)


def record_lines(path: Path | None) -> Iterable[Text]:
    """Yields the last line of a report, which names the record's file; nothing without a file."""
    if path is not None:
        yield Text.assemble("record: ", (str(path), "bold"))

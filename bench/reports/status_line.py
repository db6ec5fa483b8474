"""A status line: updated in place on a terminal, printed whenever it changes elsewhere."""

import contextlib
import sys
from collections.abc import Callable, Iterator

from rich.live import Live

from bench import inert
from bench.reports.console import console_for_progress
from bench.reports.tables import inert_text


@contextlib.contextmanager
def status_line(is_quiet: bool) -> Iterator[Callable[[str], None]]:
    """Yields a function that shows a line on standard error; it may be called at any rate.

    With ``is_quiet`` the function does nothing.
    """
    if is_quiet:
        yield lambda _: None
        return
    console = console_for_progress()
    if console is None:
        yield _print_changes()
        return
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        yield lambda line: live.update(inert_text(line))


def _print_changes() -> Callable[[str], None]:
    last = ""

    def show(line: str) -> None:
        nonlocal last
        if line != last:
            last = line
            sys.stderr.write(inert.line(line) + "\n")
            sys.stderr.flush()

    return show

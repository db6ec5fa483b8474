"""The console that reports print to."""

from rich.console import Console

_PLAIN_WIDTH = 100


class _Console(Console):
    """Leaves a reader that went away to the caller; Rich would end the process with code 1."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def console_for_stdout() -> Console:
    """Standard output: as wide as the terminal, or of a fixed width where there is none."""
    console = _Console(highlight=False)
    return console if console.is_terminal else _Console(highlight=False, width=_PLAIN_WIDTH)

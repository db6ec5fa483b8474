"""How a command is ended."""

import pty
import signal
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class End:
    """A signal, or a closed terminal, while a command is at work."""

    name: str
    number: signal.Signals | None
    """None for a closed terminal."""


ENDS: Sequence[End] = (
    End("INT", signal.SIGINT),
    End("TERM", signal.SIGTERM),
    End("HUP", signal.SIGHUP),
    End("KILL", signal.SIGKILL),
    End("terminal closed", None),
)


def opened_terminal() -> tuple[int, int]:
    """A terminal: the side of who looks at it, and that of the command."""
    return pty.openpty()

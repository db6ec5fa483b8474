"""How a command is ended, or what is odd about the place in which it runs."""

import pty
import resource
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

SHADOWS = (
    *("queue", "redis", "select", "socket", "numpy", "random", "types", "signal", "json"),
    *("locust", "gevent", "hiredis", "msgspec", "usercustomize"),
)
"""Names of modules that a file in the working folder may have."""


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


@dataclass(frozen=True)
class Place:
    """An environment in which a command must do what it does elsewhere."""

    name: str
    variables: Mapping[str, str | None] = field(default_factory=dict)
    """None removes a variable."""
    prepare: Callable[[Path], None] = lambda _: None
    """Takes the working folder."""
    in_child: Callable[[], None] = lambda: None
    """Called in the new process."""


def _shadow(folder: Path) -> None:
    for name in SHADOWS:
        (folder / f"{name}.py").write_text("import os\nos._exit(99)\n")
    (folder / "bench").mkdir()
    (folder / "bench" / "__init__.py").write_text("import os\nos._exit(99)\n")


def _few_descriptors() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))


PLACES: Sequence[Place] = (
    Place("as usual"),
    Place("no home", {"HOME": None}),
    Place("home is missing", {"HOME": "/nonexistent/home"}),
    Place("home cannot be written", {"HOME": "/proc"}),
    Place("64 descriptors", in_child=_few_descriptors),
    Place(
        "locale C in ASCII",
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"},
    ),
    Place("locale that is none", {"LC_ALL": "xx_YY.ISO-8859-5", "LANG": "xx"}),
    Place("TZ that is none", {"TZ": ":/nonexistent"}),
    Place("TZ beyond a day", {"TZ": "XYZ-99:59"}),
    Place("FORCE_COLOR", {"FORCE_COLOR": "1"}),
    Place("PYTHONWARNINGS=error", {"PYTHONWARNINGS": "error"}),
    Place("modules shadowed", prepare=_shadow),
)


def opened_terminal() -> tuple[int, int]:
    """A terminal: the side of who looks at it, and that of the command."""
    return pty.openpty()

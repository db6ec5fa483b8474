"""What is odd about the place in which a command runs."""

import ctypes
import os
import resource
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.environments import mounts

SHADOWS = (
    *("queue", "redis", "select", "socket", "numpy", "random", "types", "signal", "json"),
    *("locust", "gevent", "hiredis", "msgspec", "usercustomize"),
)
"""Names of modules that a file in the working folder may have."""
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH, _CAP_FOWNER = 1, 2, 3
_PR_CAPBSET_DROP = 24
_FULL_KB = 256
_FILLED_KB = 16 << 10
"""Enough for all that a command writes before its disk is filled."""


@dataclass(frozen=True)
class Folders:
    """The folders of a trial's command."""

    work: Path
    temporary: Path
    home: Path

    @property
    def all(self) -> Sequence[Path]:
        return (self.work, self.temporary, self.home)


@dataclass(frozen=True)
class Place:
    """An environment in which a command must do what it does elsewhere, or say in one line why it
    cannot."""

    name: str
    variables: Mapping[str, str | None] = field(default_factory=dict)
    """None removes a variable."""
    prepare: Callable[[Folders], None] = lambda _: None
    in_child: Callable[[], None] = lambda: None
    """Called in the new process."""
    meanwhile: Callable[[Folders], None] | None = None
    """Called while the command is at work."""
    may_refuse: bool = False
    """Whether exit code 2 is right, too: what was measured cannot be saved where it should be."""
    needs_mounts: bool = False

    @property
    def is_possible(self) -> bool:
        """Whether this user can make such a place."""
        return mounts.may_mount() or not self.needs_mounts


def _shadow(folders: Folders) -> None:
    for name in SHADOWS:
        (folders.work / f"{name}.py").write_text("import os\nos._exit(99)\n")


def _shadow_package(folders: Folders) -> None:
    (folders.work / "bench").mkdir()
    (folders.work / "bench" / "__init__.py").write_text("import os\nos._exit(99)\n")


def _few_descriptors() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))


def _full(*names: str) -> Callable[[Folders], None]:
    def prepare(folders: Folders) -> None:
        for name in names:
            mounts.small(getattr(folders, name), _FULL_KB)
            mounts.fill(getattr(folders, name))

    return prepare


def _small(folders: Folders) -> None:
    for folder in folders.all:
        mounts.small(folder, _FILLED_KB)


def _fill(*names: str) -> Callable[[Folders], None]:
    def meanwhile(folders: Folders) -> None:
        for name in names:
            mounts.fill(getattr(folders, name))

    return meanwhile


def _read_only(*names: str) -> Callable[[Folders], None]:
    def prepare(folders: Folders) -> None:
        for name in names:
            mounts.read_only(getattr(folders, name))

    return prepare


def _files_of_at_most(size: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def _of_mode_0555(name: str) -> Callable[[Folders], None]:
    return lambda folders: getattr(folders, name).chmod(0o555)


def _without_privileges() -> None:
    """Let modes of files hold for this process even if its user is root."""
    libc = ctypes.CDLL(None)
    for capability in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH, _CAP_FOWNER):
        libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)  # fails for a user who has none


def _full_output() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, 1)
    os.dup2(full, 2)


_ODD: Sequence[Place] = (
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
    Place("package shadowed", prepare=_shadow_package),
)
_FULL: Sequence[Place] = (
    Place("folder full", prepare=_full("work"), may_refuse=True, needs_mounts=True),
    Place("temporary full", prepare=_full("temporary"), needs_mounts=True),
    Place(
        "all folders full",
        prepare=_full("work", "temporary", "home"),
        may_refuse=True,
        needs_mounts=True,
    ),
    Place(
        "folder fills up",
        prepare=_small,
        meanwhile=_fill("work"),
        may_refuse=True,
        needs_mounts=True,
    ),
    Place("temporary fills up", prepare=_small, meanwhile=_fill("temporary"), needs_mounts=True),
    Place(
        "all folders fill up",
        prepare=_small,
        meanwhile=_fill("work", "temporary", "home"),
        may_refuse=True,
        needs_mounts=True,
    ),
    Place("files of 0 bytes", in_child=_files_of_at_most(0), may_refuse=True),
    Place("files of 4 KiB", in_child=_files_of_at_most(4096), may_refuse=True),
    Place("output full", in_child=_full_output),
)
_CLOSED: Sequence[Place] = (
    Place("folder read-only", prepare=_read_only("work"), may_refuse=True, needs_mounts=True),
    Place(
        "temporary read-only", prepare=_read_only("temporary"), may_refuse=True, needs_mounts=True
    ),
    Place("home read-only", prepare=_read_only("home"), needs_mounts=True),
    Place("home of mode 0555", prepare=_of_mode_0555("home"), in_child=_without_privileges),
    Place(
        "folder of mode 0555",
        prepare=_of_mode_0555("work"),
        in_child=_without_privileges,
        may_refuse=True,
    ),
    Place(
        "temporary of mode 0555",
        prepare=_of_mode_0555("temporary"),
        in_child=_without_privileges,
        may_refuse=True,
    ),
)
PLACES: Sequence[Place] = (*_ODD, *_FULL, *_CLOSED)

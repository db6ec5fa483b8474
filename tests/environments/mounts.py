"""File systems of a trial's own: small ones that are full, and folders that can only be read.

They are mounted in a mount namespace that ends with the table, so that nothing outside sees them.
"""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

FILLER = "filler"
"""The name of the file that fills a file system."""
_ENTERED = "BENCH_TABLE_MAY_MOUNT"
_BLOCKS = (1 << 16, 1 << 12, 1)


def enter() -> None:
    """Start this program again where it may mount, if the system lets it.

    For a user without rights that is a user namespace in which that user is root.
    """
    unshare = shutil.which("unshare")
    if unshare is None or may_mount():
        return
    new = [unshare, "--mount"] if os.getuid() == 0 else [unshare, "--map-root-user", "--mount"]
    tried = [*new, "mount", "-t", "tmpfs", "none", "/mnt"]
    if subprocess.run(tried, capture_output=True, check=False).returncode == 0:
        os.environ[_ENTERED] = "1"
        os.execv(unshare, [*new, sys.executable, "-m", "tests.environments", *sys.argv[1:]])  # noqa: S606


def may_mount() -> bool:
    """Whether this process is in a mount namespace of its own."""
    return _ENTERED in os.environ


def small(folder: Path, kilobytes: int) -> None:
    """Mount a file system of that size on a folder."""
    mode = f"{folder.stat().st_mode & 0o777:o}"
    _mount("-t", "tmpfs", "-o", f"size={kilobytes}k,mode={mode}", "none", str(folder))


def fill(folder: Path) -> None:
    """Write to the file system of a folder until not a byte more fits into it."""
    with (folder / FILLER).open("ab", buffering=0) as file:
        for size in _BLOCKS:
            with contextlib.suppress(OSError):
                while file.write(bytes(size)):
                    pass


def read_only(folder: Path) -> None:
    """Mount a folder once more, in its own place, so that nothing can be written into it."""
    _mount("--bind", str(folder), str(folder))
    _mount("-o", "remount,ro,bind", str(folder))


def release(folders: Sequence[Path]) -> None:
    """Unmount what was mounted on these folders."""
    for folder in folders:
        while folder.is_mount():
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)

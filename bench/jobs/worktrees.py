"""Worktrees of the user's repository, in which the arms of a job run."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from bench.errors import UsageError
from bench.jobs import repository
from bench.jobs.repository import Revision
from bench.processes import folders, git, start
from bench.secrets import environment_secrets, hide

SETUP_TIMEOUT_S = 900.0
_CHECKOUT_TIMEOUT_S = 600.0
_SHOWN_LINES = 40
"""Last lines of a failed set-up command's output that are shown."""


class SetupError(UsageError):
    """The set-up command of a job failed in a worktree."""

    def __init__(self, message: str, output: str = "") -> None:
        super().__init__(message)
        self.output = output
        """The last lines that it printed."""


@contextlib.contextmanager
def checked_out(revision: Revision) -> Iterator[Path]:
    """Check a revision out into a worktree of its own; yields the folder in which to run.

    It is the one in the worktree that the working folder is in the repository. The worktree is
    removed at the end, or by the next command if this one is killed. Raises UsageError where it
    cannot be made.
    """
    inner = repository.folder_in_repository()
    with folders.held("revision") as folder:
        tree = folder / folders.WORKTREE
        repository.output(
            *("worktree", "add", "--detach", str(tree), revision.commit),
            timeout_s=_CHECKOUT_TIMEOUT_S,
        )
        try:
            if not (tree / inner).is_dir():
                raise UsageError(
                    f"{revision.text} has no folder {inner}: start the comparison from a folder "
                    "that both revisions have"
                )
            yield tree / inner
        finally:
            git.remove_worktree(tree)


def set_up(folder: Path, command: str, label: str, revision: Revision) -> None:
    """Run the set-up command of a job in the folder of an arm, in a shell.

    Raises SetupError where it fails or takes too long.
    """
    environment = git.without_variables(start.user_environment())
    about = f"arm {label}: --setup {command!r} in {revision.text}"
    try:
        done = start.run(
            ["/bin/sh", "-c", f"exec 2>&1\n{command}"], SETUP_TIMEOUT_S, environment, folder
        )
    except OSError as error:
        raise SetupError(f"{about}: {error.strerror or error}: check the command") from None
    except subprocess.TimeoutExpired:
        raise SetupError(
            f"{about} took more than {SETUP_TIMEOUT_S / 60:.0f} minutes: try it by hand in a fresh "
            "clone"
        ) from None
    if done.code != 0:
        said = hide(done.output, environment_secrets(environment)).splitlines()
        raise SetupError(
            f"{about} ended with exit code {done.code}: try it by hand in a fresh clone",
            "\n".join(said[-_SHOWN_LINES:]),
        )

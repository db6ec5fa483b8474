"""Installs another revision of the project in a temporary environment."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.errors import UsageError
from bench.jobs import repository
from bench.processes import folders, git, start
from bench.secrets import hide

_INSTALL_TIMEOUT_S = 900.0


@contextlib.contextmanager
def installed(ref: str) -> Iterator[Path]:
    """Install a revision of the current folder's repository and yield the path of its ``bench``.

    Worktree and environment are removed afterwards, or by the next command if this one is killed.
    Raises UsageError when the revision does not exist or cannot be installed.
    """
    commit = repository.commit_of(ref)
    with folders.held("revision") as folder:
        tree, environment = folder / folders.WORKTREE, folder / "environment"
        repository.output("worktree", "add", "--detach", str(tree), commit)
        try:
            python = environment / "bin" / "python"
            # Isolated, so that neither imports from the current folder.
            venv = [sys.executable, "-I", "-m", "venv", str(environment)]
            _do(venv, folder, f"an environment for {ref}")
            install = [str(python), "-I", "-m", "pip", "install", "--quiet", "--editable"]
            _do([*install, str(tree)], folder, ref)
            command = environment / "bin" / "bench"
            if not command.exists():
                raise UsageError(
                    f"--base-ref {ref}: this revision installs no command 'bench': name a later one"
                )
            yield command
        finally:
            git.remove_worktree(tree)


def _do(command: Sequence[str], temporary: Path, what: str) -> None:
    """Run a command of the installation, whose own temporary files are removed with ours."""
    environment = {**git.without_variables(start.user_environment()), "TMPDIR": str(temporary)}
    environment.pop("PYTHONPATH", None)  # what builds the package would import from there
    try:
        done = start.run(command, _INSTALL_TIMEOUT_S, environment)
    except OSError as error:
        reason = f"{command[0]}: {error.strerror or error}"
        raise UsageError(f"--base-ref: {what} could not be installed: {reason}") from None
    except subprocess.TimeoutExpired:
        raise UsageError(
            f"--base-ref: {what} could not be installed within {_INSTALL_TIMEOUT_S / 60:.0f} "
            "minutes: look at the connection to the package index"
        ) from None
    if done.code != 0:
        said = (hide(done.errors).strip() or hide(done.output).strip() or "no output").splitlines()
        raise UsageError(f"--base-ref: {what} could not be installed: {said[-1]}")

"""Installs another revision of the project in a temporary environment."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.errors import UsageError
from bench.processes import folders, git, start
from bench.secrets import hide

_INSTALL_TIMEOUT_S = 900.0


@contextlib.contextmanager
def installed(ref: str) -> Iterator[Path]:
    """Install a revision of the current folder's repository and yield the path of its ``bench``.

    Worktree and environment are removed afterwards, or by the next command if this one is killed.
    Raises UsageError when the revision does not exist or cannot be installed.
    """
    commit = commit_of(ref)
    with folders.held("revision") as folder:
        tree, environment = folder / folders.WORKTREE, folder / "environment"
        _git("worktree", "add", "--detach", str(tree), commit)
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


def commit_of(ref: str) -> str:
    """The commit that a branch, tag or hash names. Raises UsageError when there is none."""
    verify = ("rev-parse", "--verify", "--quiet", "--end-of-options")
    return _git(*verify, f"{ref}^{{commit}}", ref=ref)


def _git(*words: str, ref: str | None = None) -> str:
    try:
        done = git.run(*words, timeout_s=git.TIMEOUT_S)
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(
            f"--base-ref needs git, which cannot be run ({reason}): install it"
        ) from None
    except subprocess.TimeoutExpired:
        raise UsageError(
            f"--base-ref: git {words[0]} took more than {git.TIMEOUT_S:g} s: is its repository "
            "on a slow or unreachable disk? Try it by hand, and then again"
        ) from None
    if done.code == 0:
        return done.output.strip()
    said = hide(done.errors).strip().splitlines()
    if said and "not a git repository" in said[-1]:
        raise UsageError("--base-ref: this folder is in no git repository: run it inside one")
    if ref is not None and not said:
        raise UsageError(
            f"--base-ref {ref}: there is no such revision here: fetch it (a shallow clone, as in "
            "CI, has one commit only)"
        )
    raise UsageError(f"--base-ref: git {words[0]}: {said[-1] if said else 'failed'}")


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

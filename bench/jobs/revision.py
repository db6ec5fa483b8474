"""Installs another revision of the project in a temporary environment."""

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.errors import UsageError
from bench.secrets import hide

_GIT_TIMEOUT_S = 60.0
_INSTALL_TIMEOUT_S = 900.0


@contextlib.contextmanager
def installed(ref: str) -> Iterator[Path]:
    """Install a revision of the current folder's repository and yield the path of its ``bench``.

    Worktree and environment are removed afterwards. Raises UsageError when the revision does not
    exist or cannot be installed.
    """
    commit = commit_of(ref)
    with tempfile.TemporaryDirectory(prefix="bench-revision-") as folder:
        tree, environment = Path(folder) / "tree", Path(folder) / "environment"
        _git("worktree", "add", "--detach", str(tree), commit)
        try:
            python = environment / "bin" / "python"
            _do([sys.executable, "-m", "venv", str(environment)], f"an environment for {ref}")
            install = [str(python), "-m", "pip", "install", "--quiet", "--editable", str(tree)]
            _do(install, ref)
            command = environment / "bin" / "bench"
            if not command.exists():
                raise UsageError(
                    f"--base-ref {ref}: this revision installs no command 'bench': name a later one"
                )
            yield command
        finally:
            with contextlib.suppress(UsageError):
                _git("worktree", "remove", "--force", str(tree))


def commit_of(ref: str) -> str:
    """The commit that a branch, tag or hash names. Raises UsageError when there is none."""
    verify = ("rev-parse", "--verify", "--quiet", "--end-of-options")
    return _git(*verify, f"{ref}^{{commit}}", ref=ref)


def _git(*words: str, ref: str | None = None) -> str:
    try:
        done = subprocess.run(
            ["git", *words],  # noqa: S607 - the git on the user's PATH
            capture_output=True,
            text=True,
            timeout=_GIT_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(
            f"--base-ref needs git, which cannot be run ({error}): install it"
        ) from None
    if done.returncode == 0:
        return done.stdout.strip()
    said = hide(done.stderr).strip().splitlines()
    if said and "not a git repository" in said[-1]:
        raise UsageError("--base-ref: this folder is in no git repository: run it inside one")
    if ref is not None and not said:
        raise UsageError(
            f"--base-ref {ref}: there is no such revision here: fetch it (a shallow clone, as in "
            "CI, has one commit only)"
        )
    raise UsageError(f"--base-ref: git {words[0]}: {said[-1] if said else 'failed'}")


def _do(command: Sequence[str], what: str) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=_INSTALL_TIMEOUT_S, check=False
    )
    if done.returncode != 0:
        said = (hide(done.stderr).strip() or hide(done.stdout).strip() or "no output").splitlines()
        raise UsageError(f"--base-ref: {what} could not be installed: {said[-1]}")

"""Calls git in an environment of its own.

A hook of git's, and all that it starts, has variables that name the repository and the index of the
commit at hand. None of them may reach a call of ours, which means the repository of a folder.
"""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from bench.processes import start
from bench.processes.start import FinishedCommand

_KEPT = frozenset(
    {
        *("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "GIT_EXEC_PATH"),
        *("GIT_ASKPASS", "GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT"),
        *("GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "GIT_SSL_NO_VERIFY"),
    }
)
"""Variables that say how git is set up on this machine, and nothing of a repository."""
_OWN = {
    "GIT_OPTIONAL_LOCKS": "0",  # 'git status' would rewrite the index
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",  # messages that are looked at
}
_NO_HOOKS = ("-c", f"core.hooksPath={os.devnull}")
TIMEOUT_S = 60.0


def without_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment without the variables that name a repository, for what may call git."""
    return {
        name: each
        for name, each in environment.items()
        if not name.startswith("GIT_") or name in _KEPT
    }


def run(*words: str, folder: Path | None = None, timeout_s: float = TIMEOUT_S) -> FinishedCommand:
    """Run a git command on the repository of a folder, by default the working folder's.

    No hooks are run. Raises OSError where there is no git, and ``subprocess.TimeoutExpired``.
    """
    command = ["git", *_NO_HOOKS, *words]
    environment = {**without_variables(start.user_environment()), **_OWN}
    return start.run(command, timeout_s, environment, folder)


def remove_worktree(path: Path) -> None:
    """Remove a worktree that a command made and could not remove. Nothing is raised."""
    try:
        run("worktree", "remove", "--force", "--force", str(path), folder=path)
    except (OSError, subprocess.TimeoutExpired):
        return

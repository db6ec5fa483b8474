"""Calls git in an environment of its own.

A hook of git's, and all that it starts, has variables that name the repository and the index of the
commit at hand. None of them may reach a call of ours, which means the repository of a folder.
"""

import os
import re
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
        *("GIT_CEILING_DIRECTORIES", "GIT_DISCOVERY_ACROSS_FILESYSTEM"),
    }
)
"""Variables that say how git is set up on this machine, and nothing of a repository."""
_COUNT, _KEY, _VALUE = "GIT_CONFIG_COUNT", "GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_"
"""Settings in the environment, numbered from 0: CI names its safe directories in them."""
_OF_A_REPOSITORY = frozenset({"core.bare", "core.worktree"})
_MOST_SETTINGS = 1000
_OWN = {
    "GIT_OPTIONAL_LOCKS": "0",  # 'git status' would rewrite the index
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",  # messages that are looked at
}
_NO_HOOKS = ("-c", f"core.hooksPath={os.devnull}")
TIMEOUT_S = 60.0


def without_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment without the variables that name a repository, for what may call git."""
    kept = {
        name: each
        for name, each in environment.items()
        if not name.startswith("GIT_") or name in _KEPT
    }
    return kept | _settings(environment)


def _settings(environment: Mapping[str, str]) -> dict[str, str]:
    """The settings in an environment that say nothing of a repository."""
    count = environment.get(_COUNT, "")
    total = int(count) if re.fullmatch(r"[0-9]{1,4}", count, re.ASCII) else 0
    pairs = [
        (environment.get(f"{_KEY}{number}"), environment.get(f"{_VALUE}{number}"))
        for number in range(min(total, _MOST_SETTINGS))
    ]
    kept = [
        (key, value)
        for key, value in pairs
        if key is not None and value is not None and key.lower() not in _OF_A_REPOSITORY
    ]
    made = {_COUNT: str(len(kept))} if kept else {}
    for number, (key, value) in enumerate(kept):
        made |= {f"{_KEY}{number}": key, f"{_VALUE}{number}": value}
    return made


def run(
    *words: str,
    folder: Path | None = None,
    timeout_s: float = TIMEOUT_S,
    variables: Mapping[str, str] | None = None,
) -> FinishedCommand:
    """Run a git command on the repository of a folder, by default the working folder's.

    ``variables`` are added to its environment. No hooks are run. Raises OSError where there is no
    git, and ``subprocess.TimeoutExpired``.
    """
    command = ["git", *_NO_HOOKS, *words]
    environment = {**without_variables(start.user_environment()), **_OWN, **(variables or {})}
    return start.run(command, timeout_s, environment, folder)


def remove_worktree(path: Path) -> None:
    """Remove a worktree that a command made and could not remove. Nothing is raised."""
    try:
        run("worktree", "remove", "--force", "--force", str(path), folder=path)
    except (OSError, subprocess.TimeoutExpired):
        return

"""The git repository of the working folder, and the revisions of it that a job measures.

Nothing in it is changed but what git keeps for itself: a working tree with changes is stored as a
commit that no branch names, with an index of its own.
"""

import shutil
import subprocess
import tomllib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from bench.errors import UsageError
from bench.processes import folders, git
from bench.processes.start import FinishedCommand
from bench.result_files import RESULTS
from bench.secrets import hide

_PROJECT = "runqy-bench"
"""Name of this project in its ``pyproject.toml``."""
WORKING_TREE = "the working tree"
_IDENTITY = {
    f"GIT_{role}_{part}": value
    for role in ("AUTHOR", "COMMITTER")
    for part, value in (("NAME", "bench"), ("EMAIL", "bench@localhost"))
}
_RESULTS = f":(exclude,glob){RESULTS}/{'[0-9]' * 8}-{'[0-9]' * 6}-*"
_WITHOUT_RESULTS = (":/", _RESULTS, f"{_RESULTS}/**")
"""All files of a repository but the records that earlier commands saved by default."""
_SLOW_S = 600.0
"""Longest time for what reads or writes all files of a repository."""
_SHOWN = 3
"""Changed files that are named."""


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """A revision of the user's repository, from which an arm runs."""

    name: str
    """As the user wrote it, or ``the working tree``."""
    head: str
    """The commit that it is, or from which the working tree differs."""
    commit: str
    """The commit whose files are checked out: ``head``, or one that holds the changes as well."""
    changed: list[str] = []
    """Files that differ from ``head``, untracked ones included."""

    @property
    def short(self) -> str:
        """The commit in ten digits, with ``+`` for uncommitted changes."""
        return self.head[:10] + ("+" if self.changed else "")

    @property
    def text(self) -> str:
        """What it is, in words."""
        if not self.changed:
            return self.name if self.name == WORKING_TREE else f"revision {self.name}"
        more = len(self.changed) - _SHOWN
        shown = ", ".join(self.changed[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
        return f"{self.name} with uncommitted changes in {shown}"


def is_project() -> bool:
    """Whether the working folder is in a checkout of this project, and not of another one.

    Raises UsageError where it is in no repository.
    """
    try:
        text = (_root() / "pyproject.toml").read_text(encoding="utf-8")
        project = tomllib.loads(text).get("project")
    except (OSError, ValueError):
        return False
    return isinstance(project, dict) and project.get("name") == _PROJECT


def revision_of(ref: str, flag: str = "--base-ref") -> Revision:
    """The revision that a branch, tag or hash names. Raises UsageError where there is none."""
    commit = commit_of(ref, flag)
    return Revision(name=ref, head=commit, commit=commit)


def working_tree() -> Revision:
    """The working tree as it stands, with changes and untracked files that git does not ignore.

    Raises UsageError where it cannot be read.
    """
    head = commit_of("HEAD")
    changed = _changed()
    commit = _stored(head) if changed else head
    return Revision(name=WORKING_TREE, head=head, commit=commit, changed=changed)


def commit_of(ref: str, flag: str = "--base-ref") -> str:
    """The commit that a branch, tag or hash names. Raises UsageError where there is none."""
    try:
        return _commit(ref, flag)
    except _NoRevisionError:
        cure = "fetch it (a shallow clone, as in CI, has one commit only)"
        for remote in output("remote", flag=flag).splitlines():
            try:
                _commit(f"refs/remotes/{remote}/{ref}", flag)
            except _NoRevisionError:
                continue
            cure = f"did you mean {remote}/{ref}?"
        raise UsageError(f"{flag} {ref}: there is no such revision here: {cure}") from None


class _NoRevisionError(Exception):
    """No commit has that name."""


def _commit(ref: str, flag: str) -> str:
    words = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    done = _run(*words, flag=flag)
    if done.code and not done.errors.strip():
        raise _NoRevisionError
    return _output_of(done, "rev-parse", flag)


def folder_in_repository() -> str:
    """The path of the working folder from the repository's top; empty at the top."""
    return output("rev-parse", "--show-prefix").rstrip("/")


def _root() -> Path:
    return Path(output("rev-parse", "--show-toplevel"))


def _changed() -> list[str]:
    words = ("status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames", "--")
    done = _run(*words, *_WITHOUT_RESULTS, flag="--base-ref", timeout_s=_SLOW_S)
    _output_of(done, words[0], "--base-ref")
    return [line[3:] for line in done.output.split("\0") if line]


def _stored(head: str) -> str:
    """A commit of the working tree as it stands, made with an index beside the user's."""
    index = Path(output("rev-parse", "--git-path", "index"))
    with folders.held("index") as folder:
        own = folder / "index"
        if index.exists():  # git need not read again what it knows to be unchanged
            shutil.copyfile(index, own)
        variables = {"GIT_INDEX_FILE": str(own)}
        output("add", "--all", "--", *_WITHOUT_RESULTS, variables=variables, timeout_s=_SLOW_S)
        tree = output("write-tree", variables=variables, timeout_s=_SLOW_S)
    words = ("commit-tree", "-p", head, "-m", "bench ab: the working tree", tree)
    return output(*words, variables=_IDENTITY)


def output(
    *words: str,
    flag: str = "--base-ref",
    variables: Mapping[str, str] | None = None,
    timeout_s: float | None = None,
) -> str:
    """What a git command prints, without the white space at its ends.

    Raises UsageError, which begins with ``flag``, where it fails, cannot be run or takes too long.
    """
    done = _run(*words, flag=flag, variables=variables, timeout_s=timeout_s)
    return _output_of(done, words[0], flag)


def _run(
    *words: str,
    flag: str,
    variables: Mapping[str, str] | None = None,
    timeout_s: float | None = None,
) -> FinishedCommand:
    timeout_s = git.TIMEOUT_S if timeout_s is None else timeout_s
    try:
        return git.run(*words, timeout_s=timeout_s, variables=variables)
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(f"{flag} needs git, which cannot be run ({reason}): install it") from None
    except subprocess.TimeoutExpired:
        raise UsageError(
            f"{flag}: git {words[0]} took more than {timeout_s:g} s: is its repository "
            "on a slow or unreachable disk? Try it by hand, and then again"
        ) from None


def _output_of(done: FinishedCommand, command: str, flag: str) -> str:
    if done.code == 0:
        return done.output.strip()
    said = hide(done.errors).strip().splitlines()
    if said and "not a git repository" in said[-1]:
        raise UsageError(f"{flag}: this folder is in no git repository: run it inside one")
    raise UsageError(f"{flag}: git {command}: {said[-1] if said else 'failed'}")

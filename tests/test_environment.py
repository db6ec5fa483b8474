"""What a record says of the checkout that measured."""

import subprocess
from pathlib import Path

import pytest

from bench import environment

GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@b", "-C")


def git(folder: Path, *words: str) -> str:
    done = subprocess.run([*GIT, str(folder), *words], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_the_revision_is_the_commit_and_whether_tracked_files_differ_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def revision() -> object:
        return environment.describe(1, 1)["git"]

    (tmp_path / "bench").mkdir()
    file = tmp_path / "bench" / "environment.py"
    file.write_text("one")
    monkeypatch.setattr(environment, "__file__", str(file))
    assert revision() is None  # no checkout
    git(tmp_path, "init", "--quiet")
    assert revision() is None  # no commit
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "one")
    commit = git(tmp_path, "rev-parse", "HEAD")
    (tmp_path / "new").touch()
    assert revision() == {"commit": commit, "dirty": False}
    file.write_text("two")
    assert revision() == {"commit": commit, "dirty": True}

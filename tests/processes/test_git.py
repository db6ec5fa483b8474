"""git is asked about the repository of a folder, whatever the environment names."""

import os
import subprocess
from pathlib import Path

import pytest

from bench import environment
from bench.errors import UsageError
from bench.jobs.repository import commit_of
from bench.processes import folders, git


def plain_git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    done = subprocess.run(
        ["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def repository(folder: Path) -> Path:
    """A repository with one commit."""
    folder.mkdir()
    plain_git(folder, "init", "--quiet")
    (folder / "file").write_text(folder.name)
    plain_git(folder, "add", "file")
    plain_git(folder, "commit", "--quiet", "-m", folder.name)
    return folder


@pytest.fixture
def in_a_hook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The variables of a hook of another repository, with something in its index."""
    other = repository(tmp_path / "other")
    (other / "staged").write_text("text")
    plain_git(other, "add", "staged")
    for name, value in {
        "GIT_DIR": str(other / ".git"),
        "GIT_INDEX_FILE": str(other / ".git" / "index"),
        "GIT_WORK_TREE": str(other),
        "GIT_OBJECT_DIRECTORY": str(other / ".git" / "objects"),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.bare",
        "GIT_CONFIG_VALUE_0": "true",
    }.items():
        monkeypatch.setenv(name, value)
    return other


def test_the_repository_is_that_of_the_folder(
    tmp_path: Path, in_a_hook: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as clean:
        for name in [name for name in os.environ if name.startswith("GIT_")]:
            clean.delenv(name)
        mine = repository(tmp_path / "mine")
        commit = plain_git(mine, "rev-parse", "HEAD")
    assert git.run("rev-parse", "HEAD", folder=mine).output.strip() == commit
    assert git.run("status", "--porcelain", folder=mine).output == ""


def test_a_record_names_the_revision_of_the_package_in_a_hook_too(in_a_hook: Path) -> None:
    found = environment.describe(1, 1)["git"]
    if found is None:
        pytest.skip("the package is installed, and no checkout")
    assert isinstance(found, dict)
    checkout = Path(environment.__file__).parents[1]
    assert found["commit"] == git.run("rev-parse", "HEAD", folder=checkout).output.strip()


def test_a_worktree_in_a_hook_leaves_index_and_hooks_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = repository(tmp_path / "mine")
    (mine / "staged").write_text("text")
    plain_git(mine, "add", "staged")
    hook = mine / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/hook-ran\n")
    hook.chmod(0o755)
    index = (mine / ".git" / "index").read_bytes()
    monkeypatch.setenv("GIT_DIR", str(mine / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(mine / ".git" / "index"))
    tree = tmp_path / "tree"
    assert git.run("worktree", "add", "--detach", str(tree), "HEAD", folder=mine).code == 0
    assert (mine / ".git" / "index").read_bytes() == index
    assert not (tmp_path / "hook-ran").exists()
    git.remove_worktree(tree)
    assert not tree.exists()
    assert (mine / ".git" / "index").read_bytes() == index


def test_the_repository_forgets_the_worktree_of_a_killed_command(tmp_path: Path) -> None:
    mine = repository(tmp_path / "mine")
    left = tmp_path / "cache" / "revision-x"
    left.mkdir(parents=True)
    git.run("worktree", "add", "--detach", str(left / folders.WORKTREE), "HEAD", folder=mine)
    assert folders.remove_abandoned(left.parent) == [left]
    assert "revision-x" not in plain_git(mine, "worktree", "list")


def test_settings_of_the_machine_are_kept_and_those_of_a_repository_are_not() -> None:
    """CI names its safe directories in the environment, without which git refuses to work."""
    given = {
        "PATH": "/bin",
        "GIT_DIR": "/elsewhere/.git",
        "GIT_CONFIG_GLOBAL": "/etc/of-ci",
        "GIT_CONFIG_COUNT": "4",
        "GIT_CONFIG_KEY_0": "core.bare",
        "GIT_CONFIG_VALUE_0": "true",
        "GIT_CONFIG_KEY_1": "safe.directory",
        "GIT_CONFIG_VALUE_1": "*",
        "GIT_CONFIG_KEY_2": "core.Worktree",
        "GIT_CONFIG_VALUE_2": "/elsewhere",
        "GIT_CONFIG_KEY_3": "http.proxy",
        "GIT_CONFIG_VALUE_3": "",
        "GIT_CONFIG_KEY_4": "not.counted",
        "GIT_CONFIG_VALUE_4": "1",
    }
    assert git.without_variables(given) == {
        "PATH": "/bin",
        "GIT_CONFIG_GLOBAL": "/etc/of-ci",
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
        "GIT_CONFIG_KEY_1": "http.proxy",
        "GIT_CONFIG_VALUE_1": "",
    }


@pytest.mark.parametrize("count", ["", "-1", "x", "٣", "99999999999999999999", "3"])
def test_settings_that_cannot_be_counted_are_left_out(count: str) -> None:
    given = {"GIT_CONFIG_COUNT": count, "GIT_CONFIG_KEY_0": "a.b", "GIT_CONFIG_KEY_1": "c.d"}
    assert git.without_variables(given) == {}


def test_git_reads_the_settings_that_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = repository(tmp_path / "mine")
    for name, value in (("COUNT", "1"), ("KEY_0", "user.name"), ("VALUE_0", "of CI")):
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    assert git.run("config", "user.name", folder=mine).output == "of CI\n"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (None, r"^--base-ref needs git, which cannot be run \(No such file .*\): install it$"),
        ("#!/bin/sh\nsleep 600\n", r"^--base-ref: git rev-parse took more than 0.2 s: "),
    ],
    ids=["missing", "slow"],
)
def test_why_git_gave_no_answer_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, said: str
) -> None:
    if script is not None:
        (tmp_path / "git").write_text(script)
        (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin" if script else str(tmp_path))
    monkeypatch.setattr(git, "TIMEOUT_S", 0.2)
    with pytest.raises(UsageError, match=said):
        commit_of("HEAD")

"""Revisions of the user's repository, which stays as it is."""

from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.jobs import repository, worktrees
from tests.jobs import user_repository
from tests.jobs.user_repository import git


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: a clean repository."""
    folder = user_repository.make(tmp_path / "mine")
    monkeypatch.chdir(folder)
    return folder


def test_a_clean_working_tree_is_the_commit_that_is_checked_out(mine: Path) -> None:
    tree = repository.working_tree()
    assert tree.commit == tree.head == git(mine, "rev-parse", "slow")
    assert (tree.short, tree.text) == (tree.head[:10], "the working tree")


def test_changes_and_new_files_are_part_of_the_working_tree_and_nothing_is_staged(
    mine: Path,
) -> None:
    """What git ignores is not: it may be secret, and the other revision has none of it."""
    (mine / "worker.py").write_text("changed")
    (mine / "new name.py").write_text("new")
    (mine / "secret").write_text("open sesame")
    index, status = (mine / ".git" / "index").read_bytes(), git(mine, "status", "--porcelain")
    tree = repository.working_tree()
    assert tree.short == tree.head[:10] + "+"
    assert tree.text == "the working tree with uncommitted changes in worker.py, new name.py"
    with worktrees.checked_out(tree) as folder:
        assert (folder / "worker.py").read_text() == "changed"
        assert (folder / "new name.py").read_text() == "new"
        assert not (folder / "secret").exists()
        assert folder != mine
    assert (mine / ".git" / "index").read_bytes() == index
    assert git(mine, "status", "--porcelain") == status
    assert git(mine, "rev-parse", "HEAD") == tree.head
    assert len(git(mine, "worktree", "list").splitlines()) == 1


def test_records_of_earlier_commands_are_no_changes(mine: Path) -> None:
    job = mine / "results" / "20260101-080000-ab-smoke"
    job.mkdir(parents=True)
    for path in (job / "job.json", mine / "results" / "20260101-080000-smoke.json"):
        path.write_text("{}")
    assert repository.working_tree().changed == []
    (mine / "results" / "mine.py").write_text("new")
    tree = repository.working_tree()
    assert tree.changed == ["results/mine.py"]
    with worktrees.checked_out(tree) as folder:
        assert [path.name for path in (folder / "results").iterdir()] == ["mine.py"]


def test_many_changes_are_counted() -> None:
    tree = repository.Revision(name="x", head="1" * 40, commit="2" * 40, changed=list("abcde"))
    assert tree.text == "x with uncommitted changes in a, b, c and 2 more"


def test_a_revision_is_checked_out_as_it_was_in_the_folder_that_the_user_is_in(
    mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (mine / "service").mkdir()
    (mine / "service" / "main.py").write_text("here")
    git(mine, "add", ".")
    git(mine, "commit", "--message", "service")
    monkeypatch.chdir(mine / "service")
    with worktrees.checked_out(repository.revision_of("main")) as folder:
        assert (folder / "main.py").read_text() == "here"
    with (
        pytest.raises(UsageError, match=r"^revision fast has no folder service: start the compari"),
        worktrees.checked_out(repository.revision_of("fast")),
    ):
        pass
    assert len(git(mine, "worktree", "list").splitlines()) == 1


def test_a_detached_head_as_in_ci_is_a_working_tree_like_any(mine: Path) -> None:
    git(mine, "checkout", "--detach", "fast")
    assert repository.working_tree().commit == git(mine, "rev-parse", "fast")


def test_a_shallow_clone_says_what_it_lacks(
    mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--depth", "1", f"file://{mine}", str(clone))
    monkeypatch.chdir(clone)
    with worktrees.checked_out(repository.working_tree()) as folder:
        assert (folder / "worker.py").exists()
    said = r"^--base-ref fast: there is no such revision here: fetch it \(a shallow clone, as in CI"
    with pytest.raises(UsageError, match=said):
        repository.revision_of("fast")


def test_a_branch_that_only_the_remote_has_is_suggested(
    mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(mine, "branch", "release")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", str(mine), str(clone))
    monkeypatch.chdir(clone)
    with pytest.raises(UsageError, match=r"--candidate-ref release: .*did you mean origin/release"):
        repository.revision_of("release", "--candidate-ref")


@pytest.mark.parametrize(
    ("text", "is_project"),
    [
        ('[project]\nname = "runqy-bench"\n', True),
        ('[project]\nname = "mine"\n', False),
        ("[tool.x]\n", False),
        ("not toml", False),
        (None, False),
    ],
)
def test_this_project_is_known_by_its_name(mine: Path, text: str | None, is_project: bool) -> None:
    if text is not None:
        (mine / "pyproject.toml").write_text(text)
    assert repository.is_project() is is_project


def test_a_set_up_that_fails_shows_its_output_without_secrets(
    mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGISTRY_TOKEN", "open-sesame")
    monkeypatch.setenv("GIT_DIR", "/nowhere")  # as in a hook
    revision = repository.revision_of("fast")
    worktrees.set_up(mine, "git rev-parse HEAD && touch made", "A", revision)
    assert (mine / "made").exists()
    command = "echo first; echo $REGISTRY_TOKEN >&2; exit 3"
    with pytest.raises(
        worktrees.SetupError,
        match=r"^arm A: --setup '.*' in revision fast ended "
        "with exit code 3",
    ) as caught:
        worktrees.set_up(mine, command, "A", revision)
    assert caught.value.output.startswith("first\n")
    assert "open-sesame" not in caught.value.output


def test_a_set_up_that_never_ends_is_ended(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worktrees, "SETUP_TIMEOUT_S", 0.2)
    with pytest.raises(worktrees.SetupError, match="took more than"):
        worktrees.set_up(mine, "sleep 60", "A", repository.revision_of("fast"))

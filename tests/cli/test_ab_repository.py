"""``bench ab --base-ref`` in a repository of the user's: what an arm is, and what is refused."""

import json
from pathlib import Path

import pytest

from bench.cli import ab_revisions
from bench.jobs import ab_state
from bench.records import run_record
from tests.cli.conftest import Bench
from tests.jobs import user_repository
from tests.jobs.user_repository import COMMAND, SETUP, SLOW_S, git

SHORT = ("--rate", "10/s", "--duration", "1s", "--pairs", "1", "--noise-pairs", "1")


@pytest.fixture
def mine(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: a repository that is no checkout of this project."""
    made = user_repository.make(folder / "mine")
    monkeypatch.chdir(made)
    return made


@pytest.mark.slow
def test_two_revisions_of_the_users_worker_are_measured_with_the_same_bench(
    bench: Bench, mine: Path, tmp_path: Path
) -> None:
    """The candidate is the working tree as it stands, and its tasks take as long as it says."""
    slower = (mine / "worker.py").read_text().replace(str(SLOW_S), str(2 * SLOW_S))
    (mine / "worker.py").write_text(slower)
    words = ("--base-ref", "fast", "--setup", SETUP, "--worker-command", COMMAND)
    job = tmp_path / "job"
    outcome = bench("ab", "smoke", *words, *SHORT, "-o", str(job))
    assert outcome.code in (3, 4), outcome.err  # one pair proves nothing
    assert "setting up arm A, revision fast (" in outcome.err
    base, candidate = (run_record.load(job / f"pair-01-{name}.json") for name in ("1-A", "2-B"))
    p50_s = [each.latency["e2e"]["all"].p50_s for each in (base, candidate)]
    assert p50_s[1] is not None
    assert p50_s[1] >= 2 * SLOW_S
    assert p50_s[0] is not None
    assert p50_s[0] < p50_s[1]
    first, second = ab_state.load(job).arms
    assert first.revision is not None
    assert second.revision is not None
    assert (first.what, first.revision.head) == ("revision fast", git(mine, "rev-parse", "fast"))
    assert second.what == "the working tree with uncommitted changes in worker.py"
    assert second.revision.short == git(mine, "rev-parse", "slow")[:10] + "+"
    if outcome.code == 3:
        gate = json.loads((job / "gate.json").read_text())
        assert gate["candidate"]["revision"] == second.revision.short
        assert gate["base"]["what"] == "revision fast"
    assert not (mine / "built.py").exists()
    assert len(git(mine, "worktree", "list").splitlines()) == 1


@pytest.mark.slow
def test_a_scenario_file_and_a_servers_settings_are_those_of_each_revision(
    bench: Bench, mine: Path, tmp_path: Path
) -> None:
    """And a job that is resumed measures the same commits, wherever its branches are by then."""
    for policy, prefetch in (("noeviction", 4), ("allkeys-lru", 8)):
        (mine / "load.toml").write_text(
            f'rate = "100/s"\nduration = "400ms"\nprefetch = {prefetch}\nqueues = {{ q_a = 1 }}\n'
        )
        (mine / "redis.conf").write_text(f"maxmemory-policy {policy}\n")
        git(mine, "add", ".")
        git(mine, "commit", "--message", policy)
        git(mine, "branch", policy)
    server = "--server-config redis.conf"
    words = ("--base-ref", "noeviction", "--candidate-ref", "allkeys-lru", "--a", server)
    job = tmp_path / "job"
    pairs = ("--pairs", "1", "--noise-pairs", "1")
    outcome = bench("ab", "load.toml", *words, "--b", server, *pairs, "-o", str(job))
    assert outcome.code in (3, 4), outcome.err
    files = ("pair-01-1-A.json", "pair-01-2-B.json")
    base, candidate = (run_record.load(job / name) for name in files)
    assert (base.scenario.prefetch, candidate.scenario.prefetch) == (4, 8)
    policies = [each.server["maxmemory_policy"] for each in (base, candidate)]
    assert policies == ["noeviction", "allkeys-lru"]
    git(mine, "branch", "--force", "noeviction", "fast")
    state = ab_state.load(job)
    state.done = [each for each in state.done if each.file != files[0]]
    (job / files[0]).unlink()
    ab_state.save(job, state)
    assert bench("ab", "--resume", str(job)).code in (3, 4)
    assert run_record.load(job / files[0]).scenario.prefetch == 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--base-ref", "nonesuch"), "--base-ref nonesuch: there is no such revision here"),
        (("--base-ref", "fast"), "nothing of it takes part in the runs: give the worker that"),
        (("--setup", "true"), "--setup needs --base-ref, the revision to compare with: add it"),
        (("--candidate-ref", "slow"), "--candidate-ref needs --base-ref"),
        (
            ("--base-ref", "slow", "--worker-command", COMMAND),
            "the arms do not differ: slow and the candidate are both commit",
        ),
        (
            ("--base-ref", "fast", "--worker-command", "./worker {host}:{port}"),
            "arm A: worker_command: ./worker: no such program in revision fast, or not executable: "
            "build it with --setup",
        ),
        (
            ("--base-ref", "fast", "--worker-command", COMMAND, "--setup", "SECRET_KEY=x make"),
            "would show a secret",
        ),
        (
            ("--base-ref", "fast", "--worker-command", COMMAND, "--gate", "service.p99"),
            "--gate: 'service.p99': only the end of an external worker's task",
        ),
    ],
)
def test_what_cannot_be_measured_is_told_in_one_line_before_anything_runs(
    bench: Bench, mine: Path, words: tuple[str, ...], said: str
) -> None:
    outcome = bench("ab", "smoke", *words)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1), outcome.err
    assert said in outcome.err
    assert len(git(mine, "worktree", "list").splitlines()) == 1


def test_a_set_up_that_fails_is_shown_and_is_one_line(bench: Bench, mine: Path) -> None:
    words = ("--base-ref", "fast", "--worker-command", COMMAND)
    outcome = bench("ab", "smoke", *words, "--setup", "echo no such compiler; exit 9")
    assert (outcome.code, outcome.out) == (2, "")
    setting_up, output, reason = outcome.err.splitlines()
    assert setting_up.startswith("bench: setting up arm A, revision fast (")
    assert output == "no such compiler"
    assert reason.endswith("ended with exit code 9: try it by hand in a fresh clone")


def test_a_scenario_that_a_revision_lacks_is_named_with_its_arm(bench: Bench, mine: Path) -> None:
    (mine / "load.toml").write_text('rate = "100/s"\nduration = "1s"\n')
    outcome = bench("ab", "load.toml", "--base-ref", "fast")
    assert (outcome.code, outcome.err) == (
        2,
        "bench: arm A: load.toml: No such file or directory\n",
    )


def test_in_a_checkout_of_this_project_its_own_revisions_are_measured(mine: Path) -> None:
    """Unless a worker or a set-up says that something else is."""
    (mine / "pyproject.toml").write_text('[project]\nname = "runqy-bench"\n')
    assert ab_revisions.chosen("fast", None, None, has_worker=False) == ()
    for setup, has_worker in (("true", False), (None, True)):
        base, _ = ab_revisions.chosen("fast", None, setup, has_worker=has_worker)
        assert base.name == "fast"

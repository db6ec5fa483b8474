"""The GitHub Action and the GitLab template: their shape, and their scripts as they really run."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.jobs import user_repository
from tests.jobs.user_repository import COMMAND, SETUP, git

ROOT = Path(__file__).parents[1]
CI = ROOT / "docs" / "ci"
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
SPEC, TEMPLATE = yaml.safe_load_all((CI / "gitlab-template.yml").read_text(encoding="utf-8"))
SHORT = "--rate 10/s --duration 1s --pairs 1 --noise-pairs 1"


def step(name: str) -> dict[str, Any]:
    return next(each for each in STEPS if each["name"] == name)


def test_an_action_is_what_github_expects_of_a_composite_one() -> None:
    assert {"name", "description", "inputs", "outputs", "runs"} <= set(ACTION)
    assert ACTION["runs"]["using"] == "composite"
    for each in STEPS:
        assert ("run" in each) != ("uses" in each)
        assert each.get("shell") == ("bash" if "run" in each else None)
    for each in ACTION["inputs"].values():
        assert each["description"]
        assert isinstance(each["default"], str)  # an unquoted true would be a boolean


def test_every_input_is_used_and_no_other() -> None:
    text = (ROOT / "action.yml").read_text(encoding="utf-8")
    assert set(re.findall(r"inputs\.([\w-]+)", text)) == set(ACTION["inputs"])
    used = set(re.findall(r"inputs\.([\w-]+) \]\]", yaml.safe_dump(TEMPLATE)))
    assert used == set(SPEC["spec"]["inputs"])


def test_no_script_holds_text_that_somebody_else_wrote() -> None:
    """An input, or the name of a branch, would be run as a program."""
    for each in STEPS:
        assert "${{" not in each.get("run", "")
    scripts = [*TEMPLATE["$[[ inputs.job ]]"]["before_script"]]
    assert "$[[" not in "".join([*scripts, *TEMPLATE["$[[ inputs.job ]]"]["script"]])


def test_the_examples_give_inputs_that_there_are() -> None:
    workflow = yaml.safe_load((CI / "github-actions.yml").read_text(encoding="utf-8"))
    given = workflow["jobs"]["gate"]["steps"][-1]["with"]
    assert set(given) <= set(ACTION["inputs"])
    included = yaml.safe_load((CI / "gitlab-ci.yml").read_text(encoding="utf-8"))["include"][0]
    assert included["file"] == "docs/ci/gitlab-template.yml"
    assert set(included["inputs"]) <= set(SPEC["spec"]["inputs"])


def test_actionlint_finds_nothing(tmp_path: Path) -> None:
    program = shutil.which("actionlint")
    if program is None:
        pytest.skip("actionlint is not installed")
    git(tmp_path, "init")
    workflows = tmp_path / ".github" / "workflows"
    workflows.mkdir(parents=True)
    shutil.copy(ROOT / "action.yml", tmp_path)
    example = (CI / "github-actions.yml").read_text(encoding="utf-8")
    (workflows / "speed.yml").write_text(re.sub(r"uses: OWNER\S+", "uses: ./", example))
    done = subprocess.run(
        [program], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A checkout as in CI: one commit, detached, of a repository whose ``main`` is elsewhere."""
    origin = user_repository.make(tmp_path / "origin")
    git(origin, "branch", "change", "slow")
    git(origin, "reset", "--hard", "fast")
    made = tmp_path / "clone"
    git(tmp_path, "clone", "--depth", "1", "--branch", "change", f"file://{origin}", str(made))
    git(made, "checkout", "--detach")
    return made


def run(
    script: str, folder: Path, variables: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a step as a runner does, without what CI sets where the tests themselves run there."""
    environment = {
        name: each
        for name, each in os.environ.items()
        if not name.startswith(("GITHUB_", "CI_", "BENCH_"))
    }
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=folder,
        env={**environment, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def runner(tmp_path: Path, **inputs: str) -> dict[str, str]:
    """The variables of the step that compares, in a runner where bench is installed already."""
    program = tmp_path / "bench-environment" / "bin" / "bench"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m bench "$@"\n')
    program.chmod(0o755)
    defaults = {name: each["default"] for name, each in ACTION["inputs"].items()}
    defaults |= {name.replace("_", "-"): each for name, each in inputs.items()}
    named = {
        variable: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda name: defaults[name[1]], value)
        for variable, value in step("compare")["env"].items()
    }
    return {
        **named,
        "RUNNER_TEMP": str(tmp_path),
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
        "GITHUB_ACTIONS": "true",
        "PYTHONPATH": str(ROOT),
    }


@pytest.mark.slow
def test_the_action_compares_a_pull_request_with_its_target_branch(
    clone: Path, tmp_path: Path
) -> None:
    """Although the checkout has one commit, and all that is left in it is what was there."""
    variables = runner(
        tmp_path, scenario="smoke", setup=SETUP, worker_command=COMMAND, arguments=SHORT
    )
    done = run(step("compare")["run"], clone, {**variables, "GITHUB_BASE_REF": "main"})
    code = int(re.findall(r"exit-code=(\d+)", Path(variables["GITHUB_OUTPUT"]).read_text())[0])
    assert code in (3, 4), done.stderr  # one pair proves nothing
    assert done.returncode == (0 if code == 3 else code)
    job = json.loads((tmp_path / "bench" / "job" / "job.json").read_text())
    heads = [arm["revision"]["head"] for arm in job["arms"]]
    assert heads == [git(tmp_path / "origin", "rev-parse", tag) for tag in ("fast", "slow")]
    assert git(clone, "status", "--porcelain") == ""
    if code == 3:
        assert (tmp_path / "bench" / "gate.md").read_text().startswith("### ")
        assert "inconclusive" in (tmp_path / "summary").read_text()


def test_the_action_says_in_one_line_what_it_lacks(clone: Path, tmp_path: Path) -> None:
    done = run(step("compare")["run"], clone, runner(tmp_path))
    assert (done.returncode, done.stdout) == (
        2,
        "::error title=bench::this is no pull request: give the input base-ref\n",
    )


def test_words_of_the_arguments_stay_whole_and_a_failure_is_one(
    clone: Path, tmp_path: Path
) -> None:
    words = "--b '--prefetch 1' --gate 'no such'"
    variables = runner(tmp_path, base_ref="main", setup="true", arguments=words)
    done = run(step("compare")["run"], clone, variables)
    assert done.returncode == 2
    assert "'no such' is not a metric" in done.stderr
    assert "exit-code=2" in (tmp_path / "output").read_text()


@pytest.mark.parametrize(("known", "call"), [("", "issues/7/comments"), ("42", "--method PATCH")])
def test_the_comment_of_a_pull_request_is_written_once_and_then_renewed(
    tmp_path: Path, known: str, call: str
) -> None:
    """With ``gh`` as a program that notes its arguments: there is no GitHub here."""
    (tmp_path / "gh").write_text(
        f'#!/bin/sh\necho "$@" >>{tmp_path}/calls\ncase "$*" in *--jq*) echo "{known}";; esac\n'
    )
    (tmp_path / "gh").chmod(0o755)
    (tmp_path / "gate.md").write_text("### no worse\n")
    variables = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "GITHUB_REPOSITORY": "someone/queue",
        "AB_FOLDER": str(tmp_path),
        "AB_NAME": "my bench",
        "AB_PULL_REQUEST": "7",
    }
    assert run(step("comment")["run"], tmp_path, variables).returncode == 0
    calls = (tmp_path / "calls").read_text().splitlines()
    assert len(calls) == 2
    assert call in calls[1]
    body = (tmp_path / "comment.md").read_text()
    assert body == "<!-- runqy-bench my-bench -->\n### no worse\n"


def test_a_comment_that_may_not_be_written_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "gh").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "gh").chmod(0o755)
    (tmp_path / "gate.md").write_text("### no worse\n")
    variables = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "GITHUB_REPOSITORY": "someone/queue",
        "AB_FOLDER": str(tmp_path),
        "AB_NAME": "bench",
        "AB_PULL_REQUEST": "7",
    }
    done = run(step("comment")["run"], tmp_path, variables)
    assert (done.returncode, done.stdout.count("\n")) == (0, 1)
    assert done.stdout.startswith("::warning title=bench::the comment could not be written")


def test_the_gitlab_script_passes_everything_on(clone: Path, tmp_path: Path) -> None:
    """To bench itself, which refuses the gate after it has read all the rest."""
    job = TEMPLATE["$[[ inputs.job ]]"]
    inputs = {name: each.get("default", "") for name, each in SPEC["spec"]["inputs"].items()}
    inputs |= {"setup": SETUP, "worker-command": COMMAND, "base-ref": "origin/main"}
    inputs["arguments"] = "--b '--prefetch 1' --gate 'no such'"
    variables = {
        variable: re.sub(
            r"\$\[\[ inputs\.([\w-]+) \]\]", lambda name: inputs[name[1]], each["value"]
        )
        for variable, each in job["variables"].items()
    }
    variables["AB_ENVIRONMENT"] = runner(tmp_path)["RUNNER_TEMP"] + "/bench-environment"
    done = run("\n".join(job["script"]), clone, {**variables, "PYTHONPATH": str(ROOT)})
    assert done.returncode == 2
    assert "--prefetch" in done.stderr  # which an external worker does not have

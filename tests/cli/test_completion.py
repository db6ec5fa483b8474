"""The scripts of ``bench completion``: bash really completes, other shells read them."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Bench

_ASK = """
source ./bench.bash
COMP_WORDS=({words}); COMP_CWORD={last}; COMP_LINE="{line}"; COMP_POINT=${{#COMP_LINE}}
_bench
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def completed(*words: str) -> list[str]:
    """What bash offers for the last of these words."""
    quoted = " ".join(f"'{word}'" for word in words)
    script = _ASK.format(words=quoted, last=len(words) - 1, line=" ".join(words))
    asked = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    return [line.strip() for line in asked.stdout.splitlines()]


@pytest.fixture
def script(bench: Bench) -> Path:
    """The script for bash, in the current folder."""
    outcome = bench("completion", "bash")
    assert (outcome.code, outcome.err) == (0, "")
    path = Path("bench.bash")
    path.write_text(outcome.out)
    return path


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_commands_flags_and_their_values(script: Path) -> None:
    assert script.exists()
    assert completed("bench", "ca") == ["capacity"]
    assert completed("bench", "run", "--rat") == ["--rate"]
    assert set(completed("bench", "run", "--pay")) == {
        "--payload-size",
        "--payload-content",
        "--payload-file",
    }
    assert completed("bench", "run", "--arrivals", "p") == ["poisson"]
    assert set(completed("bench", "worker", "inference", "--layout", "runqy")) == {
        "runqy",
        "runqy-server",
    }
    assert completed("bench", "schema", "sc") == ["scenario"]
    assert completed("bench", "completion", "z") == ["zsh"]


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_names_of_files(script: Path) -> None:
    script.with_name("run.json").touch()
    assert completed("bench", "report", "ru") == ["run.json"]
    assert completed("bench", "run", "-o", "ru") == ["run.json"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_reads_its_script(bench: Bench, shell: str) -> None:
    outcome = bench("completion", shell)
    assert (outcome.code, outcome.err) == (0, "")
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell}")
    checked = subprocess.run(
        [shell, "-n"], input=outcome.out, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stderr) == (0, "")

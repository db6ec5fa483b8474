"""Locust as its users start it: whole processes, each test with a server of its own."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.records import run_record
from bench.records.run_record import RunRecord

LOCUSTFILES = Path(__file__).parents[2] / "locustfiles"
TIMEOUT_S = 60


@dataclass
class Finished:
    """What a Locust process came to."""

    code: int
    out: str
    err: str


class LocustProcess:
    """A Locust process that writes its record, if any, to ``record.json`` in the test's folder."""

    def __init__(
        self, folder: Path, locustfile: str, variables: dict[str, str], *words: str
    ) -> None:
        self._record = folder / "record.json"
        self.url = ""
        """Of its web page, where it has one."""
        environment = {name: each for name, each in os.environ.items() if "REDIS" not in name}
        environment |= variables
        self.process = subprocess.Popen(
            [sys.executable, "-m", "locust", "-f", locustfile, "--loglevel", "WARNING", *words],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def finish(self) -> Finished:
        out, err = self.process.communicate(timeout=TIMEOUT_S)
        return Finished(self.process.returncode, out, err)

    def interrupt(self, number: signal.Signals) -> None:
        """As the terminal does it: to the whole group."""
        os.killpg(self.process.pid, number)

    def kill(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()

    def record(self) -> RunRecord:
        return run_record.load(self._record)


Start = Callable[..., LocustProcess]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """``start(*words)``: a Locust process; ``locustfile=`` names another than runqy.py, and
    ``variables=`` is set in its environment."""
    started: list[LocustProcess] = []

    def launch(
        *words: str, locustfile: str = "runqy.py", variables: dict[str, str] | None = None
    ) -> LocustProcess:
        files = ",".join(str(LOCUSTFILES / each) for each in locustfile.split(","))
        process = LocustProcess(tmp_path, files, variables or {}, *words)
        started.append(process)
        return process

    yield launch
    for process in started:
        process.kill()


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])

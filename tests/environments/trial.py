"""Runs one command in one place or to one end, and looks at what is left."""

import os
import signal
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import redis

from bench.redisio import embedded
from tests.environments.commands import Command
from tests.environments.ends import End, Place, opened_terminal

_MARK = "BENCH_TRIAL"
_START_S = 1.5
"""A command is at work by then; how far it has come may differ, and must not matter."""
_END_S = 25.0
_GONE_S = 8.0


@dataclass(frozen=True)
class Outcome:
    """What a command ended with and left."""

    code: int | None
    """None where it did not end in time, and was killed."""
    seconds: float
    processes: Sequence[str]
    keys: int
    files: Sequence[str]
    """What is in its temporary folder."""
    said: str

    @property
    def has_traceback(self) -> bool:
        return "Traceback" in self.said

    def faults(self, codes: frozenset[int]) -> list[str]:
        """What is not as it must be."""
        found = []
        if self.code not in codes:
            found.append(f"exit code {self.code}")
        if self.processes:
            found.append(f"left running: {', '.join(self.processes)}")
        if self.keys:
            found.append(f"{self.keys} keys")
        if self.has_traceback:
            found.append("traceback")
        return found


@contextmanager
def _folders() -> Iterator[tuple[Path, Path]]:
    with tempfile.TemporaryDirectory(prefix="trial-") as top:
        work, temporary = Path(top) / "work", Path(top) / "tmp"
        work.mkdir()
        temporary.mkdir()
        yield work, temporary


def try_place(command: Command, place: Place) -> Outcome:
    """Run a command in a place until it has ended; a worker is ended by SIGTERM."""
    return _try(command, place, None)


def try_end(command: Command, end: End) -> Outcome:
    """Run a command, and end it while it works."""
    return _try(command, Place("as usual"), end)


def _try(command: Command, place: Place, end: End | None) -> Outcome:
    with _folders() as (work, temporary), embedded.running() as server:
        place.prepare(work)
        mark = uuid.uuid4().hex
        environment = {**os.environ, _MARK: mark, "TMPDIR": str(temporary)}
        for name, value in place.variables.items():
            environment.pop(name, None)
            if value is not None:
                environment[name] = value
        words = [word.replace("{url}", server.open_url) for word in command.words]
        looking, shown = opened_terminal()
        said: list[bytes] = []
        began_s = time.monotonic()
        process = subprocess.Popen(
            [*words, *(command.long if end is not None else ())],
            cwd=work,
            env=environment,
            stdin=shown,
            stdout=shown,
            stderr=shown,
            start_new_session=True,
            preexec_fn=place.in_child,  # noqa: PLW1509 - the limit must be the child's alone
        )
        os.close(shown)
        threading.Thread(target=_read, args=(os.dup(looking), said), daemon=True).start()
        is_open = _strike(command, end, process, looking)
        code = _code_of(process)
        seconds = time.monotonic() - began_s
        left = _left_running(mark)
        if is_open:
            os.close(looking)
        with redis.Redis.from_url(server.url) as client:
            keys = client.dbsize()
        files = sorted(path.name for path in temporary.iterdir())
        text = b"".join(said).decode(errors="replace")
    return Outcome(code, seconds, left, keys, files, text)


def _read(descriptor: int, said: list[bytes]) -> None:
    try:
        while data := os.read(descriptor, 1 << 16):
            said.append(data)
    except OSError:  # its other side is closed
        pass
    finally:
        os.close(descriptor)


def _strike(
    command: Command, end: End | None, process: subprocess.Popen[bytes], looking: int
) -> bool:
    """Return whether the terminal is still open."""
    if end is None:
        if not command.ends_by_itself:
            time.sleep(_START_S)
            process.send_signal(signal.SIGTERM)
        return True
    time.sleep(_START_S)
    end.strike(process, looking)
    return end.name != "terminal closed"


def _code_of(process: subprocess.Popen[bytes]) -> int | None:
    try:
        return process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None


def _left_running(mark: str) -> list[str]:
    """The processes of a trial that do not end soon; they are killed."""
    deadline_s = time.monotonic() + _GONE_S
    while (found := _marked(mark)) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    for each in found:
        each.kill()
    return [" ".join(each.cmdline()[:4]) for each in found]


def _marked(mark: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(_MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found

"""Runs one command in one place or to one end, and looks at what is left."""

import fcntl
import os
import select
import signal
import subprocess
import tempfile
import termios
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import redis

from bench.redisio import embedded
from tests.environments.commands import NEXT_RUN, Command
from tests.environments.ends import End, Place, opened_terminal

_MARK = "BENCH_TRIAL"
_START_S = 1.5
"""A command is at work by then; how far it has come may differ, and must not matter."""
_END_S = 25.0
_GONE_S = 8.0
_NEVER = -1
"""What TTL answers for a key that does not expire."""


@dataclass(frozen=True)
class Outcome:
    """What a command ended with and left."""

    code: int | None
    """None where it did not end in time, and was killed."""
    seconds: float
    processes: Sequence[str]
    keys: int
    """Keys on its server that do not expire, once the next run has been there."""
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
        length = command.short if end is None else command.long
        words = [
            word.replace("{url}", server.open_url).replace("{length}", length)
            for word in command.words
        ]
        looking, shown = opened_terminal()
        said: list[bytes] = []
        began_s = time.monotonic()
        process = subprocess.Popen(
            words,
            cwd=work,
            env=environment,
            stdin=shown,
            stdout=shown,
            stderr=shown,
            start_new_session=True,
            preexec_fn=lambda: _enter(place),  # noqa: PLW1509 - its limits must be the child's alone
        )
        os.close(shown)
        with _reading(looking, said) as stop_reading:
            _strike(command, end, process, stop_reading)
            code = _code_of(process)
            seconds = time.monotonic() - began_s
            left = _left_running(mark)
        if end is not None and end.name == "KILL" and command.needs_server:
            words = [word.replace("{url}", server.open_url) for word in NEXT_RUN]
            subprocess.run(words, cwd=work, env=environment, capture_output=True, check=False)
        with redis.Redis.from_url(server.url) as client:
            keys = sum(client.ttl(key) == _NEVER for key in client.scan_iter())
        files = sorted(path.name for path in temporary.iterdir())
        text = b"".join(said).decode(errors="replace")
    return Outcome(code, seconds, left, keys, files, text)


def _enter(place: Place) -> None:
    """In the new process: its standard input becomes the terminal of its session."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    place.in_child()


@contextmanager
def _reading(terminal: int, said: list[bytes]) -> Iterator[Callable[[], None]]:
    """Read what appears on a terminal, and close it in the end; yields what closes it earlier."""
    is_over = threading.Event()

    def read() -> None:
        while not is_over.is_set():
            if select.select([terminal], [], [], 0.05)[0]:
                try:
                    said.append(os.read(terminal, 1 << 16))
                except OSError:  # its other side is closed
                    return

    thread = threading.Thread(target=read)
    thread.start()

    def close() -> None:
        if not is_over.is_set():
            is_over.set()
            thread.join()
            os.close(terminal)

    try:
        yield close
    finally:
        close()


def _strike(
    command: Command,
    end: End | None,
    process: subprocess.Popen[bytes],
    close_terminal: Callable[[], None],
) -> None:
    if end is None and command.ends_by_itself:
        return
    time.sleep(_START_S)
    if end is None:
        process.send_signal(signal.SIGTERM)
    elif end.number is None:
        close_terminal()
    else:
        process.send_signal(end.number)


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

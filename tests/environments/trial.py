"""Runs one command in one place or to one end, and looks at what is left."""

import contextlib
import fcntl
import json
import os
import re
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
from tests.environments import mounts
from tests.environments.commands import NEXT_RUN, Command
from tests.environments.ends import End, opened_terminal
from tests.environments.places import Folders, Place

_MARK = "BENCH_TRIAL"
_START_S = 1.5
"""A command is at work by then; how far it has come may differ, and must not matter."""
_END_S = 25.0
_GONE_S = 8.0
_WITH_RESULT = (0, 1, 3, 5)
"""Exit codes that say that something was measured."""
_REFUSED = 2
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
    record: str
    """``saved``, ``elsewhere``, ``none`` or ``broken``; empty for a command without one."""
    files: Sequence[str]
    """What is in its temporary folder and its home, beside what it has told of."""
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
        if self.files:
            found.append("files left")
        if self.has_traceback:
            found.append("traceback")
        if self.record == "broken" or (self.record == "none" and self.code in _WITH_RESULT):
            found.append(f"record {self.record}")
        if self.code == _REFUSED and len(self._own_lines) != 1:
            found.append(f"{len(self._own_lines)} lines for one refusal")
        return found

    @property
    def _own_lines(self) -> list[str]:
        return [line for line in self.said.splitlines() if "bench: " in line]


@contextmanager
def _folders() -> Iterator[Folders]:
    with tempfile.TemporaryDirectory(prefix="trial-", ignore_cleanup_errors=True) as top:
        folders = Folders(Path(top) / "work", Path(top) / "tmp", Path(top) / "home")
        for folder in folders.all:
            folder.mkdir()
        try:
            yield folders
        finally:
            mounts.release(folders.all)


def try_place(command: Command, place: Place) -> Outcome:
    """Run a command in a place until it has ended; a worker is ended by SIGTERM."""
    return _try(command, place, None)


def try_end(command: Command, end: End) -> Outcome:
    """Run a command, and end it while it works."""
    return _try(command, Place("as usual"), end)


def _try(command: Command, place: Place, end: End | None) -> Outcome:
    with _folders() as folders, embedded.running() as server:
        place.prepare(folders)
        mark = uuid.uuid4().hex
        environment = _environment(place, folders, mark)
        words = _words(command, place, end, server.open_url)
        looking, shown = opened_terminal()
        said: list[bytes] = []
        began_s = time.monotonic()
        process = subprocess.Popen(
            words,
            cwd=folders.work,
            env=environment,
            stdin=shown,
            stdout=shown,
            stderr=shown,
            start_new_session=True,
            preexec_fn=lambda: _enter(place),  # noqa: PLW1509 - its limits must be the child's alone
        )
        os.close(shown)
        with _reading(looking, said) as stop_reading:
            if place.meanwhile is None:
                _strike(command, end, process, stop_reading)
            else:
                time.sleep(_START_S)
                place.meanwhile(folders)
            code = _code_of(process, command)
            seconds = time.monotonic() - began_s
            left = _left_running(mark)
        if end is not None and end.name == "KILL":
            words = [word.replace("{url}", server.open_url) for word in NEXT_RUN]
            subprocess.run(
                words, cwd=folders.work, env=environment, capture_output=True, check=False
            )
        with redis.Redis.from_url(server.url) as client:
            keys = sum(client.ttl(key) == _NEVER for key in client.scan_iter())
        text = b"".join(said).decode(errors="replace")
        record = _record_of(command, folders, text)
        files = [name for name in _left_files(folders) if name not in text]
    return Outcome(code, seconds, left, keys, record, files, text)


def _left_files(folders: Folders) -> list[str]:
    """What is in the temporary folder beside what a place has put there, and in the home; of what a
    command keeps for its locks only what is in it."""
    found = [path.name for path in folders.home.iterdir()]
    for path in folders.temporary.iterdir():
        inner = path.is_dir() and path.name == f"runqy-bench.{os.getuid()}"
        found += [each.name for each in path.iterdir()] if inner else [path.name]
    return sorted(name for name in found if name != mounts.FILLER)


def _environment(place: Place, folders: Folders, mark: str) -> dict[str, str]:
    made = {
        **os.environ,
        "BENCH_RESULTS": "results",
        _MARK: mark,
        "TMPDIR": str(folders.temporary),
        "HOME": str(folders.home),
    }
    for name, value in place.variables.items():
        made.pop(name, None)
        if value is not None:
            made[name] = value
    return made


def _words(command: Command, place: Place, end: End | None, url: str) -> list[str]:
    length = command.long if end is not None else command.short
    if place.meanwhile is not None:
        length = command.middle
    return [word.replace("{url}", url).replace("{length}", length) for word in command.words]


def _record_of(command: Command, folders: Folders, said: str) -> str:
    """Where the record of a command is, and whether it can be read."""
    if not command.record:
        return ""
    elsewhere = re.search(r"saved as (\S+)", " ".join(said.split()))
    found = [Path(elsewhere[1])] if elsewhere else list(folders.work.glob(command.record))
    if not found:
        return "none"
    try:
        json.loads(found[0].read_bytes())
    except ValueError:
        return "broken"
    if elsewhere and not found[0].is_relative_to(folders.work.parent):
        found[0].unlink()  # it is none that anybody will look for
    return "elsewhere" if elsewhere else "saved"


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
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_START_S)
        return
    if end is None:
        process.send_signal(signal.SIGTERM)
    elif end.number is None:
        close_terminal()
    else:
        process.send_signal(end.number)


def _code_of(process: subprocess.Popen[bytes], command: Command) -> int | None:
    """The exit code of a process, which is ended where it does not end by itself."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        return process.wait(_END_S)
    if not command.ends_by_itself:
        process.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        return process.wait(_END_S)
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

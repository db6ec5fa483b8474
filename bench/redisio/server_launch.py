"""Starts the process of a server that is private to a run, with its configuration and its users."""

import contextlib
import os
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from bench.errors import ServerUnreachable
from bench.processes import folders, start
from bench.processes.start import GuardedProcess

LOG = "server.log"
_START_TIMEOUT_S = 15.0
_ANSWER_TIMEOUT_S = 1.0
_PORT_ATTEMPTS = 5
_REFUSED_LINE = ">>> "
"""Begins the line of a server's output that repeats what it cannot read in its configuration."""
_RUNTIME_SETTING = "notify-keyspace-events"
"""What a run may set while the server is up, and what a restart would lose."""
_USER = "bench"
_OTHERS_MAY = ("nopass", "-@admin", "+client", "+config|get")
"""What connections without a password may do: all but manage the server. In Redis 6 'client' is one
command, and of those that manage."""


@dataclass(frozen=True)
class Launch:
    """What a server is started with, each time."""

    program: str
    folder: Path
    secret: str
    settings: bytes
    """The user's, and what this run adds to them."""
    was_there: frozenset[str] = frozenset()
    """Names in the folder that are none of its data."""
    cores: tuple[int, ...] = ()
    """The cores that it may use; none for all."""

    @property
    def log(self) -> Path:
        """The file with the server's output."""
        return self.folder / LOG


class ConfigError(Exception):
    """The server cannot read a line of its configuration; the text says which."""


def start_somewhere(launch: Launch) -> tuple[GuardedProcess, int]:
    """Start a server on a port that is free."""
    for attempt in range(_PORT_ATTEMPTS):
        try:
            return start_on(launch, _free_port())
        except _PortTaken:
            if attempt == _PORT_ATTEMPTS - 1:
                raise
    raise AssertionError("there is at least one attempt")


class _PortTaken(ServerUnreachable):
    """Another program listens on the port."""


def start_on(
    launch: Launch, port: int, kept: bytes = b"", timeout_s: float = _START_TIMEOUT_S
) -> tuple[GuardedProcess, int]:
    """Start a server on a port, with its users where ``kept`` has them."""
    folders.note_program(launch.folder, launch.program)
    with launch.log.open("wb") as output:
        process = start.start(
            [launch.program, "-"],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            folder=launch.folder,
            cores=launch.cores,
        )
    try:
        folders.note_process(launch.folder, process.pid)
        _configure(process, port, launch, kept)
        _await_start(process, port, launch.secret, timeout_s, _USER if kept else "")
    except BaseException:
        process.end()
        raise
    if process.poll() is None:
        return process, port
    text = launch.log.read_text(errors="replace").strip()
    last_line = text.splitlines()[-1] if text else "no output"
    message = f"{launch.program} did not start ({last_line}): check --server-binary"
    if "in use" in text:
        raise _PortTaken(message)
    if launch.settings:
        _require_read(text)
    raise ServerUnreachable(message)


def _require_read(output: str) -> None:
    """Raise ConfigError where the server's output says that it cannot read a line.

    Only the line's first word is repeated: a value may be a password.
    """
    lines = output.splitlines()
    for line, reason in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith(_REFUSED_LINE):
            word = line.removeprefix(_REFUSED_LINE).strip("'\" ").partition(" ")[0]
            raise ConfigError(f"the server refuses {word!r} ({reason}): correct it")


def _configure(process: GuardedProcess, port: int, launch: Launch, kept: bytes) -> None:
    """Write the configuration to the server's input, where no other user can read it.

    The last of several values of a setting counts: the user's settings stand before those that
    keep the server private to the run. ``kept`` are lines with its users, and then the default one
    needs no password.
    """
    own: dict[str, bytes] = {
        "port": str(port).encode(),
        "bind": b"127.0.0.1",
        "dir": os.fsencode(launch.folder),
        "daemonize": b"no",
        "supervised": b"no",
        "logfile": b"",
    }
    if not kept:
        own["requirepass"] = launch.secret.encode()
    text = b"".join(
        (
            b'save ""\nappendonly no\n',
            launch.settings,
            b"\n",
            "".join(f"{name} {_quoted(value)}\n" for name, value in own.items()).encode(),
            kept,
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


def _await_start(
    process: GuardedProcess, port: int, secret: str, timeout_s: float, user: str
) -> None:
    """Wait until the server answers or has ended. Raises ServerUnreachable after a timeout."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            return
        # Another program may have taken the port meanwhile: it does not know the password.
        with (
            contextlib.suppress(redis.exceptions.RedisError),
            _client(port, secret, user) as client,
        ):
            if client.ping() and process.poll() is None:
                return
        time.sleep(0.01)
    raise ServerUnreachable(
        f"the server did not answer within {timeout_s:.0f} s of its start: "
        "is the machine overloaded?"
    )


def restricted(port: int, secret: str) -> tuple[str, str]:
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


def settings_of(url: str) -> bytes:
    """The users of a server, and what a run sets in it, as lines of a configuration; empty on
    Redis 5, which knows no users, and for a server that does not answer."""
    retry = Retry(NoBackoff(), 0)
    with (
        contextlib.suppress(redis.exceptions.RedisError),
        redis.Redis.from_url(
            url, protocol=2, socket_timeout=_ANSWER_TIMEOUT_S, retry=retry
        ) as client,
    ):
        listed: list[bytes] = client.execute_command("ACL", "LIST")
        found = client.config_get(_RUNTIME_SETTING)
        lines = [f"{name} {_quoted(str(value).encode())}".encode() for name, value in found.items()]
        return b"".join(line + b"\n" for line in [*listed, *lines])
    return b""


def _set_user(client: redis.Redis, *words: str) -> None:
    client.execute_command("ACL", "SETUSER", *words)  # type: ignore[no-untyped-call]


def _client(port: int, secret: str, user: str = "") -> redis.Redis:
    url = f"redis://{user}:{secret}@127.0.0.1:{port}/0"
    retry = Retry(NoBackoff(), 0)
    return redis.Redis.from_url(url, protocol=2, socket_timeout=_ANSWER_TIMEOUT_S, retry=retry)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

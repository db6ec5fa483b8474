"""An external worker as a process that a run starts, watches and ends."""

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO

import psutil

from bench.errors import UsageError, nearest, quoted
from bench.ipc.messages import Begin, ParentMessage, Stop
from bench.measure.reports import WorkerReport
from bench.processes import start
from bench.processes.start import GuardedProcess
from bench.redisio.url import RedisUrl, Topology, parse
from bench.secrets import (
    URL_VARIABLE,
    command_secrets,
    environment_secrets,
    hide,
    url_secrets,
)
from bench.workload.queue_weights import default_priorities
from bench.workload.resolve import parent_queue
from bench.workload.scenario import Scenario

_PLACE = re.compile(r"(?<!\$)\{[a-z_]+\}")
_HOST_IN_ADDRESS = re.compile(r"(?<!\$)\{host\}(?=:)|(?<=//)\{host\}|(?<=@)\{host\}")
"""Where an IPv6 address needs brackets: in front of a port, and in a URL."""
LAST_LINES = 5
"""Lines of a worker's output that are shown when it dies."""
_GRACE_S = 10.0
"""How long a worker may take to end after SIGTERM."""
_REFRESH_S = 1.0
_TAIL_BYTES = 4096
_MOST_SECRET_BYTES = 1024
_MOST_BYTES = 1 << 20
_CUT_ATTEMPTS = 10


@dataclass(frozen=True)
class WorkerCommand:
    """The command line of an external worker, and the environment to start it in."""

    words: tuple[str, ...]
    environment: Mapping[str, str]
    url: str

    @property
    def secrets(self) -> frozenset[str]:
        """What the worker may know and print: from the URL, its arguments and its environment."""
        known = url_secrets(self.url) | command_secrets(self.words)
        return known | environment_secrets(self.environment)


def command_of(scenario: Scenario, url: str) -> WorkerCommand:
    """The scenario's worker command with its placeholders filled in.

    The URL with its password goes into the environment alone, as others can see arguments. Raises
    UsageError for a placeholder that is nearly one of ours, and for one that stands for nothing on
    this server.
    """
    parts = parse(url)
    filled = {
        "{url}": parts.without_user,
        "{sentinels}": ",".join(map(str, parts.nodes)),
        "{master}": parts.master_name,
        "{host}": parts.host,
        "{port}": str(parts.port),
        "{db}": str(parts.database),
        "{queues}": ",".join(scenario.queues),
        "{priorities}": ",".join(
            f"{name}={weight:g}"
            for name, weight in (scenario.priorities or default_priorities(scenario.queues)).items()
        ),
        "{parent}": parent_queue(scenario),
    }
    words = []
    for written in shlex.split(scenario.worker_command or ""):
        places = _PLACE.findall(written)
        _require_known(places, list(filled))
        _require_meaning(places, parts)
        word = _HOST_IN_ADDRESS.sub(parts.bracketed_host, written)
        words.append(_PLACE.sub(lambda place: filled.get(place[0], place[0]), word))
    return WorkerCommand(tuple(words), {**start.user_environment(), URL_VARIABLE: url}, url)


def require_startable(scenario: Scenario, url: str) -> None:
    """Raises UsageError where the scenario's worker command stands for nothing on this server, or
    its program cannot be started."""
    command = command_of(scenario, url)
    if shutil.which(command.words[0], path=command.environment.get("PATH")) is None:
        raise UsageError(
            f"worker_command: {quoted(command.words[0])} cannot be started: no such program, or "
            "not executable: check the path"
        )


def _require_meaning(places: Collection[str], parts: RedisUrl) -> None:
    """Raise UsageError for a placeholder that stands for nothing on this server."""
    is_sentinel = parts.topology is Topology.SENTINEL
    if not is_sentinel and ("{sentinels}" in places or "{master}" in places):
        raise UsageError(
            "worker_command: the Redis URL names no Sentinels, so there are no {sentinels} and no "
            "{master}: use {url}, or a URL that begins with redis+sentinel://"
        )
    if (parts.is_socket or is_sentinel) and ("{host}" in places or "{port}" in places):
        what = (
            "the server is the master of the moment, which has no lasting {host} and {port}: use "
            "{sentinels} and {master}"
            if is_sentinel
            else "the server is a unix socket, which has no {host} and no {port}: use {url}"
        )
        raise UsageError(f"worker_command: {what}, or {URL_VARIABLE} in the worker's environment")


def _require_known(places: Iterable[str], known: Sequence[str]) -> None:
    """Raise UsageError for a placeholder that is nearly ours; one unlike any is the worker's."""
    for place in places:
        if place not in known and (hint := nearest(place, known, cutoff=0.8)):
            raise UsageError(f"worker_command: unknown placeholder {place!r}{hint}")


@dataclass
class ExternalWorker:
    """A worker that does not report: only its process can be watched."""

    name: str
    command: WorkerCommand
    process: GuardedProcess | None = None
    cores: tuple[int, ...] = ()
    """The cores that it may use; none for all."""
    ends_by_plan: bool = False
    """Whether a fault of the plan has sent it a signal that ends it: its end is no failure."""
    _output: IO[bytes] = field(default_factory=tempfile.TemporaryFile)
    _earlier: bytes = b""
    """The end of its output before the file was last cut."""
    _processes: list[psutil.Process] = field(default_factory=list)
    _began_s: float = 0.0
    _cpu_s: float = 0.0
    _refreshed_s: float = 0.0
    _stopping_since_s: float | None = None

    def start(self) -> None:
        """Start the process. Raises UsageError when there is no such program."""
        try:
            self.process = start.start(
                self.command.words,
                stdout=self._output,
                stderr=subprocess.STDOUT,
                environment=self.command.environment,
                cores=self.cores,
            )
        except OSError as error:
            program = self.command.words[0]
            raise UsageError(
                f"worker_command: {program!r} cannot be started: {error.strerror or error}"
            ) from None
        self._began_s = time.monotonic()

    def send(self, message: ParentMessage) -> None:
        """Start the process for Begin, end it for Stop, and ignore all other messages."""
        if isinstance(message, Begin) and self.process is None:
            self.start()
        if isinstance(message, Stop) and self.process and self._stopping_since_s is None:
            self._refresh()
            self._stopping_since_s = time.monotonic()
            self.process.signal_group(signal.SIGTERM)

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended, and no fault of the plan has sent it a signal
        that ends it."""
        return not self.ends_by_plan and self.process is not None and self.process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send it, and what it has started in its session, a signal of the plan of faults."""
        if number not in (signal.SIGSTOP, signal.SIGCONT):
            self.ends_by_plan = True  # first: it may be noticed at once
        if self.process is not None:
            self.process.signal_group(number)

    @property
    def cpu_s(self) -> float:
        """CPU time so far of the process and its children, in seconds."""
        self._refresh()
        return self._cpu_s

    @property
    def report(self) -> WorkerReport | None:
        """CPU time and age of the process, without tasks; None before it was started."""
        if self.process is None:
            return None
        if time.monotonic() - self._refreshed_s > _REFRESH_S:
            self._refresh()
        return WorkerReport(
            name=self.name,
            made_us=_FRESH_US,
            cpu_s=self._cpu_s,
            elapsed_s=max(self._refreshed_s - self._began_s, 0.0),
            final=self.is_done,
        )

    @property
    def is_done(self) -> bool:
        """Whether it has ended after a Stop, killed where it had to be, or by the plan of faults;
        True before its start."""
        if self.process is None:
            return True
        if self.ends_by_plan and self.process.poll() is not None:
            return True
        if self._stopping_since_s is None:
            return False
        if self.process.poll() is None:
            if time.monotonic() - self._stopping_since_s < _GRACE_S:
                return False
            self.process.end()
        return True

    def exit_reason(self) -> str | None:
        """How it ended before a Stop, with its last output, or None."""
        if self.process is None or self._stopping_since_s is not None or self.ends_by_plan:
            return None
        code = self.process.poll()
        if code is None:
            return None
        how = f"with exit code {code}" if code >= 0 else f"by {signal.Signals(-code).name}"
        lines = self.last_lines()
        output = ": " + " | ".join(lines) if lines else " without any output"
        return f"the {self.name} ended {how}{output}"

    def last_lines(self) -> list[str]:
        """The last lines of its standard output and standard error, without the secrets that it
        was given."""
        text = hide(self._output_end().decode(errors="replace"), self.command.secrets)
        lines = [line.strip() for line in text.splitlines()]
        return [line for line in lines if line][-LAST_LINES:]

    def _output_end(self) -> bytes:
        size = os.fstat(self._output.fileno()).st_size
        start = max(size - _TAIL_BYTES, 0)
        written = os.pread(self._output.fileno(), _TAIL_BYTES, start)
        tail = written.lstrip(b"\0")  # after a cut, the writer goes on behind a hole of zeros
        is_whole = not start or len(tail) < len(written)
        return self._earlier + tail if is_whole else _from_first_line(tail)

    def _limit_output(self) -> None:
        """Keep only the end of a large output, so that it does not fill the disk."""
        output = self._output.fileno()
        if os.fstat(output).st_blocks * 512 <= _MOST_BYTES:
            return
        for _ in range(_CUT_ATTEMPTS):
            size, end = os.fstat(output).st_size, self._output_end()
            if os.fstat(output).st_size == size:  # else its very last words would be cut off
                break
        self._earlier = end
        os.ftruncate(output, 0)

    def give_up(self, reason: str) -> None:
        """Nothing: ``end`` kills what does not end by itself."""

    def end(self) -> None:
        """End the process and all of its children, and delete its output."""
        if self.process is not None:
            self.send(Stop())
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(_GRACE_S)
            self.process.end()
            for child in self._processes:  # some may have left the process group
                with contextlib.suppress(psutil.Error):
                    child.kill()
        self._output.close()

    def _refresh(self) -> None:
        """Add up the CPU time of its processes. Processes that have ended do not count any more."""
        if self.process is None:
            return
        self._refreshed_s = time.monotonic()
        self._limit_output()
        with contextlib.suppress(psutil.Error):
            first = psutil.Process(self.process.pid)
            self._processes = [first, *first.children(recursive=True)]
            cpu_s = 0.0
            for process in self._processes:
                with contextlib.suppress(psutil.Error):
                    times = process.cpu_times()
                    cpu_s += times.user + times.system
            self._cpu_s = max(self._cpu_s, cpu_s)


def _from_first_line(tail: bytes) -> bytes:
    """Output that begins somewhere, from its first whole line on: the end of a secret that stands
    where it was cut could not be recognised."""
    return tail.partition(b"\n")[2] or tail[_MOST_SECRET_BYTES:]


_FRESH_US = 1 << 62
"""Later than any moment: nothing about its tasks is known that a newer report could show."""

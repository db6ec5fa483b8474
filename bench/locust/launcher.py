"""Launches a distributed run, whose producers are Locust workers on one host or on many.

Locust's master starts, counts and stops the workers. It runs in a process of its own, because
importing Locust monkey-patches the process. It receives the complete scenario and writes the same
record as any other run.
"""

import contextlib
import math
import os
import select
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from subprocess import TimeoutExpired

import msgspec

from bench.errors import UsageError, error_of_process
from bench.ipc.channel import ChannelClosed, Reader, Writer
from bench.measure.progress import Progress
from bench.metrics.exporter import ExportTargets
from bench.processes import folders, start
from bench.processes.start import GuardedProcess
from bench.records import run_record
from bench.records.run_record import RunRecord
from bench.run.request import RunRequest
from bench.secrets import URL_VARIABLE, hide, url_secrets

PROGRESS_VARIABLE = "BENCH_PROGRESS_FD"
"""Names the file descriptor on which Locust's master reports its progress."""
DEFAULT_PORT = 5557
_LOCUST_VARIABLES = "LOCUST_"
_POLL_S = 0.2


@dataclass(frozen=True)
class LocustCluster:
    """Where Locust's workers run. With ``expect_workers`` None, the launcher starts as many workers
    on this host as the scenario has producers."""

    expect_workers: int | None
    bind_host: str
    bind_port: int
    max_wait_s: float
    """How long to wait for the workers."""


def execute(
    request: RunRequest,
    server_binary: str | None,
    cluster: LocustCluster,
    on_progress: Callable[[Progress], None],
    should_stop: Callable[[], bool],
    exports: ExportTargets,
) -> RunRecord:
    """Runs a scenario on Locust and returns its record. Without a URL, a server is started.

    Raises the BenchError that corresponds to the exit code of Locust's process, and
    KeyboardInterrupt where it was stopped before there was anything to record.
    """
    with folders.held("run") as folder:
        scenario = folder / "scenario.json"
        scenario.write_bytes(msgspec.json.encode(request.scenario))
        path = folder / "record.json"
        with tempfile.TemporaryFile() as errors, _progress_pipe() as (reader, write_end):
            process = start.start(
                [
                    *_command(request, server_binary, cluster, scenario, path),
                    *_export_flags(exports),
                ],
                stderr=errors,
                environment=_environment(request.url, write_end),
                descriptors=[write_end],
            )
            os.close(write_end)
            try:
                is_interrupted = _follow(process, reader, on_progress, should_stop)
            finally:
                process.end()
            errors.seek(0)
            message = errors.read().decode(errors="replace")
        if not path.exists():
            if is_interrupted:
                raise KeyboardInterrupt
            shown = hide(message, url_secrets(request.url))
            raise error_of_process(process.returncode, shown, "Locust")
        return msgspec.structs.replace(run_record.load(path), command=request.command)


def joining_line(cluster: LocustCluster) -> str:
    """Returns the command that starts a worker on another host."""
    host = socket.gethostname() if cluster.bind_host in ("0.0.0.0", "*") else cluster.bind_host  # noqa: S104
    return f"locust -f - --worker --master-host {host} --master-port {cluster.bind_port}"


def _command(
    request: RunRequest,
    server_binary: str | None,
    cluster: LocustCluster,
    scenario: Path,
    path: Path,
) -> list[str]:
    locustfile = str(files("bench.locust") / "locustfile.py")
    words = [*start.python("bench.locust.process"), "-f", locustfile]
    words += ["--headless", "--only-summary"]
    words += ["--loglevel", "ERROR", "--scenario", str(scenario), "--record", str(path)]
    count = cluster.expect_workers or request.scenario.producers
    users = str(count * request.scenario.in_flight)
    words += ["--users", users, "--spawn-rate", users]
    words += ["--master-bind-host", cluster.bind_host, "--master-bind-port", str(cluster.bind_port)]
    if cluster.expect_workers is None:
        words += ["--processes", str(count), "--master-port", str(cluster.bind_port)]
    else:
        words += ["--master", "--expect-workers", str(count)]
    words += ["--expect-workers-max-wait", str(math.ceil(cluster.max_wait_s))]
    if not request.url:
        words += ["--server-binary", server_binary] if server_binary else ["--embedded"]
    words += ["--allow-shared"] if request.allow_shared else []
    words += ["--keep"] if request.keep else []
    return words


def _export_flags(exports: ExportTargets) -> list[str]:
    words = [] if exports.listen is None else ["--metrics", str(exports.listen)]
    words += [] if exports.otlp_url is None else ["--otlp", exports.otlp_url]
    words += ["--metrics-linger", f"{exports.linger_s}s"] if exports.linger_s else []
    return words


def _environment(url: str, write_end: int) -> dict[str, str]:
    # A URL may hold a password. Other users can read a command line, but not the environment.
    given = {PROGRESS_VARIABLE: str(write_end), **({URL_VARIABLE: url} if url else {})}
    others = {
        name: each
        for name, each in start.python_environment().items()
        if name != URL_VARIABLE and not name.startswith(_LOCUST_VARIABLES)
    }
    return {**others, **given}


@contextlib.contextmanager
def _progress_pipe() -> Iterator[tuple[Reader[Progress], int]]:
    read_end, write_end = start.pipe()
    try:
        yield Reader(read_end, Progress), write_end
    finally:
        os.close(read_end)


def _follow(
    process: GuardedProcess,
    reader: Reader[Progress],
    on_progress: Callable[[Progress], None],
    should_stop: Callable[[], bool],
) -> bool:
    """Pass on the process's progress until it ends; return whether it was asked to stop."""
    is_interrupted = False
    is_open = True
    while process.poll() is None:
        if should_stop() and not is_interrupted:
            is_interrupted = True
            process.signal_group(signal.SIGINT)
        if is_open and select.select([reader], [], [], _POLL_S)[0]:
            try:
                for progress in reader.read():
                    on_progress(progress)
            except ChannelClosed:
                is_open = False
        elif not is_open:
            with contextlib.suppress(TimeoutExpired):
                process.wait(_POLL_S)
    return is_interrupted


def require_free(host: str, port: int) -> None:
    """Raises UsageError where Locust's master could not listen at this address."""
    try:
        family, _, _, _, address = socket.getaddrinfo(
            None if host == "*" else host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(
            f"--master-bind-host {host}: the Locust master cannot listen at port {port}: {reason}"
        ) from None


def free_port() -> int:
    """Returns a free TCP port on the loopback interface for Locust's master."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def progress_writer() -> Callable[[Progress], None]:
    """Returns a function that sends progress to the parent ``bench run``, if there is one."""
    descriptor = os.environ.get(PROGRESS_VARIABLE)
    if descriptor is None:
        return lambda _: None
    writer = Writer(int(descriptor))

    def send(progress: Progress) -> None:
        with contextlib.suppress(ChannelClosed):
            writer.write(progress)

    return send

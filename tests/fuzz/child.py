"""The process in which cases run one after the other, called by ``tests.fuzz.runner``."""

import contextlib
import io
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NoReturn
from unittest import mock

import msgspec
import numpy as np

from bench.redisio import embedded
from bench.redisio.embedded import EmbeddedServer
from bench.workload.scenario import Scenario
from tests.fuzz import messages
from tests.fuzz.cases import SERVER_URL, Case, content_of
from tests.fuzz.ending import Ending, How
from tests.fuzz.run_delay import run_delay_s

_MOST_ADDRESSES = 4 << 30
"""Address space in bytes: a limit to what a case can take of the machine before it is ended."""
_MOST_READ = 200_000
_TASKS_TRIED = 500


class Measuring(BaseException):
    """Everything was read and checked, and the measuring would begin."""


def main(connection: Connection) -> None:
    """Run cases that arrive as ``(case, url)`` and answer with their endings, until the other side
    closes the connection."""
    os.setpgid(0, 0)
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_ADDRESSES, hard))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    root = Path(tempfile.mkdtemp(prefix="fuzz-"))
    try:
        with _captured(root) as streams:
            from bench.cli import app  # noqa: F401 - loaded before the first case's time

            connection.send(None)
            while True:
                try:
                    case, url = connection.recv()
                except EOFError:
                    return
                connection.send(_ending_of(case, url, root, streams))
    finally:
        shutil.rmtree(root, ignore_errors=True)


@contextlib.contextmanager
def _captured(root: Path) -> Iterator[tuple[io.FileIO, io.FileIO]]:
    """The files that take standard output and error, also of processes that a case starts."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    with (root / "out").open("w+b", 0) as out, (root / "err").open("w+b", 0) as err:
        yield out, err


def _ending_of(case: Case, url: str, root: Path, streams: tuple[io.FileIO, io.FileIO]) -> Ending:
    for descriptor, stream in enumerate(streams, 1):
        stream.seek(0)
        stream.truncate()
        os.dup2(stream.fileno(), descriptor)  # each time, as a command may turn it elsewhere
    folder = root / "deep" / "enough" / "case"
    shutil.rmtree(root / "deep", ignore_errors=True)
    began_s = time.monotonic()
    with _place(case, folder, url):
        before = _files(folder)
        began_s = time.monotonic() - run_delay_s()
        how, code = _invoke(case, url)
        seconds = time.monotonic() - run_delay_s() - began_s
        written = {name: data for name, data in _files(folder).items() if before.get(name) != data}
    out, err = (_text_of(stream) for stream in streams)
    peak = _peak_bytes()
    return Ending(
        how=how, code=code, out=out, err=err, seconds=seconds, peak_bytes=peak, written=written
    )


def _peak_bytes() -> int:
    """The most memory of this process or a child of its."""
    unit = 1 if sys.platform == "darwin" else 1024
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit
    try:
        # getrusage counts what the parent had resident when this process was started.
        status = Path("/proc/self/status").read_text()
    except OSError:
        return max(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit, children)
    return max(int(status.partition("VmHWM:")[2].split()[0]) * 1024, children)


@contextlib.contextmanager
def _place(case: Case, folder: Path, url: str) -> Iterator[None]:
    """The case's folder as the current one, and its variables, for as long as it runs."""
    environment = dict(os.environ)
    for name in ("BENCH_REDIS_URL", "REDIS_URL", "NO_COLOR", "FORCE_COLOR"):
        os.environ.pop(name, None)
    folder.mkdir(parents=True)
    (folder / "a-folder").mkdir()
    (folder / "a-file").write_bytes(b"")
    (folder / "a-link").symlink_to("a-file")
    (folder / "a-loop").symlink_to("a-loop")
    os.mkfifo(folder / "a-fifo")
    for name, file in case.files.items():
        (folder / name).write_bytes(content_of(file))
    os.environ.update({key: _with(value, url) for key, value in case.variables.items()})
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir("/")
        os.environ.clear()
        os.environ.update(environment)


def _with(text: str, url: str) -> str:
    return text.replace(SERVER_URL, url)


def _files(folder: Path) -> dict[str, bytes]:
    return {
        str(path): path.read_bytes()[:_MOST_READ]
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def _text_of(stream: io.FileIO) -> str:
    stream.seek(0)
    return (stream.read(_MOST_READ) or b"").decode("utf-8", "backslashreplace")


def _invoke(case: Case, url: str) -> tuple[How, int | None]:
    from bench.cli.app import main as bench

    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    out, err = sys.stdout, sys.stderr
    sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), "utf-8", write_through=True)
    sys.stderr = io.TextIOWrapper(
        io.FileIO(2, "w", closefd=False), "utf-8", "backslashreplace", write_through=True
    )
    try:
        with contextlib.nullcontext() if case.measures else _stopped_short():
            if case.kind == "messages":
                return messages.receive(case)
            arguments = [_with(argument, url) for argument in case.arguments]
            with mock.patch.object(sys, "argv", ["bench", *arguments]):
                code = bench(arguments)
            sys.stdout.flush()
            return "ended", int(code)
    except Measuring:
        return "measuring", None
    except SystemExit as exit_:
        return "ended", exit_.code if isinstance(exit_.code, int) else 1
    except BaseException:
        sys.stderr.write(traceback.format_exc())
        return "raised", None
    finally:
        sys.stdout, sys.stderr = out, err
        for number, handler in handlers.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _stopped_short() -> Iterator[None]:
    """Ends commands where they would begin to measure, and starts no server."""

    def run(request: object, *_: object, **__: object) -> NoReturn:
        _try_out(request.scenario)  # type: ignore[attr-defined]
        raise Measuring

    def measure(*_: object, **__: object) -> NoReturn:
        raise Measuring

    with contextlib.ExitStack() as stack:
        for name in ("bench.cli.run.execute", "bench.locust.launcher.execute"):
            stack.enter_context(mock.patch(name, run))
        for name in (
            *("bench.jobs.ab_job.measure", "bench.jobs.capacity_job.measure"),
            *("bench.jobs.chaos_job.measure", "bench.jobs.sweep_job.measure"),
            *("bench.selftest.job.measure",),
            *("bench.clients.job.measure", "bench.cli.worker.serve"),
            *("bench.cli.ab_revisions.installed", "bench.jobs.worktrees.checked_out"),
        ):
            stack.enter_context(mock.patch(name, measure))
        exports_nothing = mock.patch("bench.cli.metrics_flags.exporting", _no_exporter)
        stack.enter_context(exports_nothing)
        stack.enter_context(mock.patch.object(embedded, "running", _no_server))
        yield


@contextlib.contextmanager
def _no_exporter(*_: object) -> Iterator[None]:
    yield None


@contextlib.contextmanager
def _no_server(
    binary: str | None = None,
    _config: object = None,
    *,
    persistent: bool = False,
    cores: tuple[int, ...] = (),
) -> Iterator[EmbeddedServer]:
    del persistent, cores
    embedded.find_binary(binary)
    url = "redis://127.0.0.1:1/0"
    yield mock.NonCallableMock(spec=EmbeddedServer, url=url, open_url=url, port=1)


def _try_out(scenario: Scenario) -> None:
    """What a run does with its scenario before the first task, and the first tasks themselves."""
    from bench.ipc.messages import StartProducer
    from bench.worker.process import settings_of
    from bench.workload.feed import Feed

    as_json = msgspec.json.encode(scenario)
    if msgspec.json.decode(as_json, type=Scenario) != scenario:
        raise AssertionError("a record would not hold the scenario as it is")
    message = StartProducer("", scenario, 1, 0, 0)
    msgspec.msgpack.decode(msgspec.msgpack.encode(message), type=StartProducer)
    settings_of(scenario)
    for name in ("planned_duration_s", "peak_per_s", "asked_per_s"):
        getattr(scenario, name)
    scenario.service_time.draw(scenario.seed, "service", np.arange(_TASKS_TRIED))
    feed, taken = Feed(scenario, 0), 0
    while taken < _TASKS_TRIED and feed.next_due_us() is not None:
        taken += len(feed.take(_TASKS_TRIED))

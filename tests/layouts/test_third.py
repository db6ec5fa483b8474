"""A layout of another package, through the command line with real child processes."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import redis

import bench
from bench.errors import UsageError
from bench.layouts import registry
from bench.redisio import embedded
from tests.layouts import third

pytestmark = pytest.mark.slow

REPOSITORY = Path(bench.__file__).parent.parent
QUEUES = ("--queues", "orders-high=1,orders-low=3")


class CommandLine:
    """``bench`` as a process of its own, in an environment where the third layout is installed."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        path = os.pathsep.join([str(third.install(folder / "site")), str(REPOSITORY)])
        self.environment = {**os.environ, "PYTHONPATH": path, "BENCH_REDIS_URL": url}

    def __call__(self, *arguments: str, code: int | Sequence[int] = 0) -> str:
        """Runs a command, and returns what it printed; it must end with that exit code."""
        done = subprocess.run(
            [sys.executable, "-m", "bench", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        allowed = (code,) if isinstance(code, int) else code
        assert done.returncode in allowed, done.stdout + done.stderr
        return done.stdout + done.stderr

    def record(self, name: str) -> dict[str, Any]:
        """The record that a run wrote."""
        found: dict[str, Any] = json.loads((self.folder / name).read_text())
        return found

    def keys(self) -> set[bytes]:
        """All keys of the server."""
        with redis.Redis.from_url(self.url, protocol=2) as client:
            return set(client.scan_iter())


@pytest.fixture
def command(tmp_path: Path) -> Iterator[CommandLine]:
    """The command line, and an empty server of the test's own."""
    with embedded.running() as server:
        yield CommandLine(tmp_path, server.url)


@pytest.mark.parametrize("prefetch", ["1", "64"], ids=["one-by-one", "batches"])
def test_a_run_loses_nothing_and_leaves_nothing(command: CommandLine, prefetch: str) -> None:
    """Failing, retried and archived tasks included, in both of the worker's ways to take tasks."""
    command(
        *("run", "smoke", "--layout", "third", *QUEUES, "--rate", "500/s", "--duration", "500ms"),
        *("--failure-rate", "20%", "--retry-delay", "20ms", "--max-retry", "1"),
        *("--store-results", "--concurrency", "4", "--prefetch", prefetch),
        *("--output", "run.json"),
        code=(0, 4),
    )
    record = command.record("run.json")
    tasks = record["counts"]
    assert tasks["lost"] == tasks["duplicated"] == tasks["unknown"] == tasks["pending"] == 0
    assert tasks["enqueued"] == tasks["completed"] + tasks["failed"] > 0
    assert tasks["retried"] > 0
    assert tasks["failed"] > 0
    assert record["scenario"]["layout"] == "third"
    assert command.keys() == set()


def test_an_external_worker_of_the_layout_is_observed(command: CommandLine) -> None:
    """``bench worker`` is started as if it were somebody else's."""
    worker = f"{sys.executable} -m bench worker {{parent}} --layout third --queues {{queues}}"
    command(
        *("run", "smoke", "--layout", "third", *QUEUES, "--rate", "300/s", "--duration", "500ms"),
        *("--worker-command", worker, "--output", "run.json"),
        code=(0, 4),
    )
    tasks = command.record("run.json")["counts"]
    assert tasks["lost"] == 0
    assert tasks["enqueued"] == tasks["completed"] > 0


def test_what_a_run_keeps_is_verified_and_then_cleaned(command: CommandLine) -> None:
    command(
        *("run", "smoke", "--layout", "third", *QUEUES, "--rate", "max", "--tasks", "300"),
        *("--workers", "0", "--keep", "--output", "run.json"),
        code=(0, 4),
    )
    verified = command("verify", "--layout", "third")
    assert verified.startswith("follows the third layout: 300 tasks")
    assert "no worker" in verified
    with redis.Redis.from_url(command.url, protocol=2) as client:
        client.hset("third:job:broken", "job", "{")
        client.rpush("third:ready:orders-high", "broken", "gone")
    broken = command("verify", "--layout", "third", "--json", code=4)
    codes = {finding["code"] for finding in json.loads(broken)["findings"]}
    assert codes == {"no-worker", "missing-field", "missing-hash"}
    with redis.Redis.from_url(command.url, protocol=2) as client:
        client.delete("third:job:broken")
        client.lrem("third:ready:orders-high", 0, "broken")
        client.lrem("third:ready:orders-high", 0, "gone")
    command("clean", "run.json")
    assert command.keys() <= {b"third:queues"}


def test_the_clients_of_the_layout_are_checked(command: CommandLine) -> None:
    """Its only client is this project's own producer."""
    printed = command(
        *("clients", "--layout", "third", "--queue", "orders-high", "--tasks", "200"),
        *("--repeat", "1", "--only", "bench-third", "--output", "clients.json"),
    )
    assert "bench-third" in printed
    assert command.keys() == set()


def test_without_the_package_the_layout_is_unknown(command: CommandLine) -> None:
    del command.environment["PYTHONPATH"]
    printed = command("run", "smoke", "--layout", "third", code=2)
    assert "layout: 'third' is not one of runqy, asynq" in printed


@pytest.mark.parametrize(
    ("entry_point", "cause"),
    [
        ("tests.layouts.third.nothing:ENTRY", "cannot be loaded: No module named"),
        ("tests.layouts.third.entry:NOTHING", "cannot be loaded: "),
        ("tests.layouts.third.layout:THIRD", "is not a LayoutEntry of that name"),
        ("bench.layouts.runqy.entry:ENTRY", "is not a LayoutEntry of that name"),
    ],
)
def test_a_broken_package_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry_point: str, cause: str
) -> None:
    monkeypatch.setattr(third, "ENTRY_POINT", f"third = {entry_point}")
    monkeypatch.syspath_prepend(third.install(tmp_path))
    with pytest.raises(UsageError, match=cause) as failed:
        registry.find("third")
    assert "layout 'third': its entry point" in str(failed.value)
    assert "\n" not in str(failed.value)


def test_a_layout_that_is_not_installed_is_told_with_those_that_are() -> None:
    """As for the record of a run on another machine."""
    with pytest.raises(UsageError, match=r"'fourth' is not installed here: there are runqy, asynq"):
        registry.get("fourth")
    assert registry.find("fourth") is None


def test_a_built_in_layout_is_found_without_a_search_for_packages() -> None:
    program = (
        "import sys; from bench.layouts import registry; registry.find('runqy'); "
        "registry.find('asynq'); print('importlib.metadata' in sys.modules, "
        "'google.protobuf' in sys.modules)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert answer.stdout == "False False\n"

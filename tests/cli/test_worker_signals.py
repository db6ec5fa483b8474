"""SIGTERM to a standing worker: tasks in service end, or go back to their queue."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from bench.layouts.runqy.layout import RUNQY
from bench.redisio import embedded
from bench.wire.task import Task
from tests.waiting import await_that

pytestmark = pytest.mark.slow

TIMEOUT_S = 30.0
QUEUE = "inference_default"


@pytest.fixture
def server() -> Iterator[tuple[str, Any]]:
    """The URL of an empty server, and a client of it."""
    with embedded.running() as started, redis.Redis.from_url(started.url) as client:
        yield started.url, client


def ended(server: tuple[str, Any], prefetch: int, service: str, signals: int) -> tuple[int, float]:
    """The exit code of a worker that gets signals while it has a task, and for how many seconds
    that task was active."""
    url, client = server
    words = ["worker", "inference", "--prefetch", str(prefetch), "--service-time", service]
    with subprocess.Popen(
        [sys.executable, "-m", "bench", *words],
        stderr=subprocess.DEVNULL,
        env={**os.environ, "BENCH_REDIS_URL": url},
    ) as process:
        try:
            for command in RUNQY.enqueue(Task("one", QUEUE, b"{}")):
                client.execute_command(*command)
            await_that(lambda: client.hget("asynq:t:one", "state") == b"active")
            began_s = time.monotonic()
            for _ in range(signals):
                process.send_signal(signal.SIGTERM)
                time.sleep(0.6)  # signals that come together are one
            return process.wait(TIMEOUT_S), time.monotonic() - began_s
        finally:
            process.kill()


@pytest.mark.parametrize("prefetch", [1, 16])
def test_a_task_in_service_takes_its_time_after_a_signal(
    server: tuple[str, Any], prefetch: int
) -> None:
    code, active_s = ended(server, prefetch, "1500ms", 1)
    assert code == 0
    assert active_s >= 1.3  # it had been active for a moment
    assert server[1].hget("asynq:t:one", "state") == b"completed"


@pytest.mark.parametrize("prefetch", [1, 16])
def test_a_second_signal_ends_the_worker_at_once_and_puts_its_task_back(
    server: tuple[str, Any], prefetch: int
) -> None:
    code, _ = ended(server, prefetch, "10m", 2)
    client = server[1]
    assert code == 130
    assert client.hget("asynq:t:one", "state") == b"pending"
    assert client.lrange(RUNQY.pending(QUEUE), 0, -1) == [b"one"]
    assert client.keys("asynq:workers:*") == []

"""runqy's guide, row by row: what it enqueues is served, and what it reads is there.

Each client enqueues as the guide shows; the worker serves it with result storage on; the guide's
own redis-cli commands show hash, lists and result while it is pending, active and done.
"""

import json
import shutil
import subprocess
import threading
from collections.abc import Sequence
from typing import Any

import pytest
import redis

from bench.clients import build, processes
from bench.clients.catalogue import CLIENTS, Client
from bench.redisio.embedded import EmbeddedServer
from tests.clients.conftest import require
from tests.integration.conftest import worker_thread

pytestmark = pytest.mark.slow

QUEUE = "inference_default"
TASKS = 20


class Cli:
    """``redis-cli`` with the guide's words."""

    def __init__(self, port: int) -> None:
        self._port = str(port)

    def __call__(self, *words: str) -> list[str]:
        """The lines that it answers with."""
        done = subprocess.run(
            ["redis-cli", "-p", self._port, *words], capture_output=True, text=True, check=True
        )
        return done.stdout.splitlines()

    def fields(self, task_id: str) -> dict[str, str]:
        lines = self("HGETALL", f"asynq:t:{task_id}")
        return dict(zip(lines[::2], lines[1::2], strict=True))


@pytest.fixture
def cli(embedded: EmbeddedServer) -> Cli:
    if shutil.which("redis-cli") is None:
        pytest.skip("redis-cli is not here: apt-get install redis-tools")
    return Cli(embedded.port)


def wait_for(condition: Any, what: str) -> None:
    """Ask again until it is so; fail when it never is."""
    waiting = threading.Event()
    for _ in range(2000):
        if condition():
            return
        waiting.wait(0.01)
    pytest.fail(f"never: {what}")


def test_the_guides_redis_cli_session_from_the_first_line_to_the_last(
    embedded: EmbeddedServer, cli: Cli
) -> None:
    payload = '{"input": "hello world"}'
    fields = ("type", "task", "payload", payload, "retry", "0", "max_retry", "3")
    assert cli("HSET", "asynq:t:my-task-id", *fields, "queue", QUEUE) == ["5"]
    assert cli("LPUSH", f"asynq:{QUEUE}:pending", "my-task-id") == ["1"]
    assert cli("LRANGE", f"asynq:{QUEUE}:pending", "0", "-1") == ["my-task-id"]
    assert "my-task-id" not in cli("LRANGE", f"asynq:{QUEUE}:active", "0", "-1")
    with worker_thread(embedded.url, {"store_results": True, "service_time": "700ms"}):
        wait_for(
            lambda: cli("LRANGE", f"asynq:{QUEUE}:active", "0", "-1") == ["my-task-id"],
            "the task on the active list",
        )
        assert cli.fields("my-task-id")["state"] == "active"
        assert "my-task-id" not in cli("LRANGE", f"asynq:{QUEUE}:pending", "0", "-1")
        wait_for(lambda: cli("GET", "asynq:result:my-task-id") != [""], "a result")
        assert json.loads(cli("GET", "asynq:result:my-task-id")[0]) == {"status": "ok"}
        wait_for(lambda: cli.fields("my-task-id")["state"] == "completed", "the end")
    assert cli.fields("my-task-id")["payload"] == payload
    assert "my-task-id" not in cli("LRANGE", f"asynq:{QUEUE}:active", "0", "-1")


GUIDE = [client for client in CLIENTS if client.layout == "runqy"]


@pytest.mark.parametrize("client", GUIDE, ids=[client.name for client in GUIDE])
def test_what_a_client_enqueues_is_served_and_has_a_result(
    client: Client, embedded: EmbeddedServer
) -> None:
    require(client)
    program = build.prepare(client, lambda _: None)
    processes.run(client, program, embedded.url, TASKS, QUEUE, lambda: False)
    with redis.Redis(port=embedded.port, protocol=2, decode_responses=True) as redis_client:
        waiting: Sequence[Any] = redis_client.lrange(f"asynq:{QUEUE}:pending", 0, -1)
        assert len(waiting) == TASKS
        with worker_thread(embedded.url, {"store_results": True}):
            wait_for(
                lambda: all(redis_client.exists(f"asynq:result:{each}") for each in waiting),
                "a result of every task",
            )
        for each in waiting:
            assert redis_client.hget(f"asynq:t:{each}", "state") == "completed"
        assert redis_client.llen(f"asynq:{QUEUE}:active") == 0

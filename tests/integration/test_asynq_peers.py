"""The asynq layout against hibiken/asynq itself, both ways."""

import json
import os
import random
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
import redis

from bench.layouts.asynq.layout import ASYNQ
from bench.redisio.embedded import EmbeddedServer
from tests.integration.conftest import run, worker_thread
from tests.peers.build import asynq_peer

pytestmark = pytest.mark.slow

QUEUES = {"inference.high": 1, "inference.default": 2, "inference.low": 3}


def peer(embedded: EmbeddedServer, *arguments: str) -> dict[str, Any]:
    """What the peer says at its end."""
    done = subprocess.run(
        [asynq_peer(), *arguments],
        env={**os.environ, "BENCH_REDIS_ADDR": f"127.0.0.1:{embedded.port}"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def serve(embedded: EmbeddedServer, tasks: int) -> dict[str, Any]:
    queues = ",".join(f"{name}={weight}" for name, weight in QUEUES.items())
    return peer(embedded, "serve", "-queues", queues, "-tasks", str(tasks))


@pytest.mark.parametrize("duplicate_check", [False, True], ids=["plain", "duplicate-check"])
def test_a_real_asynq_server_reads_every_task_that_we_write(
    embedded: EmbeddedServer, tmp_path: Path, duplicate_check: bool
) -> None:
    """Forty thousand, half with any bytes and half with text of all scripts: none malformed,
    and every payload whole."""
    shuffled = random.Random(7)
    lines = [
        json.dumps({"text": "".join(chr(shuffled.randrange(32, 0xD800)) for _ in range(20))})
        for _ in range(500)
    ]
    unicode_file = tmp_path / "payloads.jsonl"
    unicode_file.write_text("\n".join(lines), encoding="utf-8")
    count = 20_000
    for content in (
        {"payload_content": "binary", "payload_size": "uniform:54B-600B"},
        {"payload_file": str(unicode_file)},
    ):
        fields = {
            "layout": "asynq",
            "duplicate_check": duplicate_check,
            "queues": QUEUES,
            "rate": "max",
            "tasks": count,
            "workers": 0,
            **content,
        }
        record = run(embedded.url, fields)  # its tasks stay: the server is the test's
        assert record.counts.enqueued == count
        said = serve(embedded, count)
        assert said["malformed"] == 0
        assert said["processed"] == said["stamped"] == count
        assert said["by_queue"] == {name: each.enqueued for name, each in record.queues.items()}
    with redis.Redis(port=embedded.port) as client:
        assert list(client.scan_iter("*:t:*")) == []
        assert client.smembers("asynq:queues") == {name.encode() for name in QUEUES}


def test_our_worker_runs_the_tasks_of_a_real_asynq_client(embedded: EmbeddedServer) -> None:
    said = peer(embedded, "enqueue", "-queue", "inference.default", "-tasks", "200")
    with (
        redis.Redis(port=embedded.port) as client,
        worker_thread(embedded.url, {"layout": "asynq", "queues": {"inference.default": 1}}),
    ):
        done = threading.Event()
        while not done.wait(0.005):
            if client.get("asynq:{inference.default}:processed") == b"200":
                done.set()
        for task_id in said["ids"]:
            assert not client.exists(ASYNQ.task("inference.default", task_id))
        assert client.llen("asynq:{inference.default}:active") == 0
        assert client.zcard("asynq:{inference.default}:lease") == 0


def test_tasks_that_our_worker_gave_back_are_run_by_a_real_asynq_server(
    embedded: EmbeddedServer,
) -> None:
    """Messages that our worker rewrote after a failed attempt are still asynq's."""
    task_ids = peer(embedded, "enqueue", "-tasks", "20", "-retry", "3")["ids"]
    fields: dict[str, object] = {
        "layout": "asynq",
        "queues": {"inference.default": 1},
        "failure_rate": 1.0,
        "retry_delay": "60s",
    }
    with redis.Redis(port=embedded.port) as client:
        with worker_thread(embedded.url, fields):
            waiting = threading.Event()
            while not waiting.wait(0.005):
                if client.zcard("asynq:{inference.default}:retry") == len(task_ids):
                    waiting.set()
        said = peer(embedded, "serve", "-tasks", str(len(task_ids)))
        assert (said["processed"], said["malformed"]) == (len(task_ids), 0)

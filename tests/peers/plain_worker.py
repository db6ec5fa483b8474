"""The documented worker of the runqy layout, written plainly with redis-py, as a test peer.

    python plain_worker.py SUMMARY QUEUE... [--store] [--delete] [--seconds 0.002] [--log FILE]

The server is in BENCH_REDIS_URL. When it is told to end it writes what it counted itself, and the
latencies that it stamped itself, to the file SUMMARY.

With a log, it writes a line into that file when it has taken a task and when it has finished one,
and goes on with the next task where it has lost its server.
"""

import argparse
import contextlib
import json
import os
import signal
import statistics
import time
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry


def main() -> None:
    """Serve until told to end."""
    parser = argparse.ArgumentParser()
    parser.add_argument("summary", type=Path)
    parser.add_argument("queues", nargs="+")
    parser.add_argument("--store", action="store_true")
    parser.add_argument("--delete", action="store_true", help="Delete what is done.")
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--log", type=Path)
    asked = parser.parse_args()
    stopping = False

    def stop(_number: int, _frame: object) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    retries: dict[str, Any] = {} if asked.log is None else {"retry": Retry(NoBackoff(), 0)}
    client: Any = redis.Redis.from_url(os.environ["BENCH_REDIS_URL"], protocol=2, **retries)
    worker = PlainWorker(asked, client)
    while not stopping:
        with contextlib.ExitStack() as stack:
            if asked.log is not None:
                stack.enter_context(contextlib.suppress(redis.ConnectionError, redis.TimeoutError))
                stack.enter_context(contextlib.suppress(redis.ResponseError))
            worker.take_one()
    latencies_us = worker.latencies_us
    summary = {
        "done": len(worker.order),
        "e2e_p50_us": statistics.median(latencies_us) if latencies_us else None,
        "order": worker.order,
    }
    asked.summary.write_text(json.dumps(summary))


class PlainWorker:
    """Serves one task after the other, and counts them."""

    def __init__(self, asked: argparse.Namespace, client: Any) -> None:
        self._asked, self._client = asked, client
        self._keys = {f"asynq:{queue}:pending".encode(): queue for queue in asked.queues}
        self._log = None
        if asked.log is not None:
            self._log = os.open(asked.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self.latencies_us: list[int] = []
        self.order: list[str] = []

    def take_one(self) -> None:
        """Serve a task, if there is one. Raises redis-py's errors."""
        client, asked = self._client, self._asked
        popped = client.brpop(list(self._keys), timeout=0.2)
        if popped is None:
            return
        key, task_id = map(bytes, popped)
        queue, task = self._keys[key], task_id.decode()
        self._note(f"taken {task}")
        fields = client.hgetall(f"asynq:t:{task}")
        client.lpush(f"asynq:{queue}:active", task)
        client.hset(f"asynq:t:{task}", "state", "active")
        if asked.seconds:
            time.sleep(asked.seconds)
        if asked.store:
            client.set(f"asynq:result:{task}", "{}")
        client.lrem(f"asynq:{queue}:active", 1, task)
        if asked.delete:
            client.delete(f"asynq:t:{task}")
        else:
            client.hset(f"asynq:t:{task}", "state", "completed")
        finished_us = time.time_ns() // 1000
        self._note(f"finished {task}")
        self.order.append(queue)
        due_us = json.loads(fields.get(b"payload", b"{}")).get("due_us")
        if due_us is not None:
            self.latencies_us.append(finished_us - due_us)

    def _note(self, line: str) -> None:
        if self._log is not None:
            os.write(self._log, f"{line}\n".encode())


if __name__ == "__main__":
    main()

"""The documented worker of the runqy layout, written plainly with redis-py, as a test peer.

    python plain_worker.py SUMMARY QUEUE... [--store] [--delete] [--seconds 0.002]

The server is in BENCH_REDIS_URL. When it is told to end it writes what it counted itself, and the
latencies that it stamped itself, to the file SUMMARY.
"""

import argparse
import json
import os
import signal
import statistics
import time
from pathlib import Path
from typing import Any

import redis


def main() -> None:
    """Serve until told to end."""
    parser = argparse.ArgumentParser()
    parser.add_argument("summary", type=Path)
    parser.add_argument("queues", nargs="+")
    parser.add_argument("--store", action="store_true")
    parser.add_argument("--delete", action="store_true", help="Delete what is done.")
    parser.add_argument("--seconds", type=float, default=0.0)
    asked = parser.parse_args()
    stopping = False

    def stop(_number: int, _frame: object) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    client: Any = redis.Redis.from_url(os.environ["BENCH_REDIS_URL"], protocol=2)
    keys = {f"asynq:{queue}:pending".encode(): queue for queue in asked.queues}
    done, latencies_us, order = 0, [], []
    while not stopping:
        popped = client.brpop(list(keys), timeout=0.2)
        if popped is None:
            continue
        key, task_id = map(bytes, popped)
        queue, task = keys[key], task_id.decode()
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
        done += 1
        order.append(queue)
        due_us = json.loads(fields[b"payload"]).get("due_us")
        if due_us is not None:
            latencies_us.append(finished_us - due_us)
    summary = {
        "done": done,
        "e2e_p50_us": statistics.median(latencies_us) if latencies_us else None,
        "order": order,
    }
    asked.summary.write_text(json.dumps(summary))


if __name__ == "__main__":
    main()

"""What the server itself can do, by Redis's own ``redis-benchmark``: the peer to compare with."""

import shutil
import subprocess
from dataclasses import dataclass
from typing import Any

import redis

from bench.layouts.runqy.layout import RUNQY
from bench.redisio import embedded
from bench.wire.task import Task

_IDS = 100_000
_RANDOM_ID = "01234567-89ab-8000-8abc-__rand_int__"
"""As long as a task id: redis-benchmark fills in twelve digits."""
QUEUE = "inference_default"


def is_installed() -> bool:
    """Whether ``redis-benchmark`` is on the PATH (Debian: redis-tools)."""
    return shutil.which("redis-benchmark") is not None


def rate(port: int, requests: int, ids: int, *command: str) -> float:
    """Requests a second of one command: eight connections, 128 in a pipeline, random ids."""
    done = subprocess.run(
        [
            "redis-benchmark",
            *("-p", str(port), "-P", "128", "-c", "8", "-n", str(requests)),
            *("-r", str(ids), "--csv"),
            *command,
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    header, row = done.stdout.strip().splitlines()[:2]
    # The first field quotes the command without escaping it, so fields count from the end.
    from_end = header.split(",").index('"rps"') - len(header.split(","))
    return float(row.split('","')[from_end].strip('"'))


def combined(rates: list[float]) -> float:
    """Tasks a second that need each of these commands once: the times of one each add up."""
    return 1 / sum(1 / each for each in rates)


@dataclass(frozen=True)
class Peer:
    """What redis-benchmark reaches, in tasks a second, and what each costs the server."""

    per_s: float
    server_cpu_us: float


def cpu_s(client: Any) -> float:
    """CPU time in seconds that the server behind a client has used."""
    info = client.info("cpu")
    return float(info["used_cpu_user"]) + float(info["used_cpu_sys"])


def enqueue_pair(binary: str | None, payload: bytes, requests: int = 1_000_000) -> Peer:
    """Tasks a second for one HSET and one LPUSH of the seed's shape, on ids that are new.

    Each command has a server of its own, as a run has: on one that was just flushed, LPUSH finds
    its memory mapped, and shares its time with the allocator giving the hashes' back.
    """
    rates = []
    spent_s = 0.0
    for command in RUNQY.enqueue(Task(_RANDOM_ID, QUEUE, payload)):
        # So many random ids that nearly all are new, as a task's is.
        arguments = [each if isinstance(each, str) else each.decode() for each in command]
        with embedded.running(binary) as started:
            client: Any = redis.Redis(port=started.port)
            before_s = cpu_s(client)
            rates.append(rate(started.port, requests, 10**9, *arguments))
            spent_s += cpu_s(client) - before_s
    return Peer(combined(rates), spent_s / requests * 1e6)


def worker_sequence(binary: str | None, payload: bytes, requests: int = 500_000) -> Peer:
    """Tasks a second for the documented worker's commands, each on keys as it finds them."""
    task, active = RUNQY.task(QUEUE, _RANDOM_ID), RUNQY.active(QUEUE)
    name = _RANDOM_ID.replace("__rand_int__", "0" * 12)
    with embedded.running(binary) as started:
        client: Any = redis.Redis(port=started.port)
        _fill(client, payload)
        before_s = cpu_s(client)
        rates = [
            rate(started.port, requests, _IDS, "HGETALL", task),
            rate(started.port, requests, _IDS, "LPUSH", active, name),
            rate(started.port, requests, _IDS, "HSET", task, "state", "active"),
            rate(started.port, requests, _IDS, "LREM", active, "1", name),
            rate(started.port, requests, _IDS, "HSET", task, "state", "completed"),
        ]
        spent_s = cpu_s(client) - before_s
    return Peer(combined(rates), spent_s / requests * 1e6)


def _fill(client: Any, payload: bytes) -> None:
    with client.pipeline(transaction=False) as pipeline:
        for number in range(_IDS):
            name = _RANDOM_ID.replace("__rand_int__", f"{number:012d}")
            for command in RUNQY.enqueue(Task(name, QUEUE, payload)):
                pipeline.execute_command(*command)
        pipeline.execute()

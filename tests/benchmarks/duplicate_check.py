"""What enqueueing by script costs the server, for a run and for redis-benchmark.

The server's CPU time is compared, not rates, so other programs on the machine matter less.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import redis

from bench.layouts.asynq.layout import ASYNQ, ASYNQ_UNIQUE
from bench.redisio import embedded
from bench.wire.layout_contract import Layout
from bench.wire.task import Task
from tests.benchmarks import redis_benchmark
from tests.benchmarks.arms import Tree
from tests.benchmarks.figures import Figure, Measurement
from tests.benchmarks.redis_benchmark import QUEUE, cpu_s

_REQUESTS = 500_000
_NEW_ID = "0123-4567-89__rand_int____rand_int__"
"""As long as a task id, with so many random digits that none of them occurs twice."""
_EMPTY = "return 1"
"""A script that does nothing with its keys and arguments."""


@dataclass(frozen=True)
class ServerCosts:
    """CPU time of the server for a task, in µs."""

    own: float
    own_checked: float
    peer: float
    peer_checked: float
    peer_empty: float
    """Of redis-benchmark with an empty script in place of the layout's."""


def _measure(tree: Tree) -> ServerCosts:
    return ServerCosts(
        _own_us(tree),
        _own_us(tree, "--duplicate-check"),
        sum(_peers_us(tree.binary, ASYNQ)),
        sum(_peers_us(tree.binary, ASYNQ_UNIQUE)),
        sum(_peers_us(tree.binary, ASYNQ_UNIQUE, _EMPTY)),
    )


def _own_us(tree: Tree, *flags: str) -> float:
    record = tree.record_of("enqueue-max", "--layout", "asynq", "--tasks", str(_REQUESTS), *flags)
    return float(record["resources"]["server_cpu_us_per_task"])


def _peers_us(binary: str | None, layout: Layout, script: str = "") -> Iterator[float]:
    """Yields what each command of a task costs a fresh server, in µs of its CPU time.

    ``script`` is called in place of the layout's own.
    """
    task = Task(_NEW_ID, QUEUE, b"x" * 54)
    for command in layout.enqueue(task):
        # A command line holds no NUL, so messages are letters.
        words = [each if isinstance(each, str) else "x" * len(each) for each in command]
        with embedded.running(binary) as started:
            client: Any = redis.Redis(port=started.port)
            for text in layout.scripts:
                client.script_load(text)
            if script:
                words[1] = client.script_load(script)
            before_s = cpu_s(client)
            redis_benchmark.rate(started.port, _REQUESTS, 10**9, *words)
            yield (cpu_s(client) - before_s) / _REQUESTS * 1e6


DUPLICATES = (
    Measurement(
        _measure,
        [
            Figure("asynq layout, server CPU per task", lambda it: it.own, ".2f", "µs"),
            Figure("… redis-benchmark, the two commands", lambda it: it.peer, ".2f", "µs"),
            Figure("… with the duplicate check", lambda it: it.own_checked, ".2f", "µs"),
            Figure("… redis-benchmark, the script", lambda it: it.peer_checked, ".2f", "µs"),
            Figure(
                "… redis-benchmark, an empty script with its arguments",
                lambda it: it.peer_empty,
                ".2f",
                "µs",
            ),
            Figure(
                "server CPU without the check / with it", lambda it: it.own / it.own_checked, ".2f"
            ),
            Figure("… redis-benchmark", lambda it: it.peer / it.peer_checked, ".2f"),
        ],
    ),
)

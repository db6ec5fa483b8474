"""Benchmarks against others: redis-benchmark, redis-py, another layout, a plain Locust user.

A machine's speed drifts, so each ratio is of one repetition, and to the mean of the peer just
before and just after.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from bench.redisio import embedded
from bench.wire import stamps
from tests.benchmarks import locust_runs, redis_benchmark
from tests.benchmarks.arms import Tree
from tests.benchmarks.figures import Figure, Measurement, Record
from tests.benchmarks.redis_benchmark import Peer
from tests.benchmarks.runs import (
    completed_per_s,
    enqueued_per_s,
    generator_cores,
    lag_ms,
    off_percent,
    server_cores,
)

_PAYLOAD = stamps.head(stamps.MAX_US, stamps.MAX_US) + b',"data":""}'


@dataclass(frozen=True)
class Bracketed:
    """A run's record, and the mean of the peer's figures on fresh servers before and after it."""

    record: Record
    peer: Peer

    @property
    def server_cpu_ratio(self) -> float:
        """What a task costs the server, against what the peer's costs it."""
        cost_us = float(self.record["resources"]["server_cpu_us_per_task"])
        return cost_us / self.peer.server_cpu_us


def _bracketed(tree: Tree, peer: Callable[[str | None, bytes], Peer], *arguments: str) -> Bracketed:
    before = peer(tree.binary, _PAYLOAD)
    record = tree.record_of(*arguments)
    after = peer(tree.binary, _PAYLOAD)
    cpu_us = (before.server_cpu_us + after.server_cpu_us) / 2
    return Bracketed(record, Peer((before.per_s + after.per_s) / 2, cpu_us))


def _ceiling(tree: Tree) -> Bracketed:
    return _bracketed(tree, redis_benchmark.enqueue_pair, "enqueue-max")


def _against_client(tree: Tree) -> tuple[float, float]:
    """Tasks a second of ``enqueue-max``, and of redis-py's pipelines in its place."""
    client = tree.record_of("enqueue-max", "--tasks", "150000", "--producer", "redis-py")
    return enqueued_per_s(tree.record_of("enqueue-max")), enqueued_per_s(client)


def _drain(tree: Tree) -> Bracketed:
    return _bracketed(tree, redis_benchmark.worker_sequence, "backlog")


@dataclass(frozen=True)
class Surrounded:
    """A run's record, and the records of another kind of run just before and just after it."""

    record: Record
    others: tuple[Record, Record]

    def ratio(self, value: Callable[[Record], float]) -> float:
        """A figure of the run, against the mean of the two others."""
        return value(self.record) / (sum(value(each) for each in self.others) / 2)


def _ceiling_against(other: Sequence[str], own: Sequence[str], tree: Tree) -> Surrounded:
    before = tree.record_of("enqueue-max", *other)
    record = tree.record_of("enqueue-max", *own)
    return Surrounded(record, (before, tree.record_of("enqueue-max", *other)))


def _server_us(record: Record) -> float:
    return float(record["resources"]["server_cpu_us_per_task"])


def _layout(
    name: str, own: Sequence[str], other_name: str, other: Sequence[str], target: str
) -> Measurement:
    return Measurement(
        partial(_ceiling_against, other, own),
        [
            Figure(f"{name}, ceiling", lambda it: enqueued_per_s(it.record), ",.0f", "tasks/s"),
            Figure(f"… / {other_name}", lambda it: it.ratio(enqueued_per_s), ".2f", "", target),
            Figure("… server CPU per task", lambda it: _server_us(it.record), ".2f", "µs"),
            Figure(f"… / {other_name}", lambda it: it.ratio(_server_us), ".2f"),
        ],
    )


def _locust(tree: Tree) -> tuple[float, float, float]:
    """Tasks a second: one Locust process of ours, a plain Locust user, and ``bench run``."""
    with embedded.running(tree.binary) as started:
        plain = locust_runs.plain_rate(tree, started.url)
    alone = enqueued_per_s(tree.record_of("enqueue-max"))
    own = enqueued_per_s(locust_runs.record_of(tree, *locust_runs.ENQUEUE_MAX))
    return own, plain, alone


def _paced_locust(tree: Tree) -> Record:
    return locust_runs.record_of(tree, *locust_runs.PACED)


CEILING = (
    Measurement(
        _ceiling,
        [
            Figure("enqueue ceiling", lambda it: enqueued_per_s(it.record), ",.0f", "tasks/s"),
            Figure(
                "redis-benchmark, the two commands combined",
                lambda it: it.peer.per_s,
                ",.0f",
                "tasks/s",
            ),
            Figure(
                "ceiling / redis-benchmark",
                lambda it: enqueued_per_s(it.record) / it.peer.per_s,
                ".2f",
                "",
                "≥ 1.0",
            ),
            Figure(
                "server CPU per task / redis-benchmark's", lambda it: it.server_cpu_ratio, ".2f"
            ),
            Figure(
                "server CPU at the ceiling",
                lambda it: server_cores(it.record),
                ".2f",
                "cores",
                "≥ 0.97",
            ),
            Figure(
                "generator CPU at the ceiling",
                lambda it: generator_cores(it.record),
                ".2f",
                "cores",
                "≤ 0.35",
            ),
        ],
    ),
    Measurement(
        _against_client,
        [
            Figure("redis-py pipelines of the same batch", lambda it: it[1], ",.0f", "tasks/s"),
            Figure("ceiling / redis-py", lambda it: it[0] / it[1], ".1f", "", "≥ 6"),
        ],
    ),
)
DRAIN = (
    Measurement(
        _drain,
        [
            Figure(
                "worker drain, batched", lambda it: completed_per_s(it.record), ",.0f", "tasks/s"
            ),
            Figure(
                "redis-benchmark, the worker's commands combined",
                lambda it: it.peer.per_s,
                ",.0f",
                "tasks/s",
            ),
            Figure(
                "drain / limit",
                lambda it: completed_per_s(it.record) / it.peer.per_s,
                ".2f",
                "",
                "≥ 0.80",
            ),
        ],
    ),
)
_ASYNQ = ("--layout", "asynq")
LAYOUTS = (
    _layout("asynq layout", _ASYNQ, "runqy layout", (), "≥ 0.60"),
    _layout(
        "asynq layout with its duplicate check",
        (*_ASYNQ, "--duplicate-check"),
        "without",
        _ASYNQ,
        "≥ 0.70",
    ),
)
LOCUST = (
    Measurement(
        _paced_locust,
        [
            Figure("Locust open loop at 5,000/s, schedule_lag p99", lag_ms, ".2f", "ms", "≤ 2 ms"),
            Figure("… rate off by", off_percent, ".3f", "%", "≤ 0.5 %", is_compared=False),
            Figure("… Locust's CPU", generator_cores, ".2f", "cores"),
        ],
    ),
    Measurement(
        _locust,
        [
            Figure("one Locust process, closed loop", lambda it: it[0], ",.0f", "tasks/s"),
            Figure("a plain Locust user class, 20 users", lambda it: it[1], ",.0f", "tasks/s"),
            Figure("Locust / plain", lambda it: it[0] / it[1], ".0f", "", "≥ 10"),
            Figure("Locust / bench run alone", lambda it: it[0] / it[2], ".2f", "", "≥ 0.5"),
        ],
    ),
)

"""Whatever makes tasks slow is where the split of their latency says that the time went."""

import math
import os
import signal
import time
from collections.abc import Callable

import pytest
import redis

from bench.measure.breakdown import LatencyPart, PercentileBreakdown
from bench.records.run_record import RunRecord
from bench.redisio.embedded import EmbeddedServer, running
from tests.integration.conftest import run
from tests.integration.test_faults import faulty
from tests.integration.test_survival import child

pytestmark = pytest.mark.slow

ROUND_TRIPS = (LatencyPart.BLOCKED, LatencyPart.DELIVERY, LatencyPart.COMMANDS)
Causes = tuple[LatencyPart, ...]
BASE: dict[str, object] = {"rate": 150, "duration": 1.5, "prefetch": 1}


def around(record: RunRecord, percentile: str) -> PercentileBreakdown:
    assert record.breakdown is not None
    (found,) = [each for each in record.breakdown.percentiles if each.percentile == percentile]
    return found


def around_p99(record: RunRecord) -> PercentileBreakdown:
    return around(record, "p99")


def share(found: PercentileBreakdown, causes: Causes) -> float:
    return sum(found.parts_s[cause] for cause in causes) / sum(found.parts_s.values())


@pytest.mark.parametrize(
    ("fields", "causes"),
    [
        (
            {"service_time": "60ms", "concurrency": 16, "warmup": "500ms"},
            (LatencyPart.SERVICE_TIME,),
        ),
        ({"service_time": "10ms", "concurrency": 1}, (LatencyPart.SLOT_WAIT,)),
        ({"service_time": "10ms", "prefetch": 8}, (LatencyPart.SLOT_WAIT,)),
        ({"rate": 50, "failure_rate": 0.5, "retry_delay": "100ms"}, (LatencyPart.RETRIES,)),
    ],
    ids=["slow service", "too few slots", "in batches", "retries"],
)
def test_a_planted_cause_has_most_of_the_time(
    embedded: EmbeddedServer, fields: dict[str, object], causes: Causes
) -> None:
    record = run(embedded.url, {**BASE, **fields})
    # What every task has shows at the median; a busy machine adds other causes to the tail.
    is_of_all = causes == (LatencyPart.SERVICE_TIME,)
    found = around(record, "p50" if is_of_all else "p99")
    assert share(found, causes) > 0.6, found
    mean_s = sum(found.parts_s.values())
    assert found.from_s <= mean_s <= found.to_s


def stopping(embedded: EmbeddedServer, module: str, for_s: float) -> Callable[[], bool]:
    """A ``should_stop`` that never is, and that stops a process of the run for a while, once tasks
    are there."""
    client = redis.Redis(port=embedded.port, protocol=2)
    stopped: dict[int, float] = {}

    def should_stop() -> bool:
        now_s = time.monotonic()
        if not stopped and client.dbsize() > 30:
            pid = child(module).pid
            os.kill(pid, signal.SIGSTOP)
            stopped[pid] = now_s + for_s
        for pid, until_s in stopped.items():
            if until_s <= now_s:
                os.kill(pid, signal.SIGCONT)
                stopped[pid] = math.inf
        return False

    return should_stop


def test_a_stopped_producer_is_late_and_nothing_else_is(embedded: EmbeddedServer) -> None:
    strike = stopping(embedded, "bench.producer", for_s=0.4)
    found = around_p99(run(embedded.url, {**BASE, "duration": 2}, should_stop=strike))
    assert share(found, (LatencyPart.SCHEDULE_LAG,)) > 0.6, found


def test_a_stalled_server_is_waited_for_in_round_trips() -> None:
    with running(persistent=True) as server:
        record = faulty(server, ["0.7s stall server 400ms"], rate=150, duration=1.5, prefetch=1)
    assert share(around_p99(record), ROUND_TRIPS) > 0.6, around_p99(record)


def test_the_server_says_what_its_commands_cost(embedded: EmbeddedServer) -> None:
    record = run(embedded.url, {**BASE, "duration": 1})
    commands = record.resources.server_commands
    assert commands is not None
    by_name = {each.command: each for each in commands.commands}
    # The runqy layout enqueues with HSET and LPUSH, starts with both, and completes with HSET.
    assert by_name["hset"].calls_per_task == pytest.approx(3, abs=0.2)
    assert by_name["lpush"].calls_per_task == pytest.approx(2, abs=0.2)
    assert by_name["hgetall"].calls_per_task == pytest.approx(1, abs=0.2)
    assert commands.us_per_task is not None
    assert 0 < commands.us_per_task < (record.resources.server_cpu_us_per_task or 0)
    assert (commands.latencies, commands.unknown, commands.slow_unknown) == ("of the run", "", "")
    assert all(
        (each.p50_at_most_us or 0) <= (each.p99_at_most_us or 0) <= (each.max_at_most_us or 0)
        for each in commands.commands
    )
    assert not {"info", "llen", "config", "latency", "slowlog", "exec"} & by_name.keys()

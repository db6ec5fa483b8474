"""Known faults, and whether the record shows exactly these."""

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec
import psutil
import pytest
import redis

from bench.clock import Offset, RunClock
from bench.ipc import remote
from bench.measure.ledger import Counts, imbalance
from bench.measure.reports import WorkerReport
from bench.records.run_record import RunRecord
from bench.redisio import clock_sync
from bench.redisio.embedded import EmbeddedServer
from bench.worker import standalone
from tests.integration.conftest import QUEUE, run, worker_thread
from tests.integration.proxy import proxy
from tests.waiting import await_that

pytestmark = pytest.mark.slow

PENDING = f"asynq:{QUEUE}:pending"


def connect(embedded: EmbeddedServer) -> Any:
    """A client; redis-py's types allow for decoded replies, which these are not."""
    return redis.Redis.from_url(embedded.url)


def in_background(action: Callable[[], None]) -> threading.Thread:
    """Do something while a run goes on."""
    thread = threading.Thread(target=action)
    thread.start()
    return thread


def require_balance(record: RunRecord) -> None:
    """The ledger of every queue, and of all together, adds up."""
    for counts in (record.counts, *record.queues.values()):
        assert imbalance(counts) is None


def codes(record: RunRecord) -> set[str]:
    return {warning.code for warning in record.warnings}


def test_a_healthy_run_finishes_every_task_once(embedded: EmbeddedServer) -> None:
    record = run(
        embedded.url,
        {
            "queues": {"inference_high": 1, QUEUE: 2, "inference_low": 1},
            "rate": 1500,
            "duration": 2,
            "prefetch": 16,
            "producers": 2,
            "workers": 2,
        },
    )
    require_balance(record)
    assert record.counts == Counts(due=3000, enqueued=3000, completed=3000)
    for stage, queues in record.latency.items():
        # A batch of a producer is answered in one go, but every task has its own latency.
        assert queues["all"].count == 3000, stage
        assert sum(queues[queue].count for queue in record.queues) == 3000


@pytest.mark.parametrize("prefetch", [1, 32])
def test_a_stall_of_the_server_shows_in_e2e_from_the_due_times(
    embedded: EmbeddedServer, prefetch: int
) -> None:
    """Tasks that were due while the server stood still count from then, however they were sent.

    The comparison producer waits for each reply, so it sends a single task into the stall: the
    uncorrected latency hides what the corrected one shows.
    """
    client = connect(embedded)

    def stall() -> None:
        await_that(lambda: int(client.llen(PENDING)) + client.dbsize() > 100, "100 tasks")
        os.kill(embedded.pid, signal.SIGSTOP)
        time.sleep(0.5)
        os.kill(embedded.pid, signal.SIGCONT)

    stalling = in_background(stall)
    record = run(
        embedded.url,
        {"rate": 200, "duration": 1.5, "producer": "snippet", "prefetch": prefetch},
    )
    stalling.join()
    require_balance(record)
    assert record.counts.completed == 300
    corrected, uncorrected = record.latency["e2e"]["all"], record.latency["e2e_from_send"]["all"]
    # 100 of 300 tasks were due in the stall: a sixth of all waited longer than half of it.
    assert corrected.p90_s is not None
    assert corrected.p90_s > 0.25
    assert corrected.max_s is not None
    assert corrected.max_s >= 0.45
    assert uncorrected.p90_s is not None
    assert uncorrected.p90_s < corrected.p90_s / 2


def test_a_stall_makes_the_frame_producer_late_and_nothing_is_skipped_or_sent_twice(
    embedded: EmbeddedServer,
) -> None:
    client = connect(embedded)

    def stall() -> None:
        await_that(lambda: client.dbsize() > 300, "300 tasks")
        os.kill(embedded.pid, signal.SIGSTOP)
        time.sleep(0.5)
        os.kill(embedded.pid, signal.SIGCONT)

    stalling = in_background(stall)
    record = run(embedded.url, {"rate": 1000, "duration": 1.5, "prefetch": 64})
    stalling.join()
    require_balance(record)
    assert record.counts == Counts(due=1500, enqueued=1500, completed=1500)
    end_to_end = record.latency["e2e"]["all"]
    assert end_to_end.p99_s is not None
    assert end_to_end.p99_s > 0.45


def test_a_known_delay_of_replies_shows_in_enqueue_and_nowhere_else(
    embedded: EmbeddedServer,
) -> None:
    with proxy(embedded.port, reply_delay_s=0.05) as slow, worker_thread(embedded.url, {}):
        record = run(
            slow.url,
            {"rate": 200, "duration": 1, "workers": 0, "external_workers": True},
            owns_server=False,
        )
    require_balance(record)
    assert record.counts.completed == 200
    enqueue, end_to_end = record.latency["enqueue"]["all"], record.latency["e2e"]["all"]
    assert enqueue.min_s is not None
    assert enqueue.min_s >= 0.0499
    assert end_to_end.p50_s is not None
    assert end_to_end.p50_s < enqueue.min_s


def test_tasks_that_never_reached_the_server_are_unknown_to_the_task(
    embedded: EmbeddedServer,
) -> None:
    """The connection is cut with tasks on it: they are counted, and never sent again."""
    client = connect(embedded)
    with proxy(embedded.port, cut_after_bytes=100_000, swallow_bytes=20_000) as bad:
        record = run(bad.url, {"rate": 2000, "duration": 1, "workers": 0})
    arrived = int(client.llen(PENDING))
    require_balance(record)
    assert bad.swallowed >= 20_000
    assert record.counts.due == 2000
    assert record.counts.unknown == 2000 - arrived > 0
    assert record.counts.enqueued == record.counts.pending == arrived
    assert record.verdict == "lossy"
    assert {"unknown", "reconnected"} <= codes(record)


def test_lost_and_doubled_tasks_are_counted_to_the_task(embedded: EmbeddedServer) -> None:
    """Seven ids are taken off the list, three tasks deleted under their ids, five ids doubled."""
    client = connect(embedded)
    finished = threading.Event()

    def sabotage() -> None:
        await_that(lambda: int(client.llen(PENDING)) == 1000, "all 1000 tasks are pending")
        client.rpop(PENDING, 7)
        oldest = client.lrange(PENDING, -8, -1)
        client.delete(*(b"asynq:t:" + task_id for task_id in oldest[:3]))
        client.lpush(PENDING, *oldest[3:])
        with worker_thread(embedded.url, {"prefetch": 50}):
            finished.wait(30)

    saboteur = in_background(sabotage)
    try:
        record = run(
            embedded.url,
            {"rate": "max", "tasks": 1000, "workers": 0, "external_workers": True},
        )
    finally:
        finished.set()
        saboteur.join()
    require_balance(record)
    assert record.counts == Counts(due=1000, enqueued=1000, completed=990, lost=10, duplicated=5)
    assert record.verdict == "lossy"
    assert {"lost", "duplicated"} <= codes(record)


def test_what_redis_holds_decides_where_a_report_cannot_be_read(
    embedded: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker elsewhere serves every task, and something damages its reports."""
    real = remote.publish

    def damaged(client: Any, number: int, report: WorkerReport) -> None:
        report.completed_sets = dict.fromkeys(report.completed_sets, b"garbage")
        real(client, number, report)

    monkeypatch.setattr(remote, "publish", damaged)
    with worker_thread(embedded.url, {}):
        record = run(
            embedded.url, {"rate": 200, "tasks": 100, "workers": 0, "external_workers": True}
        )
    require_balance(record)
    assert (record.counts.completed, record.counts.lost) == (100, 0)
    assert record.verdict == "incomplete"
    assert any("was left out, because not a set" in each.message for each in record.warnings)


def test_a_report_that_somebody_else_has_written_is_left_out_and_told(
    embedded: EmbeddedServer,
) -> None:
    client = connect(embedded)

    def write() -> None:
        await_that(lambda: bool(client.keys("bench:*:info")), "the run has begun")
        (info,) = client.keys("bench:*:info")
        prefix = info.decode().removesuffix("info")
        forged = WorkerReport(name="forged", completed=3, finished_by_bin=[2**62] * 3)
        client.set(f"{prefix}worker:forged", msgspec.msgpack.encode(forged))
        client.sadd(f"{prefix}workers", "forged")

    writer = in_background(write)
    with worker_thread(embedded.url, {}):
        record = run(
            embedded.url, {"rate": 200, "tasks": 100, "workers": 0, "external_workers": True}
        )
    writer.join()
    require_balance(record)
    assert record.counts.completed == 100
    assert record.rates.completed_per_s is not None
    assert record.rates.completed_per_s < 1000
    assert record.verdict == "incomplete"
    assert any("worker forged was left out" in each.message for each in record.warnings)


def test_negative_latencies_are_counted_and_kept(
    embedded: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker on another host, its clock an hour behind: all latencies are negative, and kept."""
    real = clock_sync.measure_offset
    hour_us = 3_600_000_000

    def an_hour_behind(client: Any, *samples: int) -> Offset:
        offset = real(client, *samples)
        is_run = threading.current_thread() is threading.main_thread()
        return offset if is_run else Offset(offset.offset_us - hour_us, offset.error_us)

    client = connect(embedded)
    monkeypatch.setattr(clock_sync, "measure_offset", an_hour_behind)
    monkeypatch.setattr(standalone, "host_identity", lambda: "another host")
    with worker_thread(embedded.url, {}):
        await_that(lambda: bool(client.keys("asynq:workers:*")), "the worker is up")
        record = run(
            embedded.url,
            {"rate": 100, "duration": 1, "workers": 0, "external_workers": True},
        )
    require_balance(record)
    end_to_end = record.latency["e2e"]["all"]
    assert (end_to_end.count, end_to_end.negative) == (100, 100)
    assert end_to_end.p50_s is not None
    assert end_to_end.p50_s < -3000
    assert "clocks_disagree" in codes(record)
    assert record.verdict == "incomplete"
    assert record.clock.domain == "server"
    assert record.clock.error_bound_s > 0


@pytest.mark.parametrize("ahead_s", [100, -100])
def test_a_clock_that_is_wrongly_taken_for_the_run_s_makes_no_valid_run(
    embedded: EmbeddedServer, monkeypatch: pytest.MonkeyPatch, ahead_s: int
) -> None:
    """A worker on a copy of the run's machine: the same identity, and another monotonic clock."""
    real = clock_sync.measure_offset

    def elsewhere(client: Any, *samples: int) -> Offset:
        offset = real(client, *samples)
        is_run = threading.current_thread() is threading.main_thread()
        return offset if is_run else Offset(offset.offset_us - ahead_s * 10**6, offset.error_us)

    class OtherClock(RunClock):
        def now_us(self) -> int:
            return super().now_us() + ahead_s * 10**6

    client = connect(embedded)
    monkeypatch.setattr(clock_sync, "measure_offset", elsewhere)
    monkeypatch.setattr(standalone, "RunClock", OtherClock)
    with worker_thread(embedded.url, {}):
        await_that(lambda: bool(client.keys("asynq:workers:*")), "the worker is up")
        record = run(
            embedded.url,
            {"rate": 100, "duration": 1, "workers": 0, "external_workers": True},
        )
    end_to_end = record.latency["e2e"]["all"]
    assert end_to_end.p50_s == pytest.approx(ahead_s, rel=0.05)
    assert "clocks_disagree" in codes(record)
    assert record.verdict == "incomplete"
    assert record.clock.error_bound_s == pytest.approx(100, rel=0.05)


def test_tasks_that_the_server_refuses_are_counted_and_the_reason_is_told(
    embedded: EmbeddedServer,
) -> None:
    """A server that is out of memory refuses to store tasks, and answers everything else."""
    client = connect(embedded)

    def fill() -> None:
        await_that(lambda: int(client.llen(PENDING)) >= 100, "100 tasks")
        client.config_set("maxmemory", "1")

    filler = in_background(fill)
    record = run(embedded.url, {"rate": 1000, "duration": 1, "workers": 0})
    filler.join()
    require_balance(record)
    counts = record.counts
    assert counts.enqueued == counts.pending == int(client.llen(PENDING)) >= 100
    assert counts.refused == counts.not_sent == 1000 - counts.enqueued > 0
    assert record.verdict == "lossy"
    assert "OOM" in " ".join(warning.message for warning in record.warnings)


def test_failing_tasks_are_retried_then_archived(embedded: EmbeddedServer) -> None:
    client = connect(embedded)
    record = run(
        embedded.url,
        {
            "rate": 400,
            "duration": 1,
            "failure_rate": 0.5,
            "retry_delay": 0.05,
            "max_retry": 2,
            "prefetch": 8,
        },
    )
    require_balance(record)
    counts = record.counts
    assert counts.completed + counts.failed == counts.enqueued == 400
    states: dict[bytes, int] = {}
    retries = 0
    for key in client.scan_iter("asynq:t:*"):
        state, retry = client.hmget(key, "state", "retry")
        states[state] = states.get(state, 0) + 1
        retries += int(retry)
    assert states == {b"completed": counts.completed, b"archived": counts.failed}
    assert retries == counts.retried > 0
    # With half of all attempts failing, one task in eight fails three times in a row.
    assert counts.failed == pytest.approx(50, abs=30)
    assert record.latency["e2e"]["all"].count == 400
    assert record.latency["service"]["all"].count == 400 + counts.retried


def test_a_drain_that_times_out_leaves_the_rest_counted_and_the_run_incomplete(
    embedded: EmbeddedServer,
) -> None:
    client = connect(embedded)
    record = run(
        embedded.url,
        {"rate": 500, "duration": 0.5, "service_time": "20ms", "drain_timeout": "0.3s"},
    )
    require_balance(record)
    counts = record.counts
    assert counts.pending == int(client.llen(PENDING)) > 0
    assert counts.active == int(client.llen(f"asynq:{QUEUE}:active")) == 0
    assert record.verdict == "incomplete"
    assert "drain_timed_out" in codes(record)


def test_a_worker_that_is_killed_makes_the_run_incomplete_and_is_named(
    embedded: EmbeddedServer,
) -> None:
    client = connect(embedded)

    def kill() -> None:
        await_that(lambda: client.dbsize() > 50, "some tasks")
        for child in psutil.Process().children(recursive=True):
            if child.name() == "bench.worker":
                child.kill()

    killer = in_background(kill)
    record = run(embedded.url, {"rate": 200, "duration": 1})
    killer.join()
    require_balance(record)
    assert record.verdict == "incomplete"
    assert "ended by SIGKILL" in " ".join(warning.message for warning in record.warnings)


def test_a_run_that_is_interrupted_keeps_what_it_measured(embedded: EmbeddedServer) -> None:
    client = connect(embedded)
    record = run(
        embedded.url,
        {"rate": 300, "duration": 60, "workers": 1},
        should_stop=lambda: sum(1 for _ in client.scan_iter("asynq:t:*", 1000)) > 300,
    )
    require_balance(record)
    assert record.verdict == "incomplete"
    assert 300 < record.counts.due < 300 * 60
    assert record.counts.completed > 0
    assert record.duration_s < 30


def test_a_server_that_goes_away_leaves_a_record_of_what_was_measured(
    embedded: EmbeddedServer,
) -> None:
    """Even where the run asks that server for the reports of workers elsewhere."""
    client = connect(embedded)

    def kill() -> None:
        await_that(lambda: client.dbsize() > 100, "100 tasks")
        os.kill(embedded.pid, signal.SIGKILL)

    killer = in_background(kill)
    fields = {"rate": 200, "duration": 1, "workers": 0, "external_workers": True}
    record = run(embedded.url, {**fields, "drain_timeout": "0.5s"}, owns_server=False)
    killer.join()
    require_balance(record)
    assert record.verdict == "incomplete"
    assert record.counts.due == 200
    assert record.counts.enqueued >= 50
    assert "incomplete" in codes(record)

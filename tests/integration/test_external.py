"""Workers that tell us nothing: what is seen of them from outside, against what they know."""

import json
import shlex
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import redis

from bench.errors import MeasurementError, UsageError
from bench.records.run_record import RunRecord
from bench.redisio.embedded import EmbeddedServer
from bench.run.request import RunRequest
from bench.run.run import execute
from bench.workload.resolve import resolve
from tests.integration.conftest import QUEUE, run
from tests.peers.build import asynq_peer
from tests.talk import as_user

pytestmark = pytest.mark.slow

WORKER = Path(__file__).parents[1] / "peers" / "plain_worker.py"


def plain_worker(summary: Path, *words: str) -> str:
    return shlex.join([sys.executable, str(WORKER), str(summary), QUEUE, *words])


def p50_us(record: RunRecord, stage: str) -> float:
    found = record.latency[stage]["all"].p50_s
    assert found is not None
    return found * 1e6


def require_finished(record: RunRecord) -> None:
    """Nothing is missing. (Whether a busy machine let the run be quoted is not asked here.)"""
    assert record.verdict not in ("incomplete", "lossy"), record.warnings


def require_rate(record: RunRecord, per_s: float) -> None:
    """Finished within 1% of what the worker did, but for what was under way at the window's end."""
    slowest_s = record.latency["e2e"]["all"].max_s
    assert slowest_s is not None
    assert record.rates.completed_per_s is not None
    off = abs(record.rates.completed_per_s - per_s) * record.window_s
    assert off <= 0.01 * per_s * record.window_s + per_s * slowest_s


def require_agreement(record: RunRecord, counted: int, own_p50_us: float) -> None:
    """The worker's own figures: its count exactly, its median within the interval that is told.

    Every task ended within its own interval, so the median lies between the medians of their ends;
    the worker's stamp is some way off that end itself, by a round trip and a wake-up, for which
    stand those of an enqueue.
    """
    require_finished(record)
    assert record.counts.completed == record.counts.enqueued == counted
    seen = record.observation
    assert seen is not None
    assert seen.resolution_p50_s is not None
    slack_us = seen.resolution_p50_s * 1e6 + p50_us(record, "enqueue")
    earliest_us, latest_us = p50_us(record, "e2e_earliest"), p50_us(record, "e2e")
    assert earliest_us - slack_us <= own_p50_us <= latest_us + slack_us
    assert earliest_us <= latest_us


@pytest.mark.parametrize(("watch", "seen_by"), [("polling", "state"), ("events", "result")])
def test_a_worker_of_the_runqy_layout_is_seen_to_do_what_it_does(
    embedded: EmbeddedServer, tmp_path: Path, watch: str, seen_by: str
) -> None:
    summary = tmp_path / "summary.json"
    record = run(
        embedded.url,
        {
            "rate": 200,
            "duration": 2,
            "worker_command": plain_worker(summary, *(["--store"] if seen_by == "result" else [])),
            "watch": watch,
            "seen_by": seen_by,
        },
    )
    own = json.loads(summary.read_text())
    require_agreement(record, own["done"], own["e2e_p50_us"])
    assert record.observation is not None
    assert record.observation.traced_share == 1
    assert record.observation.unseen == 0
    require_rate(record, 200)


@pytest.mark.parametrize("watch", ["polling", "events"])
def test_a_real_asynq_server_is_seen_to_do_what_it_does(
    embedded: EmbeddedServer, tmp_path: Path, watch: str
) -> None:
    """It deletes what it has done: the task's going away is what is seen."""
    summary = tmp_path / "summary.json"
    words = [
        *("env", "BENCH_REDIS_ADDR={host}:{port}", "sh", "-c"),
        f"exec {asynq_peer()} serve -queues inference.default=1 > {summary}",
    ]
    record = run(
        embedded.url,
        {
            "layout": "asynq",
            "queues": {"inference.default": 1},
            "rate": 500,
            "duration": 2,
            "worker_command": shlex.join(words),
            "watch": watch,
        },
    )
    own = json.loads(summary.read_text())
    require_agreement(record, own["processed"], own["e2e_p50_us"])
    require_rate(record, 500)


def test_a_backlog_worked_off_by_a_worker_elsewhere_is_followed_by_a_sample(
    embedded: EmbeddedServer, tmp_path: Path
) -> None:
    """In a closed loop only the tasks say when they were due; the ledger still rests on all."""
    summary = tmp_path / "summary.json"
    record = run(
        embedded.url,
        {
            "rate": "max",
            "tasks": 2000,
            "worker_command": plain_worker(summary),
            "worker_start": "after-fill",
            "traced": 0.1,
        },
    )
    own = json.loads(summary.read_text())
    assert own["done"] == record.counts.completed == 2000
    seen = record.observation
    assert seen is not None
    assert seen.traced == record.latency["e2e"]["all"].count + seen.unseen
    assert 100 < seen.traced < 300
    assert seen.unseen == 0
    assert abs(p50_us(record, "e2e") - own["e2e_p50_us"]) < 0.2 * own["e2e_p50_us"]


def test_strict_queues_of_a_worker_elsewhere_are_shown_as_they_are_served(
    embedded: EmbeddedServer, tmp_path: Path
) -> None:
    """BRPOP takes the first list that is not empty: the first queue is never behind the last."""
    summary = tmp_path / "summary.json"
    high, low = "inference_high", "inference_low"
    words = [sys.executable, str(WORKER), str(summary), high, low, high]
    record = run(
        embedded.url,
        {
            "queues": {high: 1, low: 1},
            "rate": "max",
            "tasks": 1000,
            "worker_command": shlex.join(words),
            "worker_start": "after-fill",
            "traced": 1,
        },
    )
    order = json.loads(summary.read_text())["order"]
    assert order.index(low) == order.count(high)
    e2e = record.latency["e2e"]
    first_low_s, last_high_s = e2e[low].min_s, e2e[high].max_s
    assert first_low_s is not None
    assert last_high_s is not None
    assert record.observation is not None
    assert record.observation.resolution_max_s is not None
    assert first_low_s > last_high_s - record.observation.resolution_max_s - 0.5


def test_a_worker_command_that_dies_at_once_is_told_with_its_last_lines(
    embedded: EmbeddedServer,
) -> None:
    command = shlex.join(["sh", "-c", "echo one; echo cannot connect >&2; exit 3"])
    with pytest.raises(MeasurementError, match=r"exit code 3: one \| cannot connect"):
        run(embedded.url, {"rate": 100, "duration": 5, "worker_command": command})


def test_a_worker_that_dies_later_ends_the_run_which_keeps_what_it_measured(
    embedded: EmbeddedServer, tmp_path: Path
) -> None:
    is_time = tmp_path / "is-time"
    dies = f"until test -e {is_time}; do sleep 0.05; done; echo out of memory; kill -9 $$"
    fields = {"rate": 100, "duration": 60, "worker_command": shlex.join(["sh", "-c", dies])}
    client: Any = redis.Redis(port=embedded.port, protocol=2)

    def once_tasks_are_there() -> bool:
        if client.llen(f"asynq:{QUEUE}:pending") > 20:
            is_time.touch()
        return False

    record = run(embedded.url, fields, should_stop=once_tasks_are_there)
    assert record.verdict == "incomplete"
    assert "by SIGKILL: out of memory" in record.warnings[0].message
    assert 0 < record.counts.enqueued == record.counts.pending


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"worker_command": "/no/such/program"}, "cannot be started"),
        ({"worker": "external", "watch": "events"}, "notify-keyspace-events"),
    ],
)
def test_what_cannot_be_watched_is_refused_before_anything_is_sent(
    embedded: EmbeddedServer, fields: dict[str, object], message: str
) -> None:
    with redis.Redis(port=embedded.port) as client:
        with pytest.raises(UsageError, match=message):
            run(embedded.url, {"rate": 10, "duration": 1, **fields}, owns_server=False)
        assert client.dbsize() == 0


def test_a_password_in_a_worker_command_is_refused_without_being_told() -> None:
    """It would stand in records, jobs and process lists."""
    with pytest.raises(UsageError, match="BENCH_REDIS_URL") as refused:
        resolve({"queues": {QUEUE: 1}, "rate": 1, "tasks": 1, "worker_command": "w redis://:s3@h"})
    assert "s3" not in str(refused.value)


def test_tasks_that_the_server_refused_are_not_taken_for_finished(
    embedded: EmbeddedServer, tmp_path: Path
) -> None:
    """A hash that was never written is as gone as one that a worker deleted."""
    with redis.Redis.from_url(embedded.url) as client:
        client.execute_command("ACL", "SETUSER", "half", "on", ">pass", "~*", "&*", "+@all")
        url = as_user(embedded.url, "half", "pass")
        done = threading.Event()

        def forbid() -> None:
            while not client.dbsize() and not done.wait(0.01):
                pass
            done.wait(0.5)
            client.execute_command("ACL", "SETUSER", "half", "-hset", "-lpush")
            done.wait(0.5)
            client.execute_command("ACL", "SETUSER", "half", "+hset", "+lpush")

        thread = threading.Thread(target=forbid)
        thread.start()
        words = plain_worker(tmp_path / "summary.json", "--delete")
        command = f"env BENCH_REDIS_URL={embedded.open_url} {words}"
        record = run(url, {"rate": 200, "duration": 2, "worker_command": command})
        done.set()
        thread.join()
    own = json.loads((tmp_path / "summary.json").read_text())
    assert record.counts.refused > 20
    # This worker deletes what is done and counts nothing: that it succeeded is not known.
    assert record.counts.outcome_unknown == record.counts.enqueued == own["done"]
    assert record.counts.due == record.counts.enqueued + record.counts.refused
    assert record.latency["e2e"]["all"].count == own["done"]


def test_a_task_that_waits_on_no_list_for_its_next_attempt_is_waited_for(
    embedded: EmbeddedServer,
) -> None:
    """Our own worker, told to report nothing: its failed tasks wait in its memory."""
    command = (
        f"{sys.executable} -m bench worker inference --queues {{queues}} --failure-rate 30% "
        "--retry-delay 500ms"
    )
    record = run(embedded.url, {"rate": 100, "duration": 1, "worker_command": command})
    require_finished(record)
    assert record.counts.completed + record.counts.failed == record.counts.enqueued == 100
    assert record.latency["e2e"]["all"].count == 100
    assert (record.latency["e2e"]["all"].max_s or 0) > 0.5


def test_tasks_that_still_wait_for_an_attempt_when_time_is_over_are_pending_and_not_lost(
    embedded: EmbeddedServer,
) -> None:
    command = (
        f"{sys.executable} -m bench worker inference --queues {{queues}} --failure-rate 100% "
        "--retry-delay 60s"
    )
    record = run(
        embedded.url,
        {"rate": 50, "duration": 1, "worker_command": command, "drain_timeout": "0.5s"},
    )
    assert record.verdict == "incomplete"
    assert record.counts.lost == 0
    assert record.counts.pending == record.counts.enqueued


def test_tasks_that_failed_for_good_are_failed_also_where_results_are_looked_for(
    embedded: EmbeddedServer,
) -> None:
    command = (
        f"{sys.executable} -m bench worker inference --queues {{queues}} --failure-rate 20% "
        "--store-results"
    )
    record = run(
        embedded.url,
        {
            "rate": 200,
            "duration": 1,
            "max_retry": 0,
            "worker_command": command,
            "seen_by": "result",
        },
    )
    assert record.counts.lost == 0
    assert record.counts.failed > 10
    assert record.counts.completed + record.counts.failed == record.counts.enqueued == 200


def test_a_server_that_was_flushed_has_finished_nothing(
    embedded: EmbeddedServer, tmp_path: Path
) -> None:
    with redis.Redis(port=embedded.port) as client:

        def flush() -> None:
            while client.dbsize() < 100:
                pass
            client.flushall()  # the test's own server

        thread = threading.Thread(target=flush)
        thread.start()
        words = plain_worker(tmp_path / "summary.json", "--seconds", "0.02")
        fields = {"rate": 200, "duration": 1, "worker_command": words, "drain_timeout": "0.5s"}
        record = run(embedded.url, fields)
        thread.join()
    assert record.verdict == "incomplete"
    assert "as by a flush" in record.warnings[0].message


def test_a_worker_that_shows_its_work_otherwise_is_told_apart_from_one_that_does_none(
    embedded: EmbeddedServer, tmp_path: Path
) -> None:
    words = plain_worker(tmp_path / "summary.json")
    # Few tasks: no completion is seen, so the drain lasts its whole time, and no longer.
    fields = {"rate": 200, "tasks": 20, "worker_command": words, "drain_timeout": "2s"}
    record = run(embedded.url, {**fields, "seen_by": "result"})
    # The state is what it writes, and at the end that counts as well.
    assert record.counts.completed == 20
    assert record.latency["e2e"]["all"].count == 0
    assert "use --seen-by state" in " ".join(each.message for each in record.warnings)


def test_with_tasks_of_others_in_the_queues_nothing_can_be_told(embedded: EmbeddedServer) -> None:
    scenario = resolve({"queues": {QUEUE: 1}, "rate": 1, "tasks": 1, "worker": "external"})
    request = RunRequest(embedded.url, scenario, "a test", allow_shared=True)
    with pytest.raises(UsageError, match="--allow-shared"):
        execute(request, lambda _: None, lambda: False)


def test_what_has_no_effect_on_an_external_worker_is_refused() -> None:
    base = {"queues": {QUEUE: 1}, "rate": 1, "tasks": 1, "worker": "external"}
    for fields, message in (
        ({"slo": "queue_wait.p99 < 5ms"}, "only the end of an external worker"),
        ({"worker_start": "after-fill"}, "cannot be made to wait"),
        ({"workers": 0, "worker_command": "w"}, "worker_command never runs"),
        ({"external_workers": True}, "external_workers"),
    ):
        with pytest.raises(UsageError, match=message):
            resolve({**base, **fields})

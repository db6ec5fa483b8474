"""Looking at queues that are long, or in use: bounded work, and no false alarm."""

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import redis

from bench import enqueue_task
from bench.errors import NothingToVerify
from bench.layouts.inspected import InspectedKey, InspectedTask
from bench.redisio import embedded as embedded_server
from bench.redisio.embedded import EmbeddedServer
from bench.run.request import RunRequest
from bench.run.run import execute
from bench.verify import discovery
from bench.verify.inspector import Inspector
from bench.verify.verification import Verification
from bench.workload.resolve import resolve
from tests.peers.build import asynq_peer
from tests.seconds import in_seconds
from tests.verify.verify_server import look

pytestmark = pytest.mark.slow

LONG = 100_000
PLAIN_WORKER = Path(__file__).parents[1] / "peers" / "plain_worker.py"


@pytest.fixture(scope="module")
def running() -> Iterator[EmbeddedServer]:
    with embedded_server.running() as started:
        yield started


@pytest.fixture
def embedded(running: EmbeddedServer) -> EmbeddedServer:
    """An empty server: it is this module's own."""
    with redis.Redis.from_url(running.url) as client:
        client.flushall()
    return running


def calls(client: redis.Redis) -> dict[str, int]:
    found = client.info("commandstats")
    return {name.removeprefix("cmdstat_"): int(each["calls"]) for name, each in found.items()}


@pytest.mark.parametrize("is_whole", [True, False])
def test_a_long_list_is_sampled_and_not_read_whole(
    embedded: EmbeddedServer, is_whole: bool
) -> None:
    with redis.Redis.from_url(embedded.url, protocol=2) as client:
        client.eval(
            f"""
            for number = 1, {LONG} do
              local id = string.format('{"0" * 30}%06d', number)
              redis.call('HSET', 'asynq:t:' .. id, 'type', 'task', 'payload', '{{}}', 'retry', '0',
                'max_retry', '3', 'queue', 'a_b')
              redis.call('LPUSH', 'asynq:a_b:pending', id)
            end""",
            0,
        )
        client.hset("asynq:workers:w", "queue", "a")
        if not is_whole:  # each of 1,000 ids is suspect, and is looked for again around its place
            client.eval(
                f"""for number = 1, {LONG} do
                  redis.call('HSET', string.format('asynq:t:{"0" * 30}%06d', number), 'state', 'x')
                end""",
                0,
            )
        client.config_resetstat()
        answer = look(embedded.open_url, "runqy")
        counted, info = calls(client), client.info("stats")
    assert answer.ids == LONG
    assert answer.looked_at == 1000
    assert answer.wrong == (0 if is_whole else 1000)
    assert counted["hmget"] == 1000 * (1 if is_whole else 4)
    assert counted["lrange"] <= 20 * (1 if is_whole else 7)
    assert set(counted) <= {
        *("ping", "scan", "type", "hget", "hmget", "hstrlen", "llen", "lrange", "info"),
        *("zrange", "scard"),  # registered workers and queues
        *("client|setinfo", "config|resetstat"),
    }
    whole = LONG * 36
    assert info["total_net_output_bytes"] < (0.1 if is_whole else 2) * whole


def test_large_tasks_are_read_few_at_a_time(
    embedded: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    def noted(
        self: Inspector, chunk: Sequence[tuple[InspectedKey, bytes]]
    ) -> Iterator[InspectedTask]:
        sizes.append(len(chunk))
        return read(self, chunk)

    read = Inspector._chunk
    monkeypatch.setattr(Inspector, "_chunk", noted)
    with redis.Redis.from_url(embedded.url, protocol=2) as client:
        for number in range(10):
            text = "x" * (1_500_000 if number % 5 else 5_000_000)
            enqueue_task("a_b", {"input": text}, url=embedded.url)
        client.hset("asynq:workers:w", "queue", "a")
    assert look(embedded.url, "runqy").findings == []
    assert sizes == [1, 2, 2, 1, 2, 2]


def test_a_search_that_ends_early_says_so_and_accuses_nobody(
    embedded: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(300):
        enqueue_task(f"a{number}_b", {"input": 1}, url=embedded.url)
    monkeypatch.setattr(discovery, "MOST_QUEUES", 20)
    answer = look(embedded.url, "runqy")
    assert len(answer.places) == 40
    (note,) = answer.notes
    assert "not all queues were inspected" in note
    assert [finding.code for finding in answer.findings] == ["no-worker"]
    monkeypatch.setattr(discovery, "_MOST_SCANS", 1)
    monkeypatch.setattr(discovery, "_SCAN_COUNT", 200)
    answer = look(embedded.url, "runqy")
    assert answer.findings == []
    assert len(answer.notes) == 1


@pytest.mark.parametrize("layout", ["runqy", "asynq"])
def test_what_a_run_leaves_with_keep_follows(embedded: EmbeddedServer, layout: str) -> None:
    run(embedded, layout, {"rate": "max", "tasks": 200, "workers": 0})
    answer = look(embedded.url, layout)
    assert [finding.code for finding in answer.findings] == ["no-worker"]
    assert (answer.looked_at, answer.follows) == (200, True)


@pytest.mark.parametrize("layout", ["runqy", "asynq"])
def test_while_workers_are_at_work_nothing_is_wrong(embedded: EmbeddedServer, layout: str) -> None:
    """With retries, with stored results, and with more in hand than one task."""
    fields: dict[str, object] = {
        "rate": 600,
        "duration": "1.5s",
        "service_time": "3ms",
        "concurrency": 4,
        "prefetch": 4,
        "failure_rate": 0.2,
        "retry_delay": "10ms",
        "store_results": True,
    }
    running = threading.Thread(target=run, args=(embedded, layout, fields))
    running.start()
    passes, looked_at, active = 0, 0, 0
    while running.is_alive():
        try:
            answer = look(embedded.url, layout)
        except NothingToVerify:
            time.sleep(0.01)
            continue
        assert [each for each in answer.findings if each.code != "no-worker"] == []
        passes += 1
        looked_at += answer.looked_at
        active += sum(row.looked_at for row in answer.places if row.place == "active")
    running.join()
    assert passes > 3
    assert active > 3
    assert looked_at > 100


def variables(embedded: EmbeddedServer) -> dict[str, str]:
    """Where the peers find the server."""
    address = f"127.0.0.1:{embedded.port}"
    return {**os.environ, "BENCH_REDIS_URL": embedded.url, "BENCH_REDIS_ADDR": address}


@pytest.mark.parametrize("layout", ["runqy", "asynq"])
def test_while_somebody_elses_worker_is_at_work_nothing_is_wrong(
    embedded: EmbeddedServer, tmp_path: Path, layout: str
) -> None:
    """The documented worker, command by command, and asynq's own server."""
    words = [sys.executable, str(PLAIN_WORKER), str(tmp_path / "summary"), "inference_default"]
    if layout == "asynq":
        words = [str(asynq_peer()), "serve", "-queues", "inference.default=1", "-tasks", "20000"]
    run(embedded, layout, {"rate": "max", "tasks": 20_000, "workers": 0})
    with subprocess.Popen(words, env=variables(embedded), stdout=subprocess.DEVNULL) as worker:
        try:
            answers: list[Verification] = []
            deadline_s = time.monotonic() + 30
            with contextlib.suppress(NothingToVerify):  # it has been quicker than ten looks
                while len(answers) < 10 or (  # it starts slowly
                    answers[-1].ids == 20_000 and time.monotonic() < deadline_s
                ):
                    answers.append(look(embedded.url, layout, sample=300))
        finally:
            worker.terminate()
    assert answers
    assert {each.code for answer in answers for each in answer.findings} <= {"no-worker"}
    assert answers[-1].ids < 20_000


def test_what_asynqs_own_client_enqueues_follows(embedded: EmbeddedServer) -> None:
    subprocess.run(
        [asynq_peer(), "enqueue", "-queue", "inference.default", "-tasks", "50"],
        env=variables(embedded),
        capture_output=True,
        check=True,
    )
    answer = look(embedded.url, "asynq")
    assert [finding.code for finding in answer.findings] == ["no-worker"]
    assert answer.looked_at == 50


def test_what_stays_wrong_is_found_while_others_enqueue_and_take(embedded: EmbeddedServer) -> None:
    stop = threading.Event()

    def enqueue() -> None:
        while not stop.is_set():
            enqueue_task("a_b", {"input": 1}, url=embedded.url)

    with redis.Redis.from_url(embedded.url, protocol=2) as client:
        client.rpush("asynq:a_b:pending", *(f"lost-{number}" for number in range(300)))
        client.hset("asynq:workers:w", "queue", "a")
        producer = threading.Thread(target=enqueue)
        producer.start()
        try:
            for _ in range(100):
                client.rpop("asynq:a_b:pending")
            answer = look(embedded.url, "runqy")
        finally:
            stop.set()
            producer.join()
    (finding,) = answer.findings
    assert (finding.code, finding.count) == ("missing-hash", 200)


def run(embedded: EmbeddedServer, layout: str, fields: dict[str, object]) -> None:
    queue = "inference_default" if layout == "runqy" else "inference.default"
    base = {"queues": {queue: 1}, "layout": layout, "warmup": 0, "drain_timeout": "5s"}
    scenario = resolve({**base, **in_seconds(fields)})
    request = RunRequest(embedded.url, scenario, "a test", owns_server=False, keep=True)
    execute(request, lambda _: None, lambda: False)

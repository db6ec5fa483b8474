"""``--metrics`` and ``--otlp`` on the command line: what is exported, refused, and recorded."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from bench.layouts.runqy.layout import RUNQY
from bench.records import run_record
from bench.redisio.embedded import EmbeddedServer
from bench.wire.task import Task
from tests.cli.conftest import SHORT_RUN, Bench, expected_code
from tests.metrics.conftest import Collector, collector, scraped

__all__ = ["collector"]
TIMEOUT_S = 60.0
QUEUE = "inference_default"
WORD = "sesame-open"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def scraper(url: str, wanted: str) -> Iterator[list[str]]:
    """Scrapes again and again until an answer holds a line; the answers so far."""
    answers: list[str] = []

    def scrape() -> None:
        deadline_s = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline_s and not (answers and wanted in answers[-1]):
            with contextlib.suppress(OSError):
                answers.append(scraped(url))
            time.sleep(0.05)

    thread = threading.Thread(target=scrape)
    thread.start()
    try:
        yield answers
    finally:
        thread.join()


@pytest.mark.slow
def test_a_run_serves_its_metrics_up_to_the_verdict_of_its_record(bench: Bench) -> None:
    address = f"127.0.0.1:{free_port()}"
    url, over = f"http://{address}/metrics", 'runqy_bench_verdict{verdict="pending"} 0.0'
    words = ("--metrics", address, "--metrics-linger", "30s", "--output", "record.json")
    with scraper(url, over) as answers:
        outcome = bench(*SHORT_RUN, *words)
    saved = run_record.load(Path("record.json"))
    assert outcome.code == expected_code(saved)
    assert f"bench: metrics: {url}\n" in outcome.err
    lines = answers[-1].splitlines()
    assert f'runqy_bench_verdict{{verdict="{saved.verdict}"}} 1.0' in lines
    assert f"runqy_bench_completed_tasks_total {float(saved.counts.completed)}" in lines
    assert saved.command.endswith(f"--metrics {address} --metrics-linger 30s --output record.json")


@pytest.mark.slow
def test_a_run_pushes_its_metrics_and_its_record_holds_no_more_than_the_collector_s_address(
    bench: Bench, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"authorization={WORD}")
    url = f"{collector.url}/v1/metrics?token={WORD}"
    outcome = bench(*SHORT_RUN, "--otlp", url, "--output", "record.json")
    saved = run_record.load(Path("record.json"))
    (pushed,) = collector.requests[-1].resource_metrics
    found = {each.name: each for each in pushed.scope_metrics[0].metrics}
    completed = found["runqy_bench_completed_tasks_total"].sum.data_points[0].as_double
    assert completed == saved.counts.completed
    assert WORD not in Path("record.json").read_text()
    assert WORD not in outcome.err + outcome.out
    assert collector.headers[-1]["authorization"] == WORD


def test_a_port_in_use_is_one_line_and_nothing_is_started(bench: Bench, folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for words in (("run", "smoke"), ("run", "smoke", "--distributed")):
            outcome = bench(*words, "--metrics", f":{port}")
            assert outcome.code == 2
            assert outcome.err.count("\n") == 1
            assert outcome.err.startswith(f"bench: --metrics: cannot listen at 127.0.0.1:{port}: ")
    assert not list(folder.glob("results/*.json"))


@pytest.mark.parametrize(
    "words",
    [
        ("run", "smoke", "--metrics", "nonsense:x"),
        ("run", "smoke", "--metrics-linger", "1s"),
        ("run", "smoke", "--distributed", "--otlp", "nonsense"),
        ("worker", "inference", "--redis-url", "redis://127.0.0.1:1", "--metrics", "x"),
        ("ab", "smoke", "--b", "--metrics nonsense"),
    ],
)
def test_what_cannot_be_exported_to_is_refused_in_one_line(bench: Bench, words: Any) -> None:
    outcome = bench(*words)
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert outcome.out == ""


@pytest.mark.slow
def test_a_standalone_worker_serves_metrics_of_all_tasks_and_ends_on_sigterm(
    embedded: EmbeddedServer,
) -> None:
    address = f"127.0.0.1:{free_port()}"
    url, wanted = f"http://{address}/metrics", "runqy_bench_completed_tasks_total 3.0"
    with (
        subprocess.Popen(
            [sys.executable, "-m", "bench", "worker", "inference", "--metrics", address],
            env={**os.environ, "BENCH_REDIS_URL": embedded.url},
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
        redis.Redis.from_url(embedded.url) as opened,
    ):
        client: Any = opened
        try:
            with scraper(url, wanted) as answers:
                for number in range(3):
                    for command in RUNQY.enqueue(Task(f"task-{number}", QUEUE, b"{}")):
                        client.execute_command(*command)
            process.send_signal(signal.SIGTERM)
            assert process.wait(TIMEOUT_S) == 0
            assert f"bench: metrics: {url}\n" in (process.stderr.read() if process.stderr else "")
        finally:
            process.kill()
    lines = answers[-1].splitlines()
    assert wanted in lines
    assert f'asynq_tasks_processed_total{{queue="{QUEUE}"}} 3.0' in lines
    service = f'runqy_bench_latency_seconds_count{{queue="{QUEUE}",stage="service"}} 3.0'
    assert service in lines

"""A real Prometheus scrapes a run, a Locust test and a standalone worker, and its alerts fire."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml

from bench.layouts.runqy.layout import RUNQY
from bench.records import run_record
from bench.redisio.embedded import EmbeddedServer
from bench.wire.task import Task
from tests.metrics.conftest import scraped
from tests.metrics.prometheus import (
    IS_INSTALLED,
    RULES,
    Prometheus,
    free_port,
    scraping,
)
from tests.sources import ROOT
from tests.waiting import await_that

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not IS_INSTALLED, reason="needs Prometheus"),
]

QUEUE = "inference_default"
LINGER = ("--metrics-linger", "20s")


@contextlib.contextmanager
def started(
    folder: Path, *words: str, variables: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A command as a process; it gets SIGTERM at the end, if it has not ended."""
    environment = {name: each for name, each in os.environ.items() if "REDIS" not in name}
    with subprocess.Popen(
        [sys.executable, "-m", *words],
        cwd=folder,
        env={**environment, **(variables or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)


def require_that_it_saw_the_run(found: Prometheus, path: Path) -> None:
    """Wait until the last scrape shows the record: what Prometheus has is what was counted."""
    await_that(
        lambda: (
            found.query('last_over_time(runqy_bench_verdict{verdict="pending"}[1m])')
            == {("pending",): 0}
        ),
    )
    record = run_record.load(path)
    verdicts = found.query("last_over_time(runqy_bench_verdict[1m]) == 1")
    assert verdicts == {(record.verdict,): 1}
    completed = found.query("last_over_time(runqy_bench_completed_tasks_total[1m])")
    assert completed == {(): record.counts.completed}
    sent = found.query("last_over_time(runqy_bench_sent_tasks_total[1m])")
    assert sent == {(): record.counts.enqueued + record.counts.unknown}
    lost = found.query('last_over_time(runqy_bench_ledger_tasks{outcome="lost"}[1m])')
    assert lost == {("lost", queue): each.lost for queue, each in record.queues.items()}
    counts = found.query(
        'sum by (stage) (last_over_time(runqy_bench_latency_seconds_count{stage="e2e"}[1m]))'
    )
    assert counts == {("e2e",): record.counts.ended}


def test_prometheus_sees_a_run_up_to_its_verdict(tmp_path: Path) -> None:
    address, path = f"127.0.0.1:{free_port()}", tmp_path / "record.json"
    words = ("run", "--rate", "300/s", "--duration", "4s", "--output", str(path))
    with (
        scraping(address, tmp_path) as found,
        started(tmp_path, "bench", *words, "--metrics", address, *LINGER),
    ):
        require_that_it_saw_the_run(found, path)
        often = "count(count_over_time(runqy_bench_elapsed_seconds[1m]) >= 3)"
        assert found.query(often) == {(): 1}


def test_prometheus_sees_a_locust_test_up_to_its_verdict(tmp_path: Path) -> None:
    address, path = f"127.0.0.1:{free_port()}", tmp_path / "record.json"
    locustfile = str(ROOT / "locustfiles" / "runqy.py")
    words = ("-f", locustfile, "--headless", "-u", "2", "-r", "2", "-t", "3s", "--rate", "200/s")
    server = ("--embedded", "--start-worker", "--record", str(path))
    with (
        scraping(address, tmp_path) as found,
        started(tmp_path, "locust", *words, *server, "--metrics", address, *LINGER),
    ):
        require_that_it_saw_the_run(found, path)


def test_prometheus_sees_a_distributed_run_of_bench(tmp_path: Path) -> None:
    address, path = f"127.0.0.1:{free_port()}", tmp_path / "record.json"
    words = ("run", "--distributed", "--producers", "2", "--rate", "200/s", "--duration", "3s")
    with (
        scraping(address, tmp_path) as found,
        started(tmp_path, "bench", *words, "-o", str(path), "--metrics", address, *LINGER),
    ):
        await_that(lambda: path.exists() and path.stat().st_size > 0)
        await_that(
            lambda: (
                found.query("last_over_time(runqy_bench_completed_tasks_total[1m])")
                == {(): run_record.load(path).counts.completed}
            ),
        )


def test_prometheus_sees_a_standalone_worker_and_whose_tasks_it_serves(
    tmp_path: Path, embedded: EmbeddedServer
) -> None:
    """Tasks of nobody's run count, too, under the names of asynq's exporter."""
    address = f"127.0.0.1:{free_port()}"
    words = ("worker", "inference", "--metrics", address)
    with (
        redis.Redis.from_url(embedded.url) as opened,
        scraping(address, tmp_path) as found,
        started(tmp_path, "bench", *words, variables={"BENCH_REDIS_URL": embedded.url}),
    ):
        client: Any = opened
        for number in range(7):
            for command in RUNQY.enqueue(Task(f"task-{number}", QUEUE, b"{}")):
                client.execute_command(*command)
        await_that(lambda: found.query("asynq_tasks_processed_total") == {(QUEUE,): 7})
        assert found.query("runqy_bench_completed_tasks_total") == {(): 7}
        service = found.query('runqy_bench_latency_seconds_count{stage="service"}')
        assert service == {(QUEUE, "service"): 7}


def quick_rules(folder: Path) -> Path:
    """The rules with shorter windows, so that a test need not wait a minute."""
    text = re.sub(r"for: \d+s", "for: 1s", RULES.read_text(encoding="utf-8"))
    path = folder / "alerts.yml"
    path.write_text(text.replace("[30s]", "[5s]"), encoding="utf-8")
    assert yaml.safe_load(path.read_text())
    return path


def test_an_alert_fires_while_a_backlog_grows(tmp_path: Path) -> None:
    """And others do not, as the producer keeps its schedule."""
    address = f"127.0.0.1:{free_port()}"
    words = ("run", "--rate", "500/s", "--duration", "40s", "--concurrency", "1", "--prefetch", "1")
    slow = ("--service-time", "20ms", "--metrics", address, "--drain-timeout", "1s")
    with (
        scraping(address, tmp_path, quick_rules(tmp_path)) as found,
        started(tmp_path, "bench", *words, *slow),
    ):
        await_that(lambda: "BacklogGrows" in found.firing())
        assert "TasksLost" not in found.firing()


def test_a_scrape_of_a_run_passes_promtool(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    words = ("run", "--rate", "300/s", "--duration", "20s", "--metrics", address)
    with started(tmp_path, "bench", *words):
        text = ""
        deadline_s = time.monotonic() + 60
        while "asynq_tasks_processed_total" not in text:
            assert time.monotonic() < deadline_s
            with contextlib.suppress(OSError):
                text = scraped(f"http://{address}/metrics")
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text, text=True, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")

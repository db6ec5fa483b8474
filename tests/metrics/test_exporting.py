"""The exporting process: it answers scrapes, pushes, lingers, and ends with its parent."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus_text

from bench.errors import UsageError
from bench.metrics.exporter import MetricsExporter, exporting, read_targets
from bench.metrics.run_metrics import snapshot_of
from bench.metrics.snapshot import MetricsSnapshot
from tests.metrics.conftest import Collector, scraped
from tests.metrics.views import LOW, view
from tests.waiting import await_that

pytestmark = pytest.mark.slow

WORD = "sesame-open"


class Exported:
    """What is exported, and what was said meanwhile."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.problems: list[str] = []

    @contextlib.contextmanager
    def serving(self, *targets: str | None) -> Iterator[MetricsExporter]:
        wanted = read_targets(*targets)
        with exporting(wanted, self.problems.append, self.said.append) as exporter:
            assert exporter is not None
            yield exporter

    @property
    def url(self) -> str:
        return self.said[0].removeprefix("metrics: ")


@pytest.fixture
def exported() -> Exported:
    return Exported()


def with_sent(count: float) -> MetricsSnapshot:
    return MetricsSnapshot(values={"sent_tasks_total": [((), count)]})


def test_a_scrape_gets_the_newest_snapshot_in_the_format_it_asks_for(exported: Exported) -> None:
    with exported.serving(":0", None, None) as exporter:
        assert "127.0.0.1" in exported.url
        exporter.publish(snapshot_of(view()))
        await_that(lambda: "sent_tasks" in scraped(exported.url))
        plain = list(prometheus_text(scraped(exported.url)))
        wanted = "application/openmetrics-text; version=1.0.0"
        open_ = list(openmetrics(scraped(exported.url, wanted)))
        assert {each.name for each in plain} >= {"runqy_bench_latency_seconds"}
        assert {each.name for each in open_} >= {"runqy_bench_latency_seconds"}
        exporter.publish(with_sent(1_000))
        await_that(lambda: "runqy_bench_sent_tasks_total 1000.0" in scraped(exported.url))
    with pytest.raises(OSError, match="refused"):
        scraped(exported.url)
    assert exported.problems == []


def test_a_port_in_use_is_refused_before_anything_starts(exported: Exported) -> None:
    with exported.serving(":0", None, None):
        place = exported.url.split("/")[2]
        with pytest.raises(UsageError, match=f"^--metrics: cannot listen at {place}: "):
            Exported().serving(place, None, None).__enter__()


def test_the_end_waits_until_the_last_values_were_scraped(exported: Exported) -> None:
    seen: list[str] = []

    def scrape() -> None:
        await_that(lambda: "sent_tasks_total 7.0" in scraped(exported.url))
        seen.append("last")

    with exported.serving(":0", None, "60s") as exporter:
        exporter.publish(with_sent(7))
        scraping = threading.Thread(target=scrape)
        began_s = time.monotonic()
        scraping.start()
    # The one scrape may have come before the end.
    scraping.join()
    assert seen == ["last"]
    assert time.monotonic() - began_s < 60


def test_the_end_does_not_wait_for_values_that_were_scraped_before(exported: Exported) -> None:
    with exported.serving(":0", None, "60s") as exporter:
        exporter.publish(with_sent(7))
        await_that(lambda: "sent_tasks_total 7.0" in scraped(exported.url))
        began_s = time.monotonic()
    assert time.monotonic() - began_s < 60


def test_a_run_goes_on_when_the_exporting_process_was_killed(exported: Exported) -> None:
    with exported.serving(":0", None, None) as exporter:
        children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
        names = {int(pid): Path(f"/proc/{pid}/comm").read_text().strip() for pid in children}
        (pid,) = [pid for pid, name in names.items() if name == "bench.metrics"]
        os.kill(pid, signal.SIGKILL)

        def is_noticed() -> bool:
            exporter.publish(with_sent(1))
            return bool(exported.problems)

        await_that(is_noticed)
        exporter.publish(with_sent(2))
    assert exported.problems == [
        "the process that exports metrics has ended: the run goes on without it"
    ]


def test_a_collector_gets_the_last_values_with_their_types(
    exported: Exported, collector: Collector
) -> None:
    with exported.serving(None, collector.url, None) as exporter:
        exporter.publish(snapshot_of(view()))
    (pushed,) = collector.requests[-1].resource_metrics
    resource = {each.key: each.value.string_value for each in pushed.resource.attributes}
    assert resource["service.name"] == "runqy-bench"
    assert collector.paths[-1] == "/v1/metrics"
    found = {each.name: each for each in pushed.scope_metrics[0].metrics}
    sent = found["runqy_bench_sent_tasks_total"].sum
    assert sent.is_monotonic
    assert sent.data_points[0].as_double == 199
    assert found["runqy_bench_in_flight_tasks"].gauge.data_points[0].as_double == 4
    points = found["runqy_bench_latency_seconds"].histogram.data_points
    labelled = [
        ({each.key: each.value.string_value for each in point.attributes}, point)
        for point in points
    ]
    (low,) = [point for labels, point in labelled if labels == {"queue": LOW, "stage": "e2e"}]
    assert (low.count, sum(low.bucket_counts), low.sum) == (100, 100, 1.0)
    assert len(low.bucket_counts) == len(low.explicit_bounds) + 1
    assert not low.HasField("min")


def test_headers_of_the_environment_reach_the_collector_and_nothing_else(
    exported: Exported, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"authorization=Bearer%20{WORD}")
    collector.status = 401
    with exported.serving(None, f"{collector.url}/own/path", None) as exporter:
        exporter.publish(with_sent(1))
    assert collector.headers[-1]["authorization"] == f"Bearer {WORD}"
    assert collector.paths[-1] == "/own/path"
    assert len(exported.problems) == 1
    assert exported.problems[0].startswith("--otlp: ")
    assert "401" in exported.problems[0]
    assert WORD not in exported.problems[0]

"""What a scrape answers, as the parsers of others read it."""

import shutil
import subprocess

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus_text

from bench.metrics.declared import METRICS, MetricType
from bench.metrics.exposition import SnapshotCollector, families
from bench.metrics.run_metrics import snapshot_of
from bench.metrics.snapshot import MetricsSnapshot
from tests.metrics.views import BOUNDS_US, LOW, OF_30_MS, view

HOSTILE = 'x"y\\z{}=é'


def registry() -> CollectorRegistry:
    made = CollectorRegistry()
    made.register(SnapshotCollector(lambda: snapshot_of(view())))
    return made


def by_name(found: list[Metric]) -> dict[str, dict[tuple[str, ...], float]]:
    return {
        sample.name: {
            tuple(each.labels.values()): each.value
            for each in family.samples
            if each.name == sample.name
        }
        for family in found
        for sample in family.samples
    }


def test_openmetrics_and_prometheus_text_say_the_same() -> None:
    ours = list(openmetrics(generate_openmetrics(registry()).decode()))
    theirs = list(prometheus_text(generate_latest(registry()).decode()))
    assert by_name(ours) == by_name(theirs)
    assert by_name(ours)["runqy_bench_sent_tasks_total"] == {(): 199}


def test_a_family_has_the_type_and_the_help_of_its_declaration() -> None:
    found = {each.name: each for each in openmetrics(generate_openmetrics(registry()).decode())}
    for metric in METRICS.values():
        suffix = {MetricType.COUNTER: "_total", MetricType.INFO: "_info"}.get(metric.type, "")
        family = found.pop(metric.name.removesuffix(suffix), None)
        if family is not None:
            wanted = "unknown" if metric.type is MetricType.UNTYPED else str(metric.type)
            assert (family.type, family.documentation) == (wanted, metric.meaning)
    assert found == {}


def test_a_histogram_s_buckets_are_cumulative_and_end_with_all_latencies() -> None:
    text = generate_openmetrics(registry()).decode()
    (family,) = [each for each in openmetrics(text) if each.type == "histogram"]
    buckets = [
        (each.labels["le"], each.value)
        for each in family.samples
        if each.name.endswith("_bucket")
        and (each.labels["queue"], each.labels["stage"]) == (LOW, "e2e")
    ]
    assert [float(end) for end, _ in buckets[:-1]] == [bound / 1e6 for bound in BOUNDS_US]
    counts = dict(buckets)
    assert (counts["0.02"], counts["0.03"], counts["0.05"]) == (0, 85, 100)
    assert buckets[-1] == ("+Inf", 100)
    assert BOUNDS_US[OF_30_MS] == 30_000


def test_before_the_first_snapshot_there_is_nothing_and_that_can_be_read() -> None:
    assert list(families(MetricsSnapshot())) == []
    empty = CollectorRegistry()
    empty.register(SnapshotCollector(MetricsSnapshot))
    assert list(openmetrics(generate_openmetrics(empty).decode())) == []


def test_labels_of_any_text_arrive_as_they_are() -> None:
    made = CollectorRegistry()
    snapshot = MetricsSnapshot(values={"objective_met": [((HOSTILE,), 1.0)]})
    made.register(SnapshotCollector(lambda: snapshot))
    (family,) = openmetrics(generate_openmetrics(made).decode())
    assert family.samples[0].labels == {"objective": HOSTILE}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs Prometheus's promtool")
def test_promtool_has_nothing_to_say() -> None:
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=generate_latest(registry()),
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")

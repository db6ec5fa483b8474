"""A snapshot as families of ``prometheus_client``, which writes OpenMetrics and Prometheus text."""

import itertools
from collections.abc import Callable, Iterator, Mapping

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    UnknownMetricFamily,
)
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from bench.measure.latency_buckets import BucketCounts
from bench.metrics.declared import METRICS, ExportedMetric, MetricType
from bench.metrics.snapshot import Labels, MetricsSnapshot


class SnapshotCollector(Collector):
    """Yields the families of the newest snapshot whenever it is scraped."""

    def __init__(self, newest: Callable[[], MetricsSnapshot]) -> None:
        self._newest = newest

    def collect(self) -> Iterator[Family]:
        """The families that have values, in the order in which they are declared."""
        return families(self._newest())


def families(snapshot: MetricsSnapshot) -> Iterator[Family]:
    """Yields the families of a snapshot that have values, in the order of their declarations."""
    for name, metric in METRICS.items():
        if snapshot.values.get(name):
            yield _family(metric, snapshot.values[name])
        if snapshot.histograms.get(name):
            yield _histogram(metric, snapshot.histograms[name], snapshot.bounds_us)


def _family(metric: ExportedMetric, values: list[tuple[Labels, float]]) -> Family:
    if metric.type is MetricType.INFO:
        info = InfoMetricFamily(metric.name.removesuffix("_info"), metric.meaning)
        for labels, _ in values:
            info.add_metric([], dict(zip(metric.labels, labels, strict=True)))
        return info
    family = _FAMILIES[metric.type](metric.name, metric.meaning, labels=metric.labels)
    for labels, value in values:
        family.add_metric(labels, value)
    return family


_NumberFamily = CounterMetricFamily | GaugeMetricFamily | UnknownMetricFamily
_FAMILIES: Mapping[MetricType, type[_NumberFamily]] = {
    MetricType.COUNTER: CounterMetricFamily,
    MetricType.GAUGE: GaugeMetricFamily,
    MetricType.UNTYPED: UnknownMetricFamily,
}


def _histogram(
    metric: ExportedMetric,
    values: list[tuple[Labels, BucketCounts]],
    bounds_us: tuple[int, ...],
) -> Family:
    ends = [*(str(bound_us / 1e6) for bound_us in bounds_us), "+Inf"]
    family = HistogramMetricFamily(metric.name, metric.meaning, labels=metric.labels)
    for labels, counted in values:
        buckets = list(zip(ends, itertools.accumulate(counted.counts), strict=True))
        family.add_metric(labels, buckets, counted.sum_us / 1e6)
    return family

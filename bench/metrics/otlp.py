"""A snapshot as data of the OpenTelemetry SDK, pushed to a collector by OTLP over HTTP.

The SDK is an optional dependency: only the process that exports imports this module.
"""

import logging
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from bench.metrics.declared import METRICS, ExportedMetric, MetricType
from bench.metrics.snapshot import Labels, MetricsSnapshot
from bench.version import __version__

_NAME = "runqy-bench"
_PATH = "/v1/metrics"
_TIMEOUT_S = 5.0
_SINCE_START = AggregationTemporality.CUMULATIVE
_NOT_KNOWN: Any = None
"""Minimum and maximum of latencies in buckets."""


def endpoint_of(url: str) -> str:
    """Returns the full URL to push to: that of a collector, with OTLP's path where it has none."""
    return url.rstrip("/") + _PATH if urlsplit(url).path in ("", "/") else url


class _LastMessage(logging.Handler):
    """Keeps what the SDK has logged last, which is all that it says about a failure."""

    text = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a message."""
        self.text = record.getMessage()


class OtlpPusher:
    """Pushes snapshots to one collector. Its headers come from OTEL_EXPORTER_OTLP_HEADERS."""

    def __init__(self, url: str) -> None:
        self._log = _LastMessage()
        logger = logging.getLogger("opentelemetry")
        logger.addHandler(self._log)
        logger.propagate = False
        self._exporter = OTLPMetricExporter(endpoint=endpoint_of(url), timeout=_TIMEOUT_S)
        self._start_ns = time.time_ns()
        self._resource = Resource.create({"service.name": _NAME, "service.version": __version__})

    def push(self, snapshot: MetricsSnapshot) -> str | None:
        """Push one snapshot; returns why the collector did not take it, or None."""
        metrics = metrics_of(snapshot, self._start_ns, time.time_ns())
        scope = ScopeMetrics(InstrumentationScope(_NAME, __version__), metrics, "")
        data = MetricsData([ResourceMetrics(self._resource, [scope], "")])
        if self._exporter.export(data) is MetricExportResult.SUCCESS:
            return None
        return self._log.text or "the collector did not take it"


def metrics_of(snapshot: MetricsSnapshot, start_ns: int, now_ns: int) -> list[Metric]:
    """Returns the metrics of a snapshot; both times are Unix times in ns."""
    found = []
    for name, metric in METRICS.items():
        points = [
            NumberDataPoint(_attributes(metric, labels), start_ns, now_ns, value)
            for labels, value in snapshot.values.get(name, ())
        ]
        if points:
            found.append(_numbers(metric, points))
        histograms = [
            HistogramDataPoint(
                attributes=_attributes(metric, labels),
                start_time_unix_nano=start_ns,
                time_unix_nano=now_ns,
                count=counted.count,
                sum=counted.sum_us / 1e6,
                bucket_counts=counted.counts,
                explicit_bounds=[bound_us / 1e6 for bound_us in snapshot.bounds_us],
                min=_NOT_KNOWN,
                max=_NOT_KNOWN,
            )
            for labels, counted in snapshot.histograms.get(name, ())
        ]
        if histograms:
            data = Histogram(histograms, _SINCE_START)
            found.append(Metric(metric.name, metric.meaning, "s", data))
    return found


def _numbers(metric: ExportedMetric, points: Sequence[NumberDataPoint]) -> Metric:
    is_counter = metric.type is MetricType.COUNTER
    data = Sum(points, _SINCE_START, is_monotonic=True) if is_counter else Gauge(points)
    unit = "s" if "_seconds" in metric.name else "1"
    return Metric(metric.name, metric.meaning, unit, data)


def _attributes(metric: ExportedMetric, labels: Labels) -> dict[str, str]:
    return dict(zip(metric.labels, labels, strict=True))

"""The values of all metrics at one moment, as they travel to the process that exports them."""

from collections.abc import Iterable, Mapping

import msgspec

from bench.measure.latency_buckets import BucketCounts

Labels = tuple[str, ...]
"""Values of a metric's labels, in the order in which it declares them."""
Values = Mapping[str, Iterable[tuple[Labels, float]]]
"""By the name of the metric without its prefix."""


class MetricsSnapshot(msgspec.Struct, frozen=True, kw_only=True, tag="snapshot"):
    """All values at one moment. A metric without a value is left out."""

    values: dict[str, list[tuple[Labels, float]]] = {}
    """By the name of the metric without its prefix."""
    histograms: dict[str, list[tuple[Labels, BucketCounts]]] = {}
    """By the name of the metric without its prefix."""
    bounds_us: tuple[int, ...] = ()
    """Upper bounds of the histograms' buckets, in µs."""


class StartExport(msgspec.Struct, frozen=True, kw_only=True, tag="start"):
    """The first message to the process that exports."""

    listener: int | None
    """File descriptor of the listening socket; None where nothing is served."""
    otlp_url: str | None
    """Where to push to; None where nothing is pushed."""


class EndExport(msgspec.Struct, frozen=True, kw_only=True, tag="end"):
    """No more snapshots follow. The process ends after a last push, and a last scrape."""

    linger_s: float
    """How long to wait for that scrape at most."""


class ExportReady(msgspec.Struct, frozen=True, tag="ready"):
    """Scrapes are answered from now on."""


class ExportProblem(msgspec.Struct, frozen=True, tag="problem"):
    """What did not work, as a clause."""

    message: str


ExportMessage = StartExport | MetricsSnapshot | EndExport
"""To the process that exports."""
ExportReply = ExportReady | ExportProblem
"""From the process that exports."""


def one(value: float) -> list[tuple[Labels, float]]:
    """The value of a metric without labels."""
    return [((), value)]


def chosen_of(names: Iterable[str], chosen: str) -> list[tuple[Labels, float]]:
    """1 for the chosen one of these names, and 0 for the others."""
    return [((name,), float(name == chosen)) for name in names]

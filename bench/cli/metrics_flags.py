"""Flags that export metrics, of ``run`` and ``worker``."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from bench.cli.groups import MONITORING
from bench.cli.messages import notify
from bench.metrics.exporter import (
    ExportTargets,
    MetricsExporter,
    chosen_port,
    exporting,
    read_targets,
)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class MetricsFlags:
    """Where metrics are exported to while the command lasts."""

    metrics: Annotated[
        str | None,
        Parameter(
            group=MONITORING,
            metavar="ADDRESS",
            help="Serve metrics for Prometheus at this address, on the loopback interface unless "
            "it names another; port 0 is a free one. Example: :9464",
        ),
    ] = None
    metrics_linger: Annotated[
        str | None,
        Parameter(
            group=MONITORING,
            metavar="DURATION",
            help="At the end, wait until the last values have been scraped, at most this long. "
            "Example: 15s",
        ),
    ] = None
    otlp: Annotated[
        str | None,
        Parameter(
            group=MONITORING,
            metavar="URL",
            help="Push metrics to the OpenTelemetry collector at this URL, by OTLP over HTTP. "
            "Example: http://127.0.0.1:4318",
        ),
    ] = None

    def export_targets(self) -> ExportTargets:
        """Returns where metrics go. Raises UsageError."""
        return read_targets(self.metrics, self.otlp, self.metrics_linger)

    @contextlib.contextmanager
    def exporting(self, *, is_quiet: bool = False) -> Iterator[MetricsExporter | None]:
        """Export while the context lasts; None where nothing is exported. The address is shown,
        with ``is_quiet`` only where it could not be known. Raises UsageError."""
        with exporting(self.export_targets(), notify, self._say(is_quiet)) as exporter:
            yield exporter

    def elsewhere(self, *, is_quiet: bool = False) -> ExportTargets:
        """Returns where a process that is still to be started is to export to. The address is
        shown as by ``exporting``. Raises UsageError."""
        return chosen_port(self.export_targets(), self._say(is_quiet))

    def _say(self, is_quiet: bool) -> Callable[[str], None]:
        place = self.export_targets().listen
        is_known = place is not None and place.port != 0
        return (lambda _: None) if is_quiet and is_known else notify

"""The exporting process, as the process that is monitored sees it."""

import contextlib
import dataclasses
import importlib.util
import os
import select
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from bench import units
from bench.errors import MeasurementError, UsageError, quoted
from bench.ipc.channel import ChannelClosed, NewestWriter, Reader
from bench.metrics.address import ListenAddress, address_of, listen, read_address
from bench.metrics.snapshot import (
    EndExport,
    ExportProblem,
    ExportReady,
    ExportReply,
    MetricsSnapshot,
    StartExport,
)
from bench.processes import start
from bench.processes.start import GuardedProcess
from bench.secrets import address, hide, url_secrets

_MODULE = "bench.metrics.process"
_SDK = "opentelemetry.exporter.otlp.proto.http"
_READY_TIMEOUT_S = 30.0
_END_TIMEOUT_S = 8.0
"""How long the last push may take."""


@dataclass(frozen=True)
class ExportTargets:
    """Where metrics are exported to; nowhere by default."""

    listen: ListenAddress | None = None
    otlp_url: str | None = None
    linger_s: float = 0.0
    """How long to wait for a scrape of the last values."""

    @property
    def are_wanted(self) -> bool:
        """Whether anything is exported."""
        return self.listen is not None or self.otlp_url is not None


def read_targets(metrics: str | None, otlp: str | None, linger: str | None) -> ExportTargets:
    """Reads --metrics, --otlp and --metrics-linger. Raises UsageError, naming the flag."""
    place = None
    if metrics is not None:
        try:
            place = read_address(metrics)
        except UsageError as error:
            raise UsageError(f"--metrics: {error}") from None
    if otlp is not None:
        _require_otlp(otlp)
    if linger is not None and place is None:
        raise UsageError("--metrics-linger needs --metrics")
    try:
        linger_s = 0.0 if linger is None else units.parse_duration(linger)
    except UsageError as error:
        raise UsageError(f"--metrics-linger: {error}") from None
    return ExportTargets(place, otlp, linger_s)


def _require_otlp(url: str) -> None:
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable:
        raise UsageError(
            f"--otlp: {quoted(address(url))} is not the URL of a collector: write for example "
            "http://127.0.0.1:4318"
        )
    if "@" in parts.netloc:
        raise UsageError(
            "--otlp: the URL has a user or a password: set OTEL_EXPORTER_OTLP_HEADERS instead, "
            "for example to 'authorization=Basic …'"
        )
    try:
        found = importlib.util.find_spec(_SDK)
    except ModuleNotFoundError:
        found = None
    if found is None:
        raise UsageError(
            "--otlp needs the OpenTelemetry SDK: install it with pip install 'runqy-bench[otlp]'"
        )


class MetricsExporter:
    """Passes snapshots on to the exporting process, and never waits for it."""

    def __init__(
        self,
        process: GuardedProcess,
        reader: Reader[ExportReply],
        writer: NewestWriter,
        notify: Callable[[str], None],
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._notify = notify
        self._is_gone = False

    def publish(self, snapshot: MetricsSnapshot) -> None:
        """Export these values from now on."""
        if self._is_gone:
            return
        try:
            self._writer.write(snapshot)
            self._tell_problems()
        except ChannelClosed:
            self._is_gone = True
            self._notify("the process that exports metrics has ended: the run goes on without it")

    def _tell_problems(self) -> None:
        while select.select([self._reader], [], [], 0)[0]:
            for message in self._reader.read():
                if isinstance(message, ExportProblem):
                    self._notify(f"--otlp: {message.message}")

    def await_ready(self) -> None:
        """Wait until scrapes are answered. Raises MeasurementError where they never are."""
        if select.select([self._reader], [], [], _READY_TIMEOUT_S)[0]:
            with contextlib.suppress(ChannelClosed):
                if isinstance(self._reader.read_one(), ExportReady):
                    return
        raise MeasurementError(
            "the process that exports metrics did not start: run it without --metrics and --otlp"
        )

    def end(self, linger_s: float) -> None:
        """Let the last values be scraped and pushed, and end the process."""
        with contextlib.suppress(ChannelClosed):
            self._writer.finish(EndExport(linger_s=linger_s), _END_TIMEOUT_S)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(linger_s + _END_TIMEOUT_S)
            self._tell_problems()

    def close(self) -> None:
        """End the process at once, if it has not ended."""
        self._writer.close()
        self._reader.close()
        self._process.end()


@contextlib.contextmanager
def exporting(
    targets: ExportTargets, notify: Callable[[str], None], say: Callable[[str], None]
) -> Iterator[MetricsExporter | None]:
    """Yields what takes snapshots; None where nothing is exported.

    ``notify`` takes problems as lines, ``say`` the address at which metrics are served. Raises
    UsageError where nothing can listen there.
    """
    if not targets.are_wanted:
        yield None
        return
    exporter = _started(targets, notify, say)
    try:
        exporter.await_ready()
        yield exporter
        with contextlib.suppress(KeyboardInterrupt):  # what was measured is saved by now
            exporter.end(targets.linger_s)
    finally:
        exporter.close()


def chosen_port(targets: ExportTargets, say: Callable[[str], None]) -> ExportTargets:
    """Returns targets with the port that another process is to serve at, which is free now.

    Raises UsageError where nothing can listen there.
    """
    if targets.listen is None:
        return targets
    with _listening(targets.listen, say) as listener:
        return dataclasses.replace(targets, listen=address_of(listener))


def _listening(place: ListenAddress, say: Callable[[str], None]) -> socket.socket:
    try:
        listener = listen(place)
    except UsageError as error:
        raise UsageError(f"--metrics: {error}") from None
    say(f"metrics: http://{address_of(listener)}/metrics")
    return listener


def _started(
    targets: ExportTargets, notify: Callable[[str], None], say: Callable[[str], None]
) -> MetricsExporter:
    secrets = url_secrets(targets.otlp_url or "")

    def tell(line: str) -> None:
        notify(hide(line, secrets))

    with contextlib.ExitStack() as stack:
        descriptors: list[int] = []
        if targets.listen is not None:
            listener = stack.enter_context(_listening(targets.listen, say))
            descriptors.append(listener.fileno())
        process, reader, writer = _process(descriptors)
        exporter = MetricsExporter(process, reader, writer, tell)
        served = descriptors[0] if descriptors else None
        with contextlib.suppress(ChannelClosed):
            writer.write(StartExport(listener=served, otlp_url=targets.otlp_url))
        return exporter


def _process(
    descriptors: list[int],
) -> tuple[GuardedProcess, Reader[ExportReply], NewestWriter]:
    (to_read, to_write), (from_read, from_write) = start.pipe(), start.pipe()
    try:
        process = start.start(
            start.python(_MODULE, str(to_read), str(from_write)),
            environment=start.python_environment(),
            descriptors=[to_read, from_write, *descriptors],
        )
    finally:
        os.close(to_read)
        os.close(from_write)
    reader: Reader[ExportReply] = Reader(from_read, ExportReply)  # type: ignore[arg-type]
    return process, reader, NewestWriter(to_write)

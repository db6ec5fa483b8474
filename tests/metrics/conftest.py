"""An exporting process, and a collector of OpenTelemetry on a port of the test's own."""

import contextlib
import http.client
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
        ExportMetricsServiceRequest,
    )

TIMEOUT_S = 30.0


def scraped(url: str, accept: str = "") -> str:
    """The answer to a scrape."""
    host, _, path = url.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(host, timeout=TIMEOUT_S)
    with contextlib.closing(connection):
        connection.request("GET", f"/{path}", headers={"Accept": accept} if accept else {})
        return connection.getresponse().read().decode()


@dataclass
class Collector:
    """A receiver of OTLP over HTTP."""

    url: str
    status: int = 200
    requests: "list[ExportMetricsServiceRequest]" = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    arrived: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector that keeps what it receives. Needs the extra ``otlp``."""
    service = pytest.importorskip("opentelemetry.proto.collector.metrics.v1.metrics_service_pb2")
    pytest.importorskip("opentelemetry.sdk")
    kept = Collector("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.requests.append(service.ExportMetricsServiceRequest.FromString(body))
            kept.paths.append(self.path)
            kept.headers.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(kept.status)
            self.end_headers()
            self.wfile.write(service.ExportMetricsServiceResponse().SerializeToString())
            kept.arrived.set()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        kept.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield kept
        server.shutdown()
        thread.join()

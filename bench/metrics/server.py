"""Answers scrapes over HTTP with the newest snapshot, in threads of the process that exports."""

import socket
import threading
from http.server import ThreadingHTTPServer

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import MetricsHandler

from bench.metrics.exposition import SnapshotCollector
from bench.metrics.snapshot import MetricsSnapshot

_SCRAPE_TIMEOUT_S = 10.0


class NewestSnapshot:
    """The newest snapshot, for all threads."""

    def __init__(self) -> None:
        self.value = MetricsSnapshot()
        self.is_last = False
        self.last_was_scraped = threading.Event()

    def get(self) -> MetricsSnapshot:
        """The newest snapshot; an empty one before the first."""
        return self.value


class ScrapeServer(ThreadingHTTPServer):
    """An HTTP server on a socket that listens already."""

    daemon_threads = True

    def __init__(self, descriptor: int, newest: NewestSnapshot) -> None:
        registry = CollectorRegistry()
        registry.register(SnapshotCollector(newest.get))
        ProcessCollector(registry=registry)  # what the exporting itself costs

        class Handler(MetricsHandler):
            """Answers one connection."""

            timeout = _SCRAPE_TIMEOUT_S

            def do_GET(self) -> None:  # noqa: N802 - the library's name
                """Answer a scrape in the format that it asks for."""
                is_last = newest.is_last
                super().do_GET()
                if is_last:
                    newest.last_was_scraped.set()

        Handler.registry = registry
        listener = socket.socket(fileno=descriptor)
        super().__init__(listener.getsockname()[:2], Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener

    def start(self) -> None:
        """Answer scrapes from now on, in a thread."""
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request: object, client_address: object) -> None:
        """A scraper that goes away early is no fault."""

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
        self.last_was_scraped = threading.Event()
        self._is_last = False
        self._scraped: MetricsSnapshot | None = None

    def get(self) -> MetricsSnapshot:
        """The newest snapshot; an empty one before the first."""
        return self.value

    def note_scraped(self, snapshot: MetricsSnapshot) -> None:
        """Take note that a scrape was answered with this snapshot, or with a newer one."""
        self._scraped = snapshot
        self._set_if_over()

    def end(self) -> None:
        """Take note that no newer snapshot will come. The newest may have been scraped before."""
        self._is_last = True
        self._set_if_over()

    def _set_if_over(self) -> None:
        if self._is_last and self._scraped is self.value:
            self.last_was_scraped.set()


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
                snapshot = newest.value
                super().do_GET()
                newest.note_scraped(snapshot)

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

"""``python -m bench.metrics.process``: the process that exports the metrics of its parent.

Its arguments are the file descriptors from which it reads and to which it writes.
"""

import contextlib
import os
import select
import signal
import sys
import threading
from pathlib import Path

from bench.ipc.channel import ChannelClosed, Reader, Writer
from bench.metrics.server import NewestSnapshot, ScrapeServer
from bench.metrics.snapshot import (
    EndExport,
    ExportMessage,
    ExportProblem,
    ExportReady,
    MetricsSnapshot,
    StartExport,
)

_PUSH_EVERY_S = 5.0
_NICENESS = 5
"""What is measured comes first."""
_LOOK_EVERY_S = 0.05
_OWN_NAME = Path("/proc/self/comm")


class Exporting:
    """Takes snapshots until its parent ends, or says that there are no more."""

    def __init__(self, reader: Reader[ExportMessage], writer: Writer) -> None:
        self._reader = reader
        self._writer = writer
        self._newest = NewestSnapshot()
        self._is_over = threading.Event()
        self._pushing: threading.Thread | None = None

    def run(self) -> None:
        """Serve. Raises ChannelClosed when the parent has ended."""
        start = self._reader.read_one()
        if not isinstance(start, StartExport):
            return
        if start.listener is not None:
            ScrapeServer(start.listener, self._newest).start()
        if start.otlp_url is not None:
            self._pushing = threading.Thread(target=self._push, args=[start.otlp_url], daemon=True)
            self._pushing.start()
        self._writer.write(ExportReady())
        end = self._take_all()
        self._newest.end()
        self._is_over.set()
        if start.listener is not None:
            self._linger(end.linger_s)
        if self._pushing is not None:
            self._pushing.join()

    def _take_all(self) -> EndExport:
        messages = self._reader.ready()
        while True:
            for message in messages:
                if isinstance(message, EndExport):
                    return message
                if isinstance(message, MetricsSnapshot):
                    self._newest.value = message
            messages = self._reader.read()

    def _linger(self, seconds: float) -> None:
        """Wait for a scrape of the last snapshot, or for the end of the parent."""
        left_s = seconds
        while left_s > 0 and not self._newest.last_was_scraped.wait(_LOOK_EVERY_S):
            left_s -= _LOOK_EVERY_S
            if select.select([self._reader], [], [], 0)[0]:
                self._reader.read()

    def _push(self, url: str) -> None:
        from bench.metrics.otlp import OtlpPusher  # noqa: PLC0415 - an optional dependency

        pusher, told = OtlpPusher(url), ""
        while True:
            is_last = self._is_over.wait(_PUSH_EVERY_S)
            problem = pusher.push(self._newest.get()) or ""
            if problem and problem != told:
                told = problem
                with contextlib.suppress(ChannelClosed):
                    self._writer.write(ExportProblem(problem))
            if is_last:
                return


def main() -> int:
    """Be the process that exports."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent gets it
    source, target = map(int, sys.argv[1:3])
    with contextlib.suppress(OSError):
        os.nice(_NICENESS)
        _OWN_NAME.write_text("bench.metrics", encoding="utf-8")
    reader: Reader[ExportMessage] = Reader(source, ExportMessage)  # type: ignore[arg-type]
    with contextlib.suppress(ChannelClosed):
        Exporting(reader, Writer(target)).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""``python -m bench.proxy.process``: the process through which a run's connections lead.

Its arguments are the file descriptors from which it reads and to which it writes.
"""

import contextlib
import resource
import signal
import socket
import sys
from pathlib import Path

from bench.ipc.channel import ChannelClosed, Reader, Writer
from bench.proxy.messages import (
    Applied,
    ProxyFailed,
    ProxyReady,
    ResetConnections,
    SetNetwork,
    StartProxy,
    ToProxy,
)
from bench.proxy.proxy import BACKLOG, Proxy
from bench.proxy.upstream import Upstream
from bench.punctual import collect_little, wake_on_time

_OWN_NAME = Path("/proc/self/comm")


class Serving:
    """Runs a proxy, and does what the run asks of it."""

    def __init__(self, proxy: Proxy, reader: Reader[ToProxy], writer: Writer) -> None:
        self._proxy = proxy
        self._reader = reader
        self._writer = writer
        proxy.attend(reader.fileno(), self._on_message)

    def run(self) -> None:
        """Serve. Raises ChannelClosed when the run has ended."""
        while True:
            self._proxy.step()

    def _on_message(self, _: int, now_s: float) -> None:
        for message in self._reader.read():
            self._apply(message)

    def _apply(self, message: ToProxy) -> None:
        was_reset = 0
        if isinstance(message, SetNetwork):
            self._proxy.set_network(message.network, message.own_cost_s)
        elif isinstance(message, ResetConnections):
            was_reset = self._proxy.reset(message.share)
        counts = self._proxy.counts
        self._writer.write(
            Applied(was_reset=was_reset, resets=counts.resets, accepted=counts.accepted)
        )


def _listener(message: StartProxy) -> socket.socket:
    """The socket on which the proxy listens, on this machine alone. Raises OSError."""
    if message.listen_path:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(message.listen_path)
    else:
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
    listener.listen(BACKLOG)
    return listener


def _serve(reader: Reader[ToProxy], writer: Writer) -> None:
    start = reader.read_one()
    if not isinstance(start, StartProxy):
        return
    try:
        listener = _listener(start)
    except OSError as error:
        writer.write(ProxyFailed(error.strerror or str(error)))
        return
    port = 0 if start.listen_path else listener.getsockname()[1]
    serving = Serving(Proxy(listener, Upstream.of(start), start.seed), reader, writer)
    collect_little()
    writer.write(ProxyReady(port))
    serving.run()


def _allow_many_descriptors() -> None:
    """Two sockets for each connection: as many as this process may have."""
    with contextlib.suppress(OSError, ValueError):
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def main() -> int:
    """Be the proxy of the run at the other end of the descriptors."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the run gets it
    wake_on_time()
    _allow_many_descriptors()
    source, target = map(int, sys.argv[1:3])
    with contextlib.suppress(OSError):
        _OWN_NAME.write_text("bench.proxy", encoding="utf-8")
    reader: Reader[ToProxy] = Reader(source, ToProxy)  # type: ignore[arg-type]
    with contextlib.suppress(ChannelClosed):
        _serve(reader, Writer(target))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The proxy, as the run sees it that has started it."""

import contextlib
import os
import select
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from typing import IO

from bench.errors import MeasurementError, UsageError
from bench.ipc.channel import ChannelClosed, Reader, Writer
from bench.machine import ProcessCpu
from bench.processes import folders, start
from bench.processes.start import GuardedProcess
from bench.proxy.messages import (
    Applied,
    FromProxy,
    ProxyFailed,
    ProxyReady,
    ResetConnections,
    SendCounts,
    SetNetwork,
    StartProxy,
    ToProxy,
)
from bench.redisio.url import RedisUrl, parse
from bench.workload.faults import Network

_MODULE = "bench.proxy.process"
_ANSWER_TIMEOUT_S = 15.0
"""For an answer that takes less than a millisecond where the machine is not overloaded."""
_END_TIMEOUT_S = 2.0
_LOOPBACK = "127.0.0.1"
_NAMED_LOOPBACK = "localhost"


class NetworkProxy:
    """A proxy process in front of a server, and the network that it is. ``proxied`` starts it."""

    def __init__(self, server: RedisUrl, listen_path: str, seed: int) -> None:
        self.own_cost_s = 0.0
        """What the proxy itself adds to a round trip, which it then delays by so much less."""
        self.counts = Applied()
        """Its connections and resets, by its newest answer."""
        self._lock = threading.Lock()
        self._is_ending = False
        self._given_up = ""
        self._listen_path = listen_path
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
        self._process, self._reader, self._writer = _started(self._errors)
        self._cpu = ProcessCpu(self._process.pid)
        self._write(
            StartProxy(
                host=server.host,
                port=server.port,
                path=server.path,
                listen_path=listen_path,
                seed=seed,
            )
        )
        answer = self._answer()
        if isinstance(answer, ProxyFailed):
            self.close()
            raise UsageError(
                f"network: no proxy can be started here ({answer.message}): set TMPDIR"
            )
        self.port = answer.port if isinstance(answer, ProxyReady) else 0

    def leads_to(self, url: str) -> str:
        """The URL that leads through the proxy to where ``url`` leads without it.

        Over TLS, it names the server that the certificate is for (``ssl_server_name``), unless that
        is this machine.
        """
        server = parse(url)
        if server.is_socket:
            return server.moved(path=self._listen_path)
        has_names = server.scheme == "rediss" and server.host == _NAMED_LOOPBACK
        return server.moved(host=_NAMED_LOOPBACK if has_names else _LOOPBACK, port=self.port)

    def set_network(self, network: Network) -> None:
        """Make it another network; returns when it is. Raises MeasurementError where the proxy has
        ended."""
        self._ask(SetNetwork(network=network, own_cost_s=self.own_cost_s))

    def reset(self, share: float) -> int:
        """Reset a share of the connections, at least one where there is any; returns how many.

        Raises MeasurementError where the proxy has ended.
        """
        return self._ask(ResetConnections(share)).was_reset

    def newest_counts(self) -> Applied:
        """Its connections and resets so far; once it has ended, by its newest answer."""
        with contextlib.suppress(MeasurementError):
            self._ask(SendCounts())
        return self.counts

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self._process.pid

    @property
    def cpu_s(self) -> float:
        """Its CPU time so far, in seconds."""
        return self._cpu.used_s()

    def exit_reason(self) -> str | None:
        """How it ended before it was closed, as a sentence, or None."""
        if self._is_ending:
            return None
        if self._given_up:
            return self._given_up
        code = self._process.poll()
        if code is None:
            return None
        how = f"with exit code {code}" if code >= 0 else f"by {signal.Signals(-code).name}"
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        last = f": {lines[-1]}" if lines else ""
        return (
            f"the run's network (bench.proxy) ended {how}{last}: all connections were lost; "
            "repeat the run"
        )

    def close(self) -> None:
        """End the process, and with it all connections through it."""
        self._is_ending = True
        for end in (self._writer, self._reader):
            end.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_TIMEOUT_S)
        self._process.end()
        self._errors.close()

    def _ask(self, message: SetNetwork | ResetConnections | SendCounts) -> Applied:
        with self._lock:  # each fault has a thread of its own
            self._write(message)
            answer = self._answer()
            if isinstance(answer, Applied):
                self.counts = answer
            return self.counts

    def _write(self, message: ToProxy) -> None:
        try:
            self._writer.write(message)
        except ChannelClosed:
            raise self._gone() from None

    def _answer(self) -> FromProxy:
        if not select.select([self._reader], [], [], _ANSWER_TIMEOUT_S)[0]:
            self._given_up = (
                f"the run's network (bench.proxy) did not answer within {_ANSWER_TIMEOUT_S:.0f} s: "
                "check whether it was stopped, or the machine is overloaded"
            )
            raise MeasurementError(self._given_up)
        try:
            return self._reader.read_one()
        except ChannelClosed:
            raise self._gone() from None

    def _gone(self) -> MeasurementError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_TIMEOUT_S)
        return MeasurementError(self.exit_reason() or "the run's network (bench.proxy) has ended")


def _started(
    errors: IO[bytes],
) -> tuple[GuardedProcess, Reader[FromProxy], Writer]:
    (to_read, to_write), (from_read, from_write) = start.pipe(), start.pipe()
    try:
        process = start.start(
            start.python(_MODULE, str(to_read), str(from_write)),
            stderr=errors,
            environment=start.python_environment(),
            descriptors=[to_read, from_write],
        )
    finally:
        os.close(to_read)
        os.close(from_write)
    reader: Reader[FromProxy] = Reader(from_read, FromProxy)  # type: ignore[arg-type]
    return process, reader, Writer(to_write)


@contextlib.contextmanager
def proxied(url: str, seed: int) -> Iterator[NetworkProxy]:
    """A proxy in front of the server of a URL, through which bytes pass as without it at first.

    It listens on this machine alone: on a port of the loopback interface, or on a unix socket where
    the server is one. Raises UsageError where it cannot listen, and MeasurementError where it does
    not start.
    """
    server = parse(url)
    with contextlib.ExitStack() as stack:
        listen_path = ""
        if server.is_socket:
            listen_path = str(stack.enter_context(folders.held("network")) / "socket")
        proxy = NetworkProxy(server, listen_path, seed)
        stack.callback(proxy.close)
        yield proxy

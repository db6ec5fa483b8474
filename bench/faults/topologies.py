"""The run's own master, replicas and Sentinels, as what faults strike: whichever is the master."""

import contextlib
import signal
from collections.abc import Iterator

from bench.faults.servers import OwnServer, SharedServer
from bench.faults.targets import FaultFailed
from bench.redisio import failover
from bench.redisio.failover import FailoverFailed
from bench.redisio.own_topology import OwnTopology
from bench.workload.fault_rules import ServerAbilities


class OwnTopologyServer(SharedServer):
    """The master of the moment of a topology that the run started for itself.

    What is undone later is undone on the server that was struck.
    """

    def __init__(self, topology: OwnTopology) -> None:
        super().__init__(topology.url, may_be_disturbed=True)
        self._topology = topology
        self._servers = {server.port: OwnServer(server) for server in topology.servers}
        self._stalled: OwnServer | None = None
        self._filled: OwnServer | None = None

    @property
    def abilities(self) -> ServerAbilities:
        """Everything that a server allows; a replica can take over where there are Sentinels."""
        has_sentinels = bool(self._topology.sentinels)
        return ServerAbilities(own_process=True, is_free=True, replicas=has_sentinels)

    @property
    def is_up(self) -> bool:
        """Whether there is a master: with Sentinels, one takes the place of the other."""
        return bool(self._topology.sentinels) or self._topology.servers[0].is_up

    def stall(self) -> None:
        """Stop the master's process. Raises FaultFailed."""
        self._stalled = self._master()
        self._stalled.stall()

    def resume(self) -> None:
        """Let the process that was stopped go on, master or not."""
        if self._stalled is not None:
            self._stalled.resume()

    def kill(self, number: signal.Signals) -> None:
        """End the master by a signal; with Sentinels, return once another server is the master.

        Raises FaultFailed and ServerUnreachable.
        """
        master = self._master()
        if not self._topology.sentinels:
            master.kill(number)
            return
        with _as_fault_failed():
            old = failover.master_of(self._topology.url)
            master.kill(number)
            failover.await_failover(self._topology.url, old, 0, _no_clock)

    def restart(self, *, keeps_data: bool) -> None:
        """Restart the master. Raises FaultFailed and ServerUnreachable."""
        self._master().restart(keeps_data=keeps_data)

    def fill(self) -> None:
        """Leave the master no memory. Raises FaultFailed and redis-py's errors."""
        self._filled = self._master()
        self._filled.fill()

    def make_room(self) -> None:
        """Give its memory back to the server that was filled. Raises redis-py's errors."""
        if self._filled is not None:
            self._filled.make_room()

    def _master(self) -> OwnServer:
        with _as_fault_failed():
            return self._servers[self._topology.master().port]


@contextlib.contextmanager
def _as_fault_failed() -> Iterator[None]:
    try:
        yield
    except FailoverFailed as error:
        raise FaultFailed(str(error)) from None


def _no_clock() -> int:
    """The injector notes the moments itself."""
    return 0

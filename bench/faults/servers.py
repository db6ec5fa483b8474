"""Servers that are disturbed: one that the run started, and one of others."""

import contextlib
import math
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import redis

from bench.errors import ServerUnreachable
from bench.faults.targets import FaultFailed
from bench.redisio import failover
from bench.redisio.connection import open_client
from bench.redisio.embedded import EmbeddedServer
from bench.redisio.failover import FailoverFailed
from bench.redisio.url import Topology, parse
from bench.workload.fault_rules import ServerAbilities

_ANSWER_TIMEOUT_S = 10.0
_Address = tuple[str, int]
"""Host and port."""
_NOT_OURS = "the run did not start this server, and does to it what its commands can do alone"


class SharedServer:
    """A server that the run did not start: nothing is done to it but by its own commands, and
    to no connections but the run's own."""

    def __init__(self, url: str, *, may_be_disturbed: bool) -> None:
        self._url = url
        self._may_be_disturbed = may_be_disturbed

    @property
    def abilities(self) -> ServerAbilities:
        """What its own commands can do, where its users may be disturbed."""
        has_sentinels = parse(self._url).topology is Topology.SENTINEL
        return ServerAbilities(is_free=self._may_be_disturbed, replicas=has_sentinels)

    @property
    def is_up(self) -> bool:
        """True: it is not the run that ends it."""
        return True

    def stall(self) -> None:
        """Raises FaultFailed: its process is not the run's."""
        raise FaultFailed(_NOT_OURS)

    def resume(self) -> None:
        """Nothing, as it is never stalled."""

    def kill(self, number: signal.Signals) -> None:
        """Raises FaultFailed: its process is not the run's."""
        raise FaultFailed(_NOT_OURS)

    def restart(self, *, keeps_data: bool) -> None:
        """Raises FaultFailed: its process is not the run's."""
        raise FaultFailed(_NOT_OURS)

    def failover(self) -> None:
        """Ask its Sentinels to make a replica the master; return once clients are led to that one.

        Raises FaultFailed, also for a server without Sentinels.
        """
        try:
            failover.fail_over(self._url, time.monotonic_ns)
        except FailoverFailed as error:
            raise FaultFailed(str(error)) from None

    def fill(self) -> None:
        """Raises FaultFailed: its settings are not the run's."""
        raise FaultFailed(_NOT_OURS)

    def make_room(self) -> None:
        """Nothing, as it is never filled."""

    def pause(self, seconds: float) -> None:
        """Let all clients wait; return once it answers again. Raises FaultFailed and redis-py's
        errors."""
        with _client(self._url, seconds + _ANSWER_TIMEOUT_S) as client:
            try:
                client.client_pause(math.ceil(seconds * 1000))
            except redis.exceptions.ResponseError as error:
                raise FaultFailed(f"it refuses CLIENT PAUSE ({error})") from None
            client.ping()  # is answered when the pause is over

    def reset_connections(self, share: float, draw: random.Random) -> int:
        """Close a share of the run's connections, but for those of the process that leads it, drawn
        at random; return how many. Raises FaultFailed and redis-py's errors."""
        with _client(self._url, _ANSWER_TIMEOUT_S) as client:
            try:
                clients = client.client_list()
            except redis.exceptions.ResponseError as error:
                raise FaultFailed(f"it refuses CLIENT LIST ({error})") from None
            may_reset = self._resettable()
            own = sorted(int(each["id"]) for each in clients if may_reset(_address(each)))
            if not own:
                raise FaultFailed("none of its connections is known to be the run's")
            chosen = draw.sample(own, min(max(round(share * len(own)), 1), len(own)))
            for client_id in chosen:
                client.client_kill_filter(_id=str(client_id))
        return len(chosen)

    def _resettable(self) -> Callable[[_Address], bool]:
        """Whether the client with an address is a process of the run."""
        own = _addresses_of(psutil.Process().children(recursive=True))
        return lambda address: address in own


class OwnServer(SharedServer):
    """A server that the run started for itself."""

    def __init__(self, server: EmbeddedServer) -> None:
        super().__init__(server.url, may_be_disturbed=True)
        self._server = server
        self._memory_before: str | None = None
        self._ending = threading.Lock()
        """Held while its process is ended or started: a restart waits for the one before it."""

    @property
    def abilities(self) -> ServerAbilities:
        """Everything that a single server allows."""
        return ServerAbilities(own_process=True, is_free=True)

    @property
    def is_up(self) -> bool:
        """Whether its process lives."""
        return self._server.is_up

    def stall(self) -> None:
        """Stop its process. Raises FaultFailed where it is not running."""
        self._require_up()
        self._server.stall()

    def resume(self) -> None:
        """Let its process go on."""
        self._server.resume()

    def kill(self, number: signal.Signals) -> None:
        """End it by a signal. Raises FaultFailed and ServerUnreachable."""
        with self._ending:
            self._require_up()
            self._server.kill(number)

    def restart(self, *, keeps_data: bool) -> None:
        """Restart it, or start it again where it was killed. Raises ServerUnreachable."""
        with self._ending:
            self._server.restart(keeps_data=keeps_data)

    def fill(self) -> None:
        """Set ``maxmemory`` to what it uses now. Raises FaultFailed and redis-py's errors."""
        if self._memory_before is not None:
            raise FaultFailed("its memory is full already")
        with _client(self._url, _ANSWER_TIMEOUT_S) as client:
            before = client.config_get("maxmemory")["maxmemory"]
            client.config_set("maxmemory", client.info("memory")["used_memory"])
            self._memory_before = str(before)

    def make_room(self) -> None:
        """Set ``maxmemory`` to what it was. Raises redis-py's errors."""
        before, self._memory_before = self._memory_before, None
        if before is not None:
            with _client(self._url, _ANSWER_TIMEOUT_S) as client:
                client.config_set("maxmemory", before)

    def _require_up(self) -> None:
        if not self._server.is_up:
            raise FaultFailed("the server was killed before and is not running")

    def _resettable(self) -> Callable[[_Address], bool]:
        """Whether the client with an address is any but this process."""
        own = _addresses_of([psutil.Process()])
        return lambda address: address not in own


@contextlib.contextmanager
def _client(url: str, answer_timeout_s: float) -> Iterator[redis.Redis]:
    try:
        client = open_client(url, answer_timeout_s)
    except ServerUnreachable as error:
        raise FaultFailed(str(error)) from None
    with client:
        yield client


def _address(client: dict[str, Any]) -> _Address:
    """Where a client of ``CLIENT LIST`` connects from; no port for a unix socket."""
    host, _, port = str(client.get("addr", "")).rpartition(":")
    return host.strip("[]"), int(port) if port.isdecimal() else 0


def _addresses_of(processes: list[psutil.Process]) -> set[_Address]:
    """Local ends of the connections of processes, as far as they can be seen."""
    found: set[_Address] = set()
    for process in processes:
        with contextlib.suppress(psutil.Error):
            found |= {
                (each.laddr.ip.removeprefix("::ffff:"), each.laddr.port)
                for each in process.net_connections("tcp")
                if each.raddr
            }
    return found

"""Connections to the master that Sentinels know, whichever server that is when they are opened.

Every time a connection is opened, the Sentinels are asked in the order of the URL, and what they
say is verified on the server itself (``ROLE``): one that was cut off may name a server that was
the master before.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import redis

from bench.redisio.master_watch import MasterWatch, watch_of
from bench.redisio.tls_connection import TlsConnection
from bench.redisio.url import NodeAddress


class NoMaster(redis.exceptions.ConnectionError):
    """No master could be found or reached. The message is one whole sentence without a secret."""


@dataclass(frozen=True)
class Sentinels:
    """Who is asked for which master, and how connections to the Sentinels are made."""

    nodes: tuple[NodeAddress, ...]
    master_name: str
    kind: type[redis.Connection]
    options: dict[str, Any] = field(repr=False)
    """What ``kind`` is made with, but for host and port."""

    def __deepcopy__(self, _: object) -> "Sentinels":
        return self

    def masters(self, problems: list[str]) -> Iterator[NodeAddress]:
        """Each server that a Sentinel names as the master, once; why one names none is added to
        ``problems``."""
        found: set[NodeAddress] = set()
        for sentinel in self.nodes:
            try:
                master = self._ask(sentinel)
            except redis.exceptions.RedisError as error:
                problems.append(f"{sentinel} {_reason(error)}")
                continue
            if master is None:
                problems.append(f"{sentinel} knows no master of that name")
            elif master not in found:
                found.add(master)
                yield master

    @property
    def watch(self) -> MasterWatch:
        """What notices that the master has changed."""
        return watch_of(self.nodes, self.master_name, self._connected)

    def request(self, sentinel: NodeAddress, *command: str) -> Any:
        """The reply of one Sentinel, on a connection of its own. Raises redis-py's errors."""
        connection = self._connected(sentinel)
        try:
            connection.send_command("SENTINEL", *command)
            return connection.read_response()
        finally:
            connection.disconnect()

    def _connected(self, sentinel: NodeAddress) -> Any:
        connection: Any = self.kind(host=sentinel.host, port=sentinel.port, **self.options)
        try:
            connection.connect()
        except redis.exceptions.RedisError:
            connection.disconnect()
            raise
        return connection

    def _ask(self, sentinel: NodeAddress) -> NodeAddress | None:
        reply = self.request(sentinel, "GET-MASTER-ADDR-BY-NAME", self.master_name)
        if reply is None:
            return None
        try:
            host, port = reply
            return NodeAddress(host.decode(), int(port))
        except (TypeError, ValueError, AttributeError):
            raise redis.exceptions.InvalidResponse("its reply is none of a Sentinel") from None


class _OfMaster:
    """A connection of redis-py that is opened to the master of the moment.

    Once the master has become a replica, which refuses to write, the connection is closed, so that
    the next command opens one to the new master.
    """

    host: str
    port: int

    def __init__(self, *, sentinels: Sentinels, **options: Any) -> None:
        self._sentinels = sentinels
        self._is_opening = False
        self._changes = 0
        """How many changes of the master had been before this connection was opened."""
        super().__init__(host="", port=0, **options)  # type: ignore[call-arg]

    def connect_check_health(self, *arguments: Any, **options: Any) -> None:
        """Connect to the master. Raises NoMaster, and redis-py's errors of what it refuses."""
        this: Any = self
        if this._sock:
            return
        self._changes = self._sentinels.watch.changes()
        problems: list[str] = []
        for master in self._sentinels.masters(problems):
            self.host, self.port = master.host, master.port
            self._is_opening = True
            try:
                super().connect_check_health(*arguments, **options)  # type: ignore[misc]
                if self._is_master():
                    return
                reason = "is a replica"
            except redis.exceptions.AuthenticationError:
                raise
            except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError) as error:
                reason = _reason(error)
            finally:
                self._is_opening = False
            this.disconnect()
            problems.append(f"{master}, which is to be the master, {reason}")
        raise NoMaster(
            f"no master {self._sentinels.master_name!r} was found: {'; '.join(problems)}: "
            "check the URL, or wait until a failover is over"
        )

    @property
    def has_moved(self) -> bool:
        """Whether another server may have become the master since this connection was opened."""
        return self._sentinels.watch.has_left(NodeAddress(self.host, self.port), self._changes)

    def send_packed_command(self, *arguments: Any, **options: Any) -> None:
        """Send commands, on a new connection where the master has changed."""
        this: Any = self
        if this._sock and not self._is_opening and self.has_moved:
            this.disconnect()
        super().send_packed_command(*arguments, **options)  # type: ignore[misc]

    def _is_master(self) -> bool:
        """What the server says of itself. A user who may not ask takes the Sentinels' word."""
        this: Any = self
        this.send_command("ROLE")
        try:
            reply = this.read_response()
        except redis.exceptions.ResponseError:
            return True
        return isinstance(reply, list) and reply[:1] == [b"master"]

    def read_response(self, *arguments: Any, **options: Any) -> Any:
        """The next reply. Raises ConnectionError where the server has become a replica."""
        try:
            return super().read_response(*arguments, **options)  # type: ignore[misc]
        except redis.exceptions.ReadOnlyError:
            this: Any = self
            this.disconnect()
            raise redis.exceptions.ConnectionError("the master has become a replica") from None


class MasterConnection(_OfMaster, redis.Connection):
    """A connection to the master, over TCP."""


class EncryptedMasterConnection(_OfMaster, TlsConnection):
    """A connection to the master, over TLS."""


def _reason(error: Exception) -> str:
    """What is wrong with a server, as the end of a sentence that begins with its address."""
    if isinstance(error, redis.exceptions.AuthenticationError):
        return "refuses the user name or password (sentinel_username and sentinel_password)"
    if isinstance(error, redis.exceptions.TimeoutError):
        return "does not answer in time"
    if isinstance(error, redis.exceptions.BusyLoadingError):
        return "is still loading its data"
    if isinstance(error, redis.exceptions.ConnectionError):
        cause = error.__cause__ or error.__context__
        is_known = isinstance(cause, OSError) and bool(cause.strerror)
        why = str(getattr(cause, "strerror", "")).lower() if is_known else "connection failed"
        return f"cannot be reached ({why})"
    if isinstance(error, redis.exceptions.ResponseError):
        text = str(error)
        return "is no Sentinel" if "unknown command" in text.lower() else f"refuses: {text[:60]}"
    return "does not answer as a Sentinel does"

"""Opens connections to Redis, and translates redis-py's errors into the project's.

There are two kinds. A ``redis.Redis`` client serves what is not measured. A ``RawConnection``
carries frames: redis-py connects and authenticates it (TCP, TLS, unix socket, RESP 2), and from
then on bytes are sent and received unchanged and without blocking.
"""

import contextlib
import socket
import ssl
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Protocol, cast

import redis

from bench.errors import ServerUnreachable, UsageError
from bench.redisio import tls_faults
from bench.redisio.bounded_reply import BoundedParser
from bench.redisio.checked_replies import CheckingClient, not_valid
from bench.redisio.cluster.client import ClusterClient
from bench.redisio.no_retries import NoRetries
from bench.redisio.sentinel import (
    EncryptedMasterConnection,
    MasterConnection,
    NoMaster,
    Sentinels,
)
from bench.redisio.tls_connection import TlsConnection, connection_options
from bench.redisio.url import NodeAddress, RedisUrl, Topology, parse
from bench.secrets import URL_VARIABLE, hide, url_secrets

CONNECT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 10.0
SENTINEL_TIMEOUT_S = 1.0
"""How long a Sentinel may take to answer before the next one is asked: meanwhile, nothing is sent
to the master."""
_READ_SIZE = 1 << 18


class ConnectionLost(Exception):  # noqa: N818 - what happened, not a fault of the caller
    """The server closed the connection, or the network did."""


SERVER_FAULTS = (redis.exceptions.RedisError, ConnectionLost)
"""Every error of a connection, for the last resort: ``translated_errors`` says more of most."""


def open_client(
    url: str,
    answer_timeout_s: float | None = ANSWER_TIMEOUT_S,
    wants_end: Callable[[], bool] = lambda: False,
) -> CheckingClient:
    """Open a client and wait for the reply to one ``PING``.

    Once ``wants_end`` holds, a server that is silent is waited for ``HURRIED_TIMEOUT_S`` in all. No
    command is repeated. Raises UsageError for a URL that cannot be read and for a node of a
    cluster that is named as a server, and ServerUnreachable when the server does not answer or
    refuses.
    """
    if parse(url).topology is Topology.CLUSTER:
        return open_cluster(url, answer_timeout_s, wants_end)
    client = CheckingClient(_pool(url, answer_timeout_s, NoRetries(wants_end)))
    with translated_errors(url):
        client.ping()
        _refuse_cluster(client, url)
    return client


def master_node(url: str) -> NodeAddress:
    """The master that a connection to a Sentinel URL is opened to at the moment.

    Raises UsageError for a URL that cannot be read, and ServerUnreachable.
    """
    pool = _pool(url, CONNECT_TIMEOUT_S, NoRetries())
    connection = cast(Any, pool.make_connection())
    with translated_errors(url):
        connection.connect()
    node = NodeAddress(connection.host, connection.port)
    connection.disconnect()
    return node


def open_cluster(
    url: str,
    answer_timeout_s: float | None = ANSWER_TIMEOUT_S,
    wants_end: Callable[[], bool] = lambda: False,
) -> ClusterClient:
    """Open a client of a cluster, as ``open_client`` does."""
    retry = NoRetries(wants_end)

    def open_node(node_url: str) -> CheckingClient:
        return CheckingClient(_pool(node_url, answer_timeout_s, retry))

    with translated_errors(url):
        client = ClusterClient(parse(url), open_node)
        client.ping()
    return client


def _refuse_cluster(client: redis.Redis, url: str) -> None:
    """Raise UsageError for a node of a cluster, which holds the keys of some queues only.

    A user who may not ask goes on: such a server's own errors then tell.
    """
    with contextlib.suppress(redis.exceptions.ResponseError):
        info: dict[str, Any] = client.info("cluster")
        if str(info.get("cluster_enabled", 0)) != "0":
            client.close()
            raise UsageError(
                f"{parse(url).address} is a node of a Redis Cluster, which holds the keys of some "
                f"queues only: write {_cluster_url(parse(url))}"
            )


def _cluster_url(parts: RedisUrl) -> str:
    """The URL of the cluster of which this server is a node, without user and password."""
    scheme = "rediss" if parts.is_encrypted else "redis"
    return f"{scheme}+cluster://{parts.nodes[0]}" if parts.nodes else "redis+cluster://HOST:PORT"


@contextlib.contextmanager
def translated_errors(url: str) -> Iterator[None]:
    """Raise ServerUnreachable for redis-py's errors: one line with the address and no secret."""
    server = parse(url).address

    def text(error: Exception) -> str:
        return hide(str(error), url_secrets(url))

    try:
        yield
    except NoMaster as error:
        raise ServerUnreachable(f"{server}: {text(error)}") from None
    except redis.exceptions.AuthenticationError:
        raise ServerUnreachable(
            f"{server} refuses the user name or password: check the URL, or {URL_VARIABLE}"
        ) from None
    except redis.exceptions.NoPermissionError as error:
        raise ServerUnreachable(
            f"{server} forbids a command that the run needs: {text(error)}: grant it in the ACL "
            "('bench acl' prints what is needed)"
        ) from None
    except redis.exceptions.TimeoutError:
        raise ServerUnreachable(f"{server} {_silence(parse(url))}") from None
    except redis.exceptions.BusyLoadingError:
        raise ServerUnreachable(
            f"{server} is still loading its data: wait, and repeat the command"
        ) from None
    except redis.exceptions.ConnectionError as error:
        raise ServerUnreachable(_no_connection(error, text(error), parse(url))) from None
    except redis.exceptions.ResponseError as error:
        raise ServerUnreachable(f"{server} {_refused(text(error), parse(url))}") from None
    except redis.exceptions.RedisError as error:
        raise ServerUnreachable(
            f"{server} does not answer as Redis does ({text(error)}): check the URL"
        ) from None


class ByteStream(Protocol):
    """What users of a ``RawConnection`` need of it: bytes out and bytes in, without blocking."""

    @property
    def unsent_bytes(self) -> int:
        """Bytes that the socket has not taken yet."""
        ...

    @property
    def client_id(self) -> int | None:
        """The server's id of the connection, where it is known."""
        ...

    def fileno(self) -> int:
        """The file descriptor, for ``select``."""
        ...

    def send(self, data: memoryview | bytes) -> None:
        """Hand bytes over; what the socket does not take now is kept. Raises ConnectionLost."""
        ...

    def flush(self) -> None:
        """Hand over what was kept, as far as the socket takes it. Raises ConnectionLost."""
        ...

    def receive(self) -> bytes:
        """What has arrived; empty when nothing has. Raises ConnectionLost."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class RawConnection:
    """A connection for frames. Neither sending nor receiving blocks.

    ``client_id`` is the server's number of the connection; None where the user may not ask for it.
    Raises UsageError for a URL that cannot be read, and ServerUnreachable.
    """

    def __init__(self, url: str) -> None:
        pool = _pool(url, CONNECT_TIMEOUT_S, NoRetries())
        self._connection = cast(Any, pool.make_connection())  # its types know no socket
        with translated_errors(url):
            self._connection.connect()
            self.client_id = self._ask_client_id()
        # redis-py does not publish its socket; all its connection classes (TCP, TLS, unix) keep
        # it here.
        self._socket = self._connection._sock
        self._socket.setblocking(False)
        self._is_tls = isinstance(self._socket, ssl.SSLSocket)
        self._follows_master = isinstance(
            self._connection, MasterConnection | EncryptedMasterConnection
        )
        self._unsent: deque[memoryview] = deque()
        self.unsent_bytes = 0

    def _ask_client_id(self) -> int | None:
        self._connection.send_command("CLIENT", "ID")
        try:
            reply: object = self._connection.read_response()
        except redis.exceptions.ResponseError:
            return None
        if isinstance(reply, int):
            return reply
        raise redis.exceptions.InvalidResponse(not_valid("CLIENT ID", reply))

    def wake_from(self, least_bytes: int) -> None:
        """Let ``select`` report the socket as readable only once ``least_bytes`` have arrived.

        Otherwise each reply would wake the process, which costs the server as much as a command.
        Has no effect on TLS and on systems without such a limit.
        """
        if not self._is_tls:
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, max(least_bytes, 1))

    @property
    def has_moved(self) -> bool:
        """Whether Sentinels may have made another server the master since it was opened."""
        return self._follows_master and bool(self._connection.has_moved)

    def fileno(self) -> int:
        """File descriptor of the socket, for ``select``."""
        return int(self._socket.fileno())

    def send(self, data: memoryview | bytes) -> None:
        """Send bytes. Those that the socket does not take now are kept for ``flush``.

        Raises ConnectionLost, also where Sentinels have made another server the master.
        """
        if self.has_moved:
            raise ConnectionLost("another server has become the master")
        if not self._unsent:
            taken = self._taken(data)
            if taken == len(data):
                return
            data = memoryview(data)[taken:]
        self._unsent.append(memoryview(data))
        self.unsent_bytes += len(data)
        self.flush()

    def flush(self) -> None:
        """Send as many kept bytes as the socket takes. Raises ConnectionLost."""
        while self._unsent and (taken := self._taken(self._unsent[0])):
            self.unsent_bytes -= taken
            if taken == len(self._unsent[0]):
                self._unsent.popleft()
            else:
                self._unsent[0] = self._unsent[0][taken:]

    def _taken(self, data: memoryview | bytes) -> int:
        """Hand bytes to the socket; returns how many of them it has taken."""
        try:
            taken: int = self._socket.send(data)
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            return 0
        except OSError as error:
            raise ConnectionLost(str(error)) from None
        return taken

    def receive(self) -> bytes:
        """The bytes that have arrived, perhaps none. Raises ConnectionLost at the stream's end."""
        try:
            data: bytes = self._socket.recv(_READ_SIZE)
            if data and self._is_tls:
                # select does not see what TLS has decrypted already.
                while self._socket.pending():
                    data += self._socket.recv(_READ_SIZE)
        except (BlockingIOError, ssl.SSLWantReadError):
            return b""
        except OSError as error:
            raise ConnectionLost(str(error)) from None
        if not data:
            raise ConnectionLost("the server closed the connection")
        return data

    def close(self) -> None:
        """Close the socket. Bytes that were not sent are discarded."""
        self._unsent.clear()
        self.unsent_bytes = 0
        self._connection.disconnect()


def _pool(url: str, answer_timeout_s: float | None, retry: NoRetries) -> redis.ConnectionPool:
    parts = parse(url)
    if parts.topology is Topology.CLUSTER:
        raise UsageError(f"{parts.address}: connections to a topology are not supported")
    kind, place = _place(parts)
    return redis.ConnectionPool(
        connection_class=kind,
        db=parts.database,
        protocol=2,
        parser_class=BoundedParser,
        socket_timeout=answer_timeout_s,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        retry=retry,
        retry_on_error=[],
        **place,
    )


def _place(parts: RedisUrl) -> tuple[type[redis.connection.AbstractConnection], dict[str, Any]]:
    """The kind of connection, and what it needs to find the server and to be let in."""
    place: dict[str, Any] = {"username": parts.user.name, "password": parts.user.password}
    if parts.is_socket:
        return redis.UnixDomainSocketConnection, {**place, "path": parts.path}
    kind, encryption = _encryption(parts)
    if parts.topology is Topology.SENTINEL:
        return _place_of_master(parts, {**place, **encryption})
    return kind, {**place, "host": parts.host, "port": parts.port, **encryption}


def _place_of_master(
    parts: RedisUrl, place: dict[str, Any]
) -> tuple[type[redis.connection.AbstractConnection], dict[str, Any]]:
    """The kind of connection that asks the Sentinels of a URL where to go, and what it needs."""
    of_master = EncryptedMasterConnection if parts.is_encrypted else MasterConnection
    return of_master, {**place, "sentinels": sentinels_of(parts)}


def sentinels_of(parts: RedisUrl) -> Sentinels:
    """The Sentinels of a URL. Raises UsageError for files of certificates that are missing."""
    kind, encryption = _encryption(parts)
    options = {
        **encryption,
        "username": parts.sentinel_user.name,
        "password": parts.sentinel_user.password,
        "protocol": 2,
        "parser_class": BoundedParser,
        "socket_timeout": SENTINEL_TIMEOUT_S,
        "socket_connect_timeout": SENTINEL_TIMEOUT_S,
        "retry": NoRetries(),
    }
    return Sentinels(parts.nodes, parts.master_name, kind, options)


def _encryption(parts: RedisUrl) -> tuple[type[redis.Connection], dict[str, Any]]:
    """The kind of connection to a host, and the options of its encryption."""
    if not parts.is_encrypted:
        return redis.Connection, {}
    return TlsConnection, connection_options(parts)


def _refused(text: str, parts: RedisUrl) -> str:
    """What is said of a server that refuses a command. ``text`` holds no secret."""
    if "DB index is out of range" in text:
        return f"has no database {parts.database}: check the URL"
    if "read only replica" in text:
        return "is a replica, which nothing can be written to: use its master"
    if text.startswith("unknown command"):
        return (
            f"refuses a command ({text}): use another server, or write redis+sentinel://HOST:PORT/"
            "MASTER if it is a Sentinel"
        )
    return f"refuses a command: {text}"


def _silence(parts: RedisUrl) -> str:
    """What is said of a server that does not answer."""
    if tls_faults.answers_without_tls(parts):
        return tls_faults.without_tls(parts)
    return "does not answer: is it overloaded, or paused?"


def _no_connection(error: Exception, text: str, parts: RedisUrl) -> str:
    """What is said where there is no connection, or none any more. ``text`` holds no secret."""
    if parts.is_encrypted and (why := tls_faults.explained(error, parts)) is not None:
        return f"{parts.address} {why}"
    reason = _cause(error) or text.partition(" connecting to ")[0] or "connection failed"
    is_cut = not parts.is_encrypted and ("reset by" in reason or "closed by server" in reason)
    cure = "check the URL, or write rediss:// if it speaks TLS" if is_cut else "check the URL"
    return f"no server at {parts.address} ({reason}): start one, or {cure}"


def _cause(error: BaseException) -> str:
    cause = error.__cause__ or error.__context__
    return cause.strerror.lower() if isinstance(cause, OSError) and cause.strerror else ""

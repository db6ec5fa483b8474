"""Reads a Redis URL, once and strictly, into a value that says all that is used of it.

redis-py reads leniently: it takes ``/prod`` and ``/5abc`` for database 0 and ``/1/2`` for 12, and
an option behind the ``?`` replaces whatever the caller set. Here each part is read in full or
refused, and only the options below are taken.

    redis://[USER[:PASSWORD]@]HOST[:PORT][/DB][?db=…&username=…&password=…]
    rediss://…                               the same over TLS, with the options ``ssl_…``, which
                                             the flags ``--tls-…`` add (``bench/redisio/tls.py``)
    unix://[USER[:PASSWORD]@]/PATH[?db=…]
    redis+sentinel://[USER[:PASSWORD]@]HOST[:PORT][,HOST[:PORT]…]/MASTER[/DB]
                                             [?sentinel_username=…&sentinel_password=…]
    redis+cluster://[USER[:PASSWORD]@]HOST[:PORT][,HOST[:PORT]…]

The last two may begin with ``rediss``, too. User and password are those of the servers with data;
what a Sentinel itself asks for has options of its own.
"""

import functools
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from urllib.parse import quote, unquote

from bench.errors import UsageError, nearest
from bench.names import variable
from bench.secrets import URL_VARIABLE, has_unencoded, split_url

DEFAULT_PORT = 6379
SENTINEL_PORT = 26379
MOST_DATABASE = 2**31 - 1
"""Redis counts databases in 32 bits, with a sign."""
SERVER_NAME = "ssl_server_name"
"""Option with the host name that the server's certificate is for, where the URL's host is not it:
behind a tunnel or a proxy."""
_SAFE = "/:@!$'()*,;=~"
"""What need not be percent-encoded in a path and in an option's value."""
_SCHEMES = (
    "redis",
    "rediss",
    "unix",
    "redis+sentinel",
    "rediss+sentinel",
    "redis+cluster",
    "rediss+cluster",
)
_TO_ENCODE = "@ as %40, / as %2F, : as %3A, # as %23, ? as %3F, [ as %5B, ] as %5D and % as %25"
_HOST = re.compile(r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+(?:%25[\w.-]+)?)\]|(?P<name>[\w.-]+))")
_PORT = re.compile(r"[0-9]{1,5}", re.ASCII)
_DATABASE = re.compile(r"[0-9]{1,10}", re.ASCII)


@dataclass(frozen=True)
class RedisUser:
    """Who connects; None for what the URL does not say."""

    name: str | None
    password: str | None = field(repr=False)


class Topology(StrEnum):
    """What a URL leads to. The value is what stands behind the ``+`` of its scheme."""

    SINGLE = ""
    """One server."""
    SENTINEL = "sentinel"
    """Sentinels, which say where the master is."""
    CLUSTER = "cluster"
    """Nodes of a cluster, which say where the keys are."""


@dataclass(frozen=True)
class NodeAddress:
    """Host and port of one server. An IPv6 address has no brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.bracketed_host}:{self.port}"

    @property
    def bracketed_host(self) -> str:
        """The host as a URL or ``HOST:PORT`` has it: an IPv6 address in brackets."""
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def is_on_this_machine(self) -> bool:
        """Whether it is a loopback address."""
        host = self.host
        return host in ("localhost", "::1") or host.startswith("127.")


@dataclass(frozen=True)
class RedisUrl:
    """The parts of a Redis URL, decoded."""

    scheme: str
    nodes: tuple[NodeAddress, ...]
    """Servers in the order in which they are written: the server itself, or the Sentinels or the
    nodes of a cluster that are asked. Empty for a unix socket."""
    path: str
    """Path of a unix socket; empty where there is a host."""
    database: int
    user: RedisUser
    tls: Mapping[str, str]
    """The options ``ssl_…`` as written, by name."""
    master_name: str = ""
    """What the Sentinels call the master; empty where there is no Sentinel."""
    sentinel_user: RedisUser = RedisUser(None, None)
    """Who connects to the Sentinels."""

    @property
    def topology(self) -> Topology:
        """What it leads to."""
        return Topology(self.scheme.partition("+")[2])

    @property
    def is_socket(self) -> bool:
        """Whether it leads to a unix socket."""
        return self.scheme == "unix"

    @property
    def is_encrypted(self) -> bool:
        """Whether connections are made over TLS."""
        return self.scheme.startswith("rediss")

    @property
    def host(self) -> str:
        """The first node's host; empty for a unix socket. An IPv6 address has no brackets."""
        return self.nodes[0].host if self.nodes else ""

    @property
    def port(self) -> int:
        """The first node's port; zero for a unix socket."""
        return self.nodes[0].port if self.nodes else 0

    @property
    def bracketed_host(self) -> str:
        """The host as a URL or ``HOST:PORT`` has it: an IPv6 address in brackets."""
        return self.nodes[0].bracketed_host if self.nodes else ""

    @property
    def address(self) -> str:
        """Where it leads, for people: no user, no password, and always the database in use."""
        if self.is_socket:
            database = f"?db={self.database}" if self.database else ""
            return f"unix://{quote(self.path, safe=_SAFE)}{database}"
        master = f"/{quote(self.master_name, safe='')}" if self.master_name else ""
        nodes = ",".join(map(str, self.nodes))
        return f"{self.scheme}://{nodes}{master}/{self.database}"

    @property
    def without_user(self) -> str:
        """The URL without users and passwords, with all else that a client needs to connect."""
        options = [f"{name}={quote(value, safe=_SAFE)}" for name, value in self.tls.items()]
        return self.address + (f"?{'&'.join(options)}" if options else "")

    def moved(self, *, host: str = "", port: int = 0, path: str = "") -> str:
        """The URL of the same server by way of another place: host and port, or a unix socket.

        A host name that TLS is to check stays that of the server.
        """
        user = "" if self.user.name is None else quote(self.user.name, safe="")
        secret = "" if self.user.password is None else f":{quote(self.user.password, safe='')}"
        at = "@" if user or secret else ""
        if self.is_socket:
            database = f"?db={self.database}" if self.database else ""
            return f"unix://{user}{secret}{at}{quote(path, safe=_SAFE)}{database}"
        tls = dict(self.tls)
        if self.scheme == "rediss" and host != self.host:
            tls.setdefault(SERVER_NAME, self.host)
        options = "&".join(f"{name}={quote(value, safe=_SAFE)}" for name, value in tls.items())
        place = f"{self.scheme}://{user}{secret}{at}{host}:{port}/{self.database}"
        return f"{place}?{options}" if options else place

    @property
    def is_on_this_machine(self) -> bool:
        """Whether it leads to this machine alone: by a unix socket, or by loopback addresses."""
        return all(node.is_on_this_machine for node in self.nodes)


def node_url(parts: RedisUrl, node: NodeAddress) -> str:
    """The URL of one server of those that a URL leads to, with user, password and TLS."""
    name, password = parts.user.name, parts.user.password
    user = "" if name is None else quote(name, safe="")
    if password is not None:
        user += f":{quote(password, safe='')}"
    scheme = "rediss" if parts.is_encrypted else "redis"
    options = [f"{option}={quote(value, safe='/')}" for option, value in parts.tls.items()]
    query = f"?{'&'.join(options)}" if options else ""
    return f"{scheme}://{user}{'@' if user else ''}{node}/0{query}"


def from_environment(environment: Mapping[str, str] = os.environ) -> str | None:
    """The URL of the environment variable, or None where that is not set.

    Raises UsageError where it is set and empty.
    """
    return variable(URL_VARIABLE, environment)


@functools.lru_cache(maxsize=64)
def parse(url: str) -> RedisUrl:
    """Returns the parts of a URL. Raises UsageError, which quotes no password."""
    scheme, colon, _ = url.partition("://")
    if not colon or scheme not in _SCHEMES:
        raise UsageError(
            "the Redis URL must begin with redis://, rediss:// or unix://, or for a topology with "
            "redis+sentinel:// or redis+cluster:// (rediss+… over TLS)"
        )
    if has_unencoded(url):
        raise UsageError(
            "the user name or password in the Redis URL contains a reserved character: "
            f"percent-encode {_TO_ENCODE}"
        )
    if "://@" in url:
        raise UsageError("the Redis URL has an @, but no user or password in front of it")
    if not url.isprintable() or " " in url:
        raise UsageError(
            "the Redis URL holds a space, a line break or another character that no URL has: "
            "remove it, or percent-encode it"
        )
    if "#" in url:
        raise UsageError("the Redis URL has a '#', behind which nothing is read: remove that part")
    return _parsed(url)


def _parsed(url: str) -> RedisUrl:
    scheme, user_info, place, query = split_url(url)
    place, mark, unread = place.partition("?")  # a query that does not begin with an option
    options = _options(scheme, (query or mark + unread)[1:] if query or mark else None)
    user = _user(user_info, options)
    tls = MappingProxyType({name: each for name, each in options.items() if name in _TLS})
    if scheme == "unix":
        path = unquote(place)
        if not path.startswith("/") or "\0" in path:
            raise UsageError("the path of the socket in the Redis URL must begin with a slash")
        return RedisUrl(scheme, (), path, _database(options.get("db")), user, tls)
    topology = Topology(scheme.partition("+")[2])
    location, _, written = place.partition("/")
    master = ""
    if topology is Topology.SENTINEL:
        name, _, written = written.partition("/")
        master = _master_name(name)
    if written and "db" in options:
        raise UsageError("the Redis URL names a database twice: remove /DB, or the option db")
    database = _database(written or options.get("db"))
    if topology is Topology.CLUSTER and database:
        raise UsageError("the Redis URL names a database, and a cluster has 0 alone: remove it")
    sentinel_user = RedisUser(options.get("sentinel_username"), options.get("sentinel_password"))
    nodes = _nodes(location, topology)
    return RedisUrl(scheme, nodes, "", database, user, tls, master, sentinel_user)


def _user(user_info: str, options: Mapping[str, str]) -> RedisUser:
    """User name and password, from in front of the host or from the query."""
    if not user_info:
        return RedisUser(options.get("username"), options.get("password"))
    if options.keys() & {"username", "password"}:
        raise UsageError(
            "the Redis URL has a user or password in front of its host and in its query: remove one"
        )
    username, colon, password = user_info.partition(":")
    if colon and not password:
        raise UsageError(
            "the Redis URL has an empty password: write it behind the colon, or remove the colon"
        )
    return RedisUser(unquote(username) or None, unquote(password) or None)


def _nodes(location: str, topology: Topology) -> tuple[NodeAddress, ...]:
    """The servers in front of the path: one, or several of a topology."""
    default_port = SENTINEL_PORT if topology is Topology.SENTINEL else DEFAULT_PORT
    if topology is Topology.SINGLE:
        return (_node(location, default_port),)
    nodes = tuple(_node(each, default_port) for each in location.split(","))
    if len(set(nodes)) < len(nodes):
        raise UsageError("the Redis URL names a node twice: remove one of the two")
    return nodes


def _node(location: str, default_port: int) -> NodeAddress:
    found = _HOST.match(location)
    if found is None:
        raise UsageError(
            "the Redis URL has no host that can be read: write redis://USER:PASSWORD@HOST:PORT/DB, "
            f"and in user and password percent-encode {_TO_ENCODE}"
        )
    if found["name"] and not _is_host_name(found["name"]):
        raise UsageError("the Redis URL has a host with a part that is empty or too long")
    rest = location[found.end() :]
    port = rest.removeprefix(":")
    if not rest:
        port = str(default_port)
    if rest.startswith(",") or "," in port:
        raise UsageError(
            "the Redis URL names several hosts: write redis+sentinel://HOST,HOST/MASTER, or "
            "redis+cluster://HOST,HOST"
        )
    if (rest and not rest.startswith(":")) or not _PORT.fullmatch(port):
        raise UsageError("the Redis URL has no port that can be read: write redis://HOST:PORT/DB")
    if not 1 <= int(port) <= 65_535:
        raise UsageError("the port in the Redis URL is out of range: it must be from 1 to 65535")
    ipv6 = found["ipv6"]
    return NodeAddress(unquote(ipv6) if ipv6 else found["name"], int(port))


def _master_name(written: str) -> str:
    name = unquote(written)
    if not name or not name.isprintable() or " " in name:
        raise UsageError(
            "the Redis URL names no master that can be read: write redis+sentinel://HOST:PORT/"
            "MASTER, with the name that the Sentinels monitor, such as mymaster"
        )
    return name


def _is_host_name(name: str) -> bool:
    try:
        name.encode("idna")  # as it is looked up
    except UnicodeError:
        return False
    return True


def _database(written: str | None) -> int:
    if not written:
        return 0
    if not _DATABASE.fullmatch(written) or int(written) > MOST_DATABASE:
        raise UsageError(
            "the Redis URL names no database that can be read: write its number, as in "
            "redis://HOST:PORT/0"
        )
    return int(written)


def _one_of(*choices: str) -> Callable[[str], bool]:
    return lambda value: value in choices


_TLS: Mapping[str, Callable[[str], bool]] = MappingProxyType(
    {
        "ssl_cert_reqs": _one_of("none", "optional", "required"),
        "ssl_check_hostname": _one_of("true", "false"),
        SERVER_NAME: lambda value: _HOST.fullmatch(value) is not None,
        "ssl_ca_certs": bool,
        "ssl_ca_path": bool,
        "ssl_certfile": bool,
        "ssl_keyfile": bool,
    }
)
_OF_SENTINELS: Mapping[str, Callable[[str], bool]] = MappingProxyType(
    {"sentinel_username": bool, "sentinel_password": bool}
)
_OPTIONS: Mapping[str, Callable[[str], bool]] = MappingProxyType(
    {"db": bool, "username": bool, "password": bool, **_TLS, **_OF_SENTINELS}
)
"""Option that is taken to whether a value can be meant."""


def _options(scheme: str, query: str | None) -> dict[str, str]:
    """The options behind the question mark, decoded."""
    found: dict[str, str] = {}
    for part in [] if query is None else query.split("&"):
        name, equals, value = part.partition("=")
        if name not in _OPTIONS:
            # Only what looks like a name is quoted: it may be the end of a password.
            which = f" {name!r}" if equals and re.fullmatch(r"[a-z_]{1,30}", name) else ""
            hint = nearest(name, _OPTIONS, 0.75) or f"; remove it: there are {', '.join(_OPTIONS)}"
            raise UsageError(f"the Redis URL has an unknown option{which} behind its '?'{hint}")
        if name in found:
            raise UsageError(f"the Redis URL has the option {name!r} twice")
        if name in _TLS and not scheme.startswith("rediss"):
            raise UsageError(f"the Redis URL has the option {name!r}, which only rediss:// has")
        if name in _OF_SENTINELS and not scheme.endswith("+sentinel"):
            raise UsageError(
                f"the Redis URL has the option {name!r}, which only redis+sentinel:// has"
            )
        if not _OPTIONS[name](value):
            raise UsageError(f"the Redis URL has no value that can be read for its option {name!r}")
        found[name] = unquote(value)
    return found

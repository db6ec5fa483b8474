"""The messages between a run and its proxy."""

import msgspec

from bench.workload.faults import Network


class StartProxy(msgspec.Struct, frozen=True, kw_only=True, tag="start"):
    """Makes the child a proxy in front of one server. It needs no password, as it reads nothing."""

    host: str
    """Empty where the server is a unix socket."""
    port: int
    path: str
    """The server's unix socket; empty where there is a host."""
    listen_path: str
    """The unix socket to make and to listen on; empty for a free port of the loopback interface."""
    seed: int
    """Of which connections are reset and when, and of the jitter."""


class SetNetwork(msgspec.Struct, frozen=True, kw_only=True, tag="network"):
    """Makes connections, those that there are and new ones, go through this network from now on."""

    network: Network
    own_cost_s: float = 0.0
    """What the proxy itself adds to a round trip: it adds that much less of its own accord."""


class ResetConnections(msgspec.Struct, frozen=True, tag="reset"):
    """Resets this share of the open connections, and at least one where there is any."""

    share: float


class SendCounts(msgspec.Struct, frozen=True, tag="counts"):
    """Asks what the proxy has done so far."""


class ProxyReady(msgspec.Struct, frozen=True, tag="ready"):
    """The proxy listens on this port, or on the unix socket that it was told."""

    port: int


class Applied(msgspec.Struct, frozen=True, kw_only=True, tag="applied"):
    """The answer to each of the run's messages but the first, once it has been carried out."""

    was_reset: int = 0
    """Connections that the message has reset."""
    resets: int = 0
    """Connections that were reset on purpose so far."""
    accepted: int = 0
    """Connections that were accepted so far."""


class ProxyFailed(msgspec.Struct, frozen=True, tag="failed"):
    """The proxy's last message where it cannot begin: the error's one line."""

    message: str


ToProxy = StartProxy | SetNetwork | ResetConnections | SendCounts
FromProxy = ProxyReady | Applied | ProxyFailed

"""Connections for those who await the reply to each of their requests."""

from bench.redisio.cluster.stream import ClusterStream
from bench.redisio.connection import CONNECT_TIMEOUT_S, ByteStream, RawConnection, open_cluster
from bench.redisio.url import Topology, node_url, parse


def open_stream(url: str) -> ByteStream:
    """Open a connection to the server, or to all nodes of a cluster.

    Raises UsageError and ServerUnreachable.
    """
    parts = parse(url)
    if parts.topology is not Topology.CLUSTER:
        return RawConnection(url)
    with open_cluster(url, CONNECT_TIMEOUT_S) as client:
        slot_map = client.slot_map
    return ClusterStream(slot_map, lambda node: RawConnection(node_url(parts, node)))

"""Failovers of a master that Sentinels watch: asked for, awaited, and described."""

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import redis

from bench.errors import ServerUnreachable
from bench.redisio.connection import master_node, open_client, sentinels_of
from bench.redisio.sentinel import Sentinels
from bench.redisio.url import NodeAddress, Topology, node_url, parse

MOST_FAILOVER_S = 60.0
"""How long a failover may take: more than Sentinels take by default to find a master down."""
_POLL_S = 0.01
_NO_REPLY = (TypeError, ValueError, AttributeError)
"""What reading a reply raises that is none of a Sentinel."""


class FailoverFailed(Exception):  # noqa: N818 - what happened, not a fault of the caller
    """There was no failover; the text is a clause that says why, without a secret."""


@dataclass(frozen=True)
class FailoverMoments:
    """When a failover began and was over, by the clock that the caller gave."""

    began_us: int
    """When it was asked for, or the master was lost."""
    ended_us: int
    """When those who ask the Sentinels were led to another master, which said that it is one, and
    the old one did not say so any more."""
    master: NodeAddress
    """The new master."""


def master_of(url: str) -> NodeAddress:
    """The server that Sentinels name as the master and that says it is. Raises FailoverFailed where
    there is none at the moment."""
    _sentinels(url)
    try:
        return master_node(url)
    except ServerUnreachable as error:
        raise FailoverFailed(str(error)) from None


def fail_over(url: str, now_us: Callable[[], int]) -> FailoverMoments:
    """Ask the Sentinels of a URL for a failover (``SENTINEL FAILOVER``), and wait until it is over.

    The master goes on accepting writes until a Sentinel makes it a replica, which may be ten
    seconds after the promotion of the new one; what it acknowledges meanwhile is lost with it.
    Raises FailoverFailed where no Sentinel begins one, or it takes longer than ``MOST_FAILOVER_S``.
    """
    old = master_of(url)
    sentinels = _sentinels(url)
    problems = []
    began_us = now_us()
    for sentinel in sentinels.nodes:
        try:
            sentinels.request(sentinel, "FAILOVER", sentinels.master_name)
        except redis.exceptions.RedisError as error:
            problems.append(f"{sentinel}: {error}")
        else:
            return await_failover(url, old, began_us, now_us)
    raise FailoverFailed(f"no Sentinel begins a failover ({'; '.join(problems)})")


def await_failover(
    url: str, old: NodeAddress, began_us: int, now_us: Callable[[], int]
) -> FailoverMoments:
    """Wait until another server than ``old`` is the only master; ``began_us`` is when it was lost.

    As long as the old one takes itself for a master it acknowledges what will be lost.
    Raises FailoverFailed where that takes longer than ``MOST_FAILOVER_S``.
    """
    deadline_s = time.monotonic() + MOST_FAILOVER_S
    while time.monotonic() < deadline_s:
        with contextlib.suppress(ServerUnreachable):
            master = master_node(url)
            if master != old and not _is_master(url, old):
                return FailoverMoments(began_us, now_us(), master)
        time.sleep(_POLL_S)
    raise FailoverFailed(f"no other server became the only master within {MOST_FAILOVER_S:.0f} s")


def _is_master(url: str, node: NodeAddress) -> bool:
    """Whether a server says that it is a master; one that says nothing acknowledges nothing."""
    try:
        with open_client(node_url(parse(url), node)) as client:
            reply = client.execute_command("ROLE")
            return isinstance(reply, list) and reply[:1] == [b"master"]
    except (ServerUnreachable, redis.exceptions.RedisError):
        return False


def describe(url: str, info: Mapping[str, object]) -> dict[str, object]:
    """What there is around a server, for the record: its replicas, and the settings of Sentinels.

    ``info`` is the server's reply to ``INFO``. Empty for a single server.
    """
    replicas = info.get("connected_slaves")
    found: dict[str, object] = {"topology": "replicas", "replicas": replicas} if replicas else {}
    if parse(url).topology is not Topology.SENTINEL:
        return found
    found["topology"] = Topology.SENTINEL.value
    told = _told_of_master(_sentinels(url))
    with contextlib.suppress(KeyError, ValueError):
        found["sentinels"] = int(told["num-other-sentinels"]) + 1
        found["quorum"] = int(told["quorum"])
        found["down_after_s"] = int(told["down-after-milliseconds"]) / 1000
        found["failover_timeout_s"] = int(told["failover-timeout"]) / 1000
    return found


def _told_of_master(sentinels: Sentinels) -> dict[str, str]:
    """What the first Sentinel that answers says of the master; empty where none may say."""
    for sentinel in sentinels.nodes:
        with contextlib.suppress(
            redis.exceptions.RedisError, TypeError, ValueError, AttributeError
        ):
            reply = sentinels.request(sentinel, "MASTER", sentinels.master_name)
            words = [each.decode() for each in reply]
            return dict(zip(words[::2], words[1::2], strict=True))
    return {}


def _sentinels(url: str) -> Sentinels:
    parts = parse(url)
    if parts.topology is not Topology.SENTINEL:
        raise FailoverFailed("the server has no Sentinel that could make a replica the master")
    return sentinels_of(parts)

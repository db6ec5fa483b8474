"""A Redis Cluster of a test's own: three masters on loopback ports, which end with it."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from bench.wire.slots import SLOTS, slot_of

_FORMED_WITHIN_S = 20.0


@dataclass(frozen=True)
class PrivateCluster:
    """The nodes of a cluster, by their ports."""

    ports: Sequence[int]

    @property
    def url(self) -> str:
        """The URL of the cluster, which names the last node alone."""
        return f"redis+cluster://127.0.0.1:{self.ports[-1]}"

    def nodes(self) -> list[Any]:
        """A client of each node."""
        return [redis.Redis(port=port, protocol=2) for port in self.ports]

    def owner(self, slot: int) -> int:
        """The index of the node that serves a slot."""
        found: Any = self.nodes()[0].execute_command("CLUSTER", "SLOTS")
        return next(
            self.ports.index(master[1])
            for first, last, master, *_ in found
            if first <= slot <= last
        )

    def keys(self) -> list[bytes]:
        """All keys on all nodes."""
        return [key for node in self.nodes() for key in node.keys("*")]

    def flush(self) -> None:
        """Empty all nodes."""
        for node in self.nodes():
            node.flushall()

    def open_migration(self, key: str, to: int) -> Callable[[], None]:
        """Begin to move a key's slot to another node; returns what ends it, with all its keys."""
        slot = slot_of(key.encode())
        nodes = self.nodes()
        source, target = nodes[self.owner(slot)], nodes[to]
        names = [node.execute_command("CLUSTER", "MYID") for node in (source, target)]
        target.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", names[0])
        source.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", names[1])

        def end() -> None:
            move = ("MIGRATE", "127.0.0.1", self.ports[to], "", 0, 10_000, "KEYS")
            while keys := source.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 100):
                source.execute_command(*move, *keys)
            for node in (target, source, *nodes):
                node.execute_command("CLUSTER", "SETSLOT", slot, "NODE", names[1])

        return end


@contextlib.contextmanager
def private_cluster(
    directory: Path,
    start: Callable[..., contextlib.AbstractContextManager[int]],
    free_port: Callable[[], int],
    *,
    slots: int = SLOTS,
) -> Iterator[PrivateCluster]:
    """Three masters that share the first ``slots`` slots; ``start`` starts a server in a folder."""
    with contextlib.ExitStack() as stack:
        ports, buses = [], []
        for number in range(3):
            folder = directory / str(number)
            folder.mkdir()
            buses.append(free_port())
            options = ("--cluster-enabled", "yes", "--cluster-port", str(buses[-1]))
            ports.append(stack.enter_context(start(folder, *options)))
        cluster = PrivateCluster(ports)
        nodes = cluster.nodes()
        for number, node in enumerate(nodes):
            node.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            first, end = slots * number // 3, slots * (number + 1) // 3
            node.execute_command("CLUSTER", "ADDSLOTSRANGE", first, end - 1)
        for port, bus in zip(ports[1:], buses[1:], strict=True):
            nodes[0].execute_command("CLUSTER", "MEET", "127.0.0.1", port, bus)
        deadline_s = time.monotonic() + _FORMED_WITHIN_S
        while not all(map(_knows_three, nodes)) and time.monotonic() < deadline_s:
            time.sleep(0.02)
        yield cluster


def _knows_three(node: Any) -> bool:
    """Whether a node knows the others' slots and, as they are all served, the cluster is up."""
    is_up = b"cluster_state:ok" in node.execute_command("CLUSTER", "INFO")
    is_whole = sum(last - first + 1 for first, last, *_ in _slots(node)) == SLOTS
    return len(_slots(node)) == 3 and (is_up or not is_whole)


def _slots(node: Any) -> list[Any]:
    found: list[Any] = node.execute_command("CLUSTER", "SLOTS")
    return found

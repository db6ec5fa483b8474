"""What can be done on a Redis Cluster, and by whom."""

from collections.abc import Sequence

from bench.errors import UsageError
from bench.layouts import registry
from bench.layouts.entry import LayoutEntry
from bench.redisio.url import Topology, parse
from bench.wire.layout_contract import Layout
from bench.wire.slots import queue_slot
from bench.wire.task import Task


def require_one_slot(url: str, layout: Layout, queues: Sequence[str]) -> None:
    """Raise UsageError where the URL is that of a cluster and the layout spreads a queue over its
    slots: no script could move a task then, and parts of it would come and go with their nodes."""
    if parse(url).topology is Topology.CLUSTER:
        for queue in queues:
            if queue_slot(layout, queue) is None:
                raise UsageError(
                    f"layout {layout.name} spreads a task's keys over several slots of a cluster, "
                    f"whose nodes lose and move them apart: use {_fitting()}, or a single server"
                )


def require_one_command(url: str, layout: Layout, queue: str) -> None:
    """Raise UsageError where the URL is that of a cluster and a task is enqueued by more than one
    command: while its slot moves, one of them may be refused and the other not."""
    commands = len(layout.enqueue(Task("0", queue, b"{}")))
    if parse(url).topology is Topology.CLUSTER and commands > 1:
        raise UsageError(
            f"layout {layout.name} enqueues a task with {commands} commands, between which a slot "
            f"of a cluster may move: use {_fitting()}, which has a script for it"
        )


def refuse_cluster(url: str, who: str) -> None:
    """Raise UsageError where the URL is that of a cluster, for ``who`` keeps to one server."""
    if parse(url).topology is Topology.CLUSTER:
        raise UsageError(
            f"{who} to one server, and the Redis URL names a cluster: use 'bench run' without "
            "--distributed for it, or another URL"
        )


def _fitting() -> str:
    def fits(entry: LayoutEntry) -> bool:
        return entry.refuses_duplicates and queue_slot(entry.layout, "q") is not None

    return f"--layout {registry.names_with(fits)}"

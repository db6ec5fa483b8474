"""What faults need of a server, of workers and of a network, whoever provides these."""

import random
import signal
from dataclasses import dataclass, field
from typing import Protocol

from bench.workload.fault_rules import ServerAbilities
from bench.workload.faults import Network


class FaultFailed(Exception):  # noqa: N818 - what happened, not a fault of the caller
    """Nothing was done of a fault; the text is a clause that says why."""


class ServerTarget(Protocol):
    """A server that is disturbed. What it cannot do raises FaultFailed, and so does all else that
    fails. Methods may be called by several threads, each for another fault."""

    @property
    def abilities(self) -> ServerAbilities:
        """What can be done to it; whether a proxy is in front of it is not its business."""
        ...

    @property
    def is_up(self) -> bool:
        """Whether it has not been killed; a stalled one is up."""
        ...

    def stall(self) -> None:
        """Stop it: it keeps its connections and answers nobody."""
        ...

    def resume(self) -> None:
        """Let it go on after a stall."""
        ...

    def kill(self, number: signal.Signals) -> None:
        """End it by a signal; nothing starts it again but ``restart``."""
        ...

    def restart(self, *, keeps_data: bool) -> None:
        """End it and start it again; return once it answers."""
        ...

    def failover(self) -> None:
        """Let a replica become the master; return once the new master accepts writes."""
        ...

    def pause(self, seconds: float) -> None:
        """Let its clients wait; return once it answers again."""
        ...

    def fill(self) -> None:
        """Leave it no memory beyond what it uses now."""
        ...

    def make_room(self) -> None:
        """Give it back the memory that it had before."""
        ...

    def reset_connections(self, share: float, draw: random.Random) -> int:
        """Close a share of the run's connections, drawn at random; return how many."""
        ...


class WorkerTarget(Protocol):
    """The workers of a run, by numbers from 1 on. All methods raise FaultFailed where there is no
    such worker, or it is not running; ``number`` is None for all."""

    def stall(self, number: int | None) -> None:
        """Stop the processes of workers."""
        ...

    def resume(self, number: int | None) -> None:
        """Let workers go on after a stall."""
        ...

    def kill(self, number: int | None, with_signal: signal.Signals) -> None:
        """Send workers a signal that ends them."""
        ...

    def start(self, number: int | None) -> None:
        """Start the worker with that number, which was killed or is one more; None for the first
        one that was killed, or else one more.

        To be called by the thread that takes the processes' messages.
        """
        ...


class NetworkTarget(Protocol):
    """The network between a server and everybody else."""

    def set_network(self, network: Network) -> None:
        """Let it be another one from now on."""
        ...

    def reset(self, share: float) -> int:
        """Reset a share of its connections, at least one where there is any; return how many."""
        ...


@dataclass(frozen=True)
class FaultTargets:
    """Everything that a plan of faults may strike."""

    server: ServerTarget
    workers: WorkerTarget
    network: NetworkTarget | None = None
    """None where connections go straight to the server."""
    usual_network: Network = field(default_factory=Network)
    """What the network is without a fault."""

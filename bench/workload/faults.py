"""What a plan of faults says: values, read by nobody and performed by nobody here.

A fault is something that a run does on purpose to its server, its workers or its network, at a
moment of its own clock, to find out what is lost and how long it takes to come back.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

import msgspec


class FaultKind(StrEnum):
    """What is done. The value is the verb of the written form and the name in objectives."""

    STALL = "stall"
    """The server or a worker is stopped (SIGSTOP), and goes on after a while."""
    PAUSE = "pause"
    """The server makes its clients wait (``CLIENT PAUSE``)."""
    KILL = "kill"
    """A process is ended by a signal, SIGKILL unless another one is said."""
    START = "start"
    """A worker is started: one that was killed before, or one more."""
    RESTART = "restart"
    """The server is ended and started again, with or without what it held."""
    FAILOVER = "failover"
    """A replica becomes the master."""
    RESET = "reset"
    """Connections to the server are reset."""
    NETWORK = "network"
    """The network between everybody and the server becomes another one for a while."""
    FILL = "fill"
    """The server's memory is full: it evicts or refuses, as its policy says."""


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """What a connection to the server goes through. Nothing by default."""

    round_trip_s: float = 0.0
    """Added to each round trip, half of it in each direction."""
    jitter_s: float = 0.0
    """The most by which the added time differs, either way; evenly distributed."""
    bytes_per_s: float | None = None
    """Bandwidth of each connection in each direction; None without a limit."""
    resets_per_s: float = 0.0
    """How often a connection is reset, on average, of all connections together."""
    is_black_hole: bool = False
    """Whether nothing gets through, and nothing says so."""

    @property
    def changes_nothing(self) -> bool:
        """Whether bytes pass as without it."""
        return self == Network()


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One fault, at one moment.

    A plan that repeats a fault or draws its moment is resolved into these before the run.
    """

    kind: FaultKind
    at_s: float
    """When it begins, after the start of the run."""
    lasts_s: float = 0.0
    """How long it lasts; zero for one that is over at once or when the server is back, and for a
    full memory that nothing ends before the run does."""
    worker: int | None = None
    """The worker, counted from 1; None for all workers, or where it is none of a worker. The
    number after the last one starts one more worker."""
    of_worker: bool = False
    """Whether it strikes workers and not the server."""
    signal: str = "KILL"
    """The signal that ends a process, without ``SIG``."""
    keeps_data: bool = True
    """Whether a server that is restarted has what it had saved; False for an empty one."""
    share: float = 1.0
    """The share of the connections that are reset, drawn by the run's seed."""
    network: Network = Network()
    text: str = ""
    """As it was written, for people."""

    @property
    def ends_s(self) -> float:
        """When it is over by itself, after the start of the run; ``at_s`` where it is at once."""
        return self.at_s + self.lasts_s


Which = int | Literal["all", "any"] | None
"""Which worker a written fault strikes: a number from 1, all of them, one that the seed draws, or
none of them; to start one, None for whichever was ended first, or one more."""


class PlannedFault(msgspec.Struct, frozen=True, kw_only=True):
    """A fault as it is written, which may stand for several, and leave to the seed when and whom.

    ``fault`` is the first of them, or the one whose moment is drawn; its ``worker`` and ``text``
    are not set yet.
    """

    fault: Fault
    which: Which = None
    every_s: float | None = None
    """The time from one to the next; None where it does not repeat."""
    times: int | None = None
    """How often it occurs: None for as long as tasks are enqueued, or for once."""
    drawn_until_s: float | None = None
    """Where the seed draws its moments: between ``fault.at_s`` and this time. Else None."""


MAY_LOSE: Mapping[FaultKind, bool] = MappingProxyType(
    {
        FaultKind.STALL: False,
        FaultKind.PAUSE: False,
        FaultKind.START: False,
        FaultKind.KILL: True,
        FaultKind.RESTART: True,
        FaultKind.FAILOVER: True,
        FaultKind.RESET: True,
        FaultKind.NETWORK: True,
        FaultKind.FILL: True,
    }
)
"""Whether a fault can explain that an acknowledged task is gone."""

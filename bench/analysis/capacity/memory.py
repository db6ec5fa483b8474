"""Memory of queued tasks, and of finished tasks that are kept for some time.

In steady state, rate × time kept finished tasks are in memory. Where there are several servers,
what fits is computed for the busiest one.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from bench import units


class MemoryPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Memory of kept and queued tasks. A value is None where it is not known.

    The first three are totals over all servers, the others are about the busiest server.
    """

    kept_tasks: int
    """Number of finished tasks that are kept in steady state."""
    kept_bytes: int | None
    backlog_bytes: int | None
    kept_share: float | None
    """Share of the server's memory that kept tasks take; at 1 or above they alone fill it."""
    longest_keep_s: float | None
    """Longest time for which finished tasks can be kept while the queues are empty."""
    longest_keep_with_backlog_s: float | None
    """Longest time for which finished tasks can be kept beside the backlog; 0 if the backlog alone
    fills the memory."""


@dataclass(frozen=True, kw_only=True)
class MemoryDemand:
    """What is stored in memory, and how much memory there is."""

    rate_per_s: float
    busiest: float
    """Share of all tasks on the busiest server."""
    backlog: int
    keep_s: float
    """Time for which finished tasks are kept; 0 if they are deleted."""
    queued_bytes: float | None
    """Memory of a queued task."""
    kept_bytes: float | None
    """Memory of a kept task."""
    memory_bytes: int | None
    """Memory of one server."""

    @property
    def kept_tasks(self) -> float:
        """Number of finished tasks that are kept in steady state, over all servers."""
        return self.rate_per_s * self.keep_s

    @property
    def kept_total(self) -> float | None:
        """Bytes of the kept tasks over all servers; None where they are not known."""
        if not self.kept_tasks:
            return 0.0
        return None if self.kept_bytes is None else self.kept_tasks * self.kept_bytes

    @property
    def backlog_total(self) -> float | None:
        """Bytes of the backlog over all servers; None where they are not known."""
        return None if self.queued_bytes is None else self.backlog * self.queued_bytes

    @property
    def full_at(self) -> int | None:
        """Number of queued tasks that fill the busiest server beside its kept tasks."""
        if self.memory_bytes is None or self.kept_total is None or not self.queued_bytes:
            return None
        left = max(self.memory_bytes - self.kept_total * self.busiest, 0.0)
        return int(left / self.queued_bytes)

    @property
    def full_s(self) -> float | None:
        """Time until the busiest server is full when no worker serves its queues."""
        return None if self.full_at is None else self.full_at / (self.rate_per_s * self.busiest)

    def longest_keep_s(self, beside_bytes: float | None) -> float | None:
        """Returns for how long tasks can be kept beside other data, in bytes over all servers."""
        if self.memory_bytes is None or beside_bytes is None or not self.kept_bytes:
            return None
        left = max(self.memory_bytes - beside_bytes * self.busiest, 0.0)
        return left / (self.rate_per_s * self.busiest * self.kept_bytes)


def plan_memory(demand: MemoryDemand) -> MemoryPlan:
    """Returns the memory of kept and queued tasks, and what fits."""
    kept, backlog, memory = demand.kept_total, demand.backlog_total, demand.memory_bytes
    return MemoryPlan(
        kept_tasks=round(demand.kept_tasks),
        kept_bytes=None if kept is None else round(kept),
        backlog_bytes=None if backlog is None else round(backlog),
        kept_share=None if kept is None or not memory else kept * demand.busiest / memory,
        longest_keep_s=demand.longest_keep_s(0.0),
        longest_keep_with_backlog_s=demand.longest_keep_s(backlog),
    )


def memory_notes(demand: MemoryDemand, plan: MemoryPlan) -> Iterator[str]:
    """Yields what a reader must know about memory, one sentence each."""
    if plan.kept_bytes is None:
        yield "the record has no memory per task; add --kept-bytes for the memory of kept tasks"
    if plan.kept_share is not None and plan.kept_share >= 1:
        yield (
            "kept tasks alone fill the memory of a server; keep them for at most "
            f"{units.format_duration(plan.longest_keep_s)}, or give it more memory"
        )
    elif demand.full_at is not None and demand.full_at < demand.backlog * demand.busiest:
        yield _backlog_too_large(demand, plan)


def _backlog_too_large(demand: MemoryDemand, plan: MemoryPlan) -> str:
    backlog = f"a backlog of {units.format_count(demand.backlog)} tasks"
    if not demand.keep_s or not plan.longest_keep_with_backlog_s:
        return f"{backlog} alone fills the memory of a server; give it more memory"
    longest = units.format_duration(plan.longest_keep_with_backlog_s)
    return (
        f"{backlog} does not fit beside the kept tasks; keep them for at most {longest}, or give "
        "the server more memory"
    )

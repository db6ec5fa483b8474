"""What was read of a server's queues: values that the reader makes and that a draft is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.wire.layout_contract import CounterRules, Layout


@dataclass(frozen=True)
class SampledTask:
    """One task as it was read; None where it was too large to be read, or does not tell."""

    queue: str
    """Empty where neither the task nor its key names its queue."""
    size: int
    """Bytes of the payload; of a task that was too large to be read, those of its text fields."""
    is_json: bool | None = None
    retries: int | None = None
    max_retry: int | None = None
    state: str = ""
    has_result: bool | None = None
    """Whether a result is stored; None for a task that is not completed."""


@dataclass(frozen=True)
class QueueReading:
    """One queue at one moment."""

    waiting: int = 0
    """Ids that wait for a worker, or for their next attempt."""
    active: int = 0
    archived: int = 0
    processed: int | None = None
    """The queue's own totals; None where it keeps none."""
    failed: int | None = None

    @property
    def unfinished(self) -> int:
        """Tasks that have not ended."""
        return self.waiting + self.active


@dataclass(frozen=True)
class Reading:
    """All queues at one moment."""

    at_s: float
    """On a clock of the reader's own."""
    queues: Mapping[str, QueueReading]
    keys: int | None = None
    """Keys of the whole database; None where it was not asked for."""


@dataclass(frozen=True)
class Survey:
    """All that was read."""

    layout: Layout
    address: str
    queues: Sequence[str]
    """Names in no order: those with tasks, those that are registered, those that tasks name."""
    left_out: int
    """Queues that were found and not read, because there were too many."""
    tasks: Sequence[SampledTask]
    unreadable: int
    """Sampled ids whose task does not exist, or does not follow the layout."""
    readings: Sequence[Reading]
    """In the order in which they were taken; at least one."""
    rules: CounterRules
    """What the queues' totals count."""
    day_ends: Mapping[str, int]
    """Tasks that ended yesterday (UTC) by queue, for queues that count them."""
    others: Sequence[str]
    """Names of other layouts that have queues on the server."""
    is_whole: bool
    """Whether the search for queues reached the last key."""
    commands: int
    """Commands that the server was sent, all of them reading ones."""
    took_s: float

"""Every task id accounted for.

Producers note which of their sequence numbers the server acknowledged or refused, workers which
they finished or archived, and at the end the lists in Redis say what is still there. ``account``
puts these sets together; two equations hold by construction in every run:

    due      = enqueued + unknown + not_sent
    enqueued = completed + failed + pending + active + lost

A task that was sent and whose reply never came is *unknown* only as long as nobody saw it: once it
turns up finished, pending or active, it was enqueued after all, and is counted so. A task that the
server refused was never enqueued, and is part of ``not_sent``.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from bench.arrays import Flags, Integers
from bench.measure.bits import Bits

_CHUNK = 1 << 16
"""Sequence numbers looked at together; bounds the memory of the account."""


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the tasks of a queue, or of all of them."""

    due: int = 0
    enqueued: int = 0
    completed: int = 0
    failed: int = 0
    """Archived: given up for good."""
    retried: int = 0
    """Attempts after the first."""
    pending: int = 0
    active: int = 0
    lost: int = 0
    duplicated: int = 0
    """Finishes beyond the first of the same task."""
    unknown: int = 0
    not_sent: int = 0
    refused: int = 0
    """Of those not sent: given to the server, which answered with an error."""

    def plus(self, other: "Counts") -> "Counts":
        """Both counts together."""
        return Counts(
            **{name: getattr(self, name) + getattr(other, name) for name in self.__struct_fields__}
        )


@dataclass
class ProducerLedger:
    """One producer's part: sequence numbers from 0 up to, not including, ``due`` were due."""

    due: int = 0
    sent: int = 0
    acknowledged: Bits = field(default_factory=Bits)
    refused: Bits = field(default_factory=Bits)


@dataclass
class WorkerLedger:
    """One worker's part, by producer number; repeats and retries by queue."""

    completed: dict[int, Bits] = field(default_factory=dict)
    archived: dict[int, Bits] = field(default_factory=dict)
    duplicated: dict[str, int] = field(default_factory=dict)
    retried: dict[str, int] = field(default_factory=dict)

    def finish(self, queue: str, producer: int, sequences: Integers) -> Integers:
        """Note tasks (n,) that were completed; return those finished before."""
        repeats = self.completed.setdefault(producer, Bits()).add(sequences)
        self.count_repeats(queue, len(repeats))
        return repeats

    def archive(self, queue: str, producer: int, sequences: Integers) -> None:
        """Note tasks (n,) that were given up for good."""
        repeats = self.archived.setdefault(producer, Bits()).add(sequences)
        self.count_repeats(queue, len(repeats))

    def count_repeats(self, queue: str, repeats: int) -> None:
        """Add to a queue's duplicates."""
        if repeats:
            self.duplicated[queue] = self.duplicated.get(queue, 0) + repeats

    def retry(self, queue: str, attempts: int) -> None:
        """Add to a queue's retries."""
        self.retried[queue] = self.retried.get(queue, 0) + attempts


@dataclass(frozen=True)
class Evidence:
    """All that is known of a run's tasks, from every side.

    ``queue_of(producer, sequences (n,))`` gives each task's queue index; ``pending`` and
    ``active`` hold, by producer, the ids found in the lists at the end.
    """

    queues: Sequence[str]
    queue_of: Callable[[int, Integers], Integers]
    producers: Mapping[int, ProducerLedger]
    workers: Sequence[WorkerLedger]
    pending: Mapping[int, Bits]
    active: Mapping[int, Bits]


def account(evidence: Evidence) -> dict[str, Counts]:
    """The counts of each queue, in the order of the queues."""
    totals = {
        queue: Counts(
            duplicated=sum(worker.duplicated.get(queue, 0) for worker in evidence.workers),
            retried=sum(worker.retried.get(queue, 0) for worker in evidence.workers),
        )
        for queue in evidence.queues
    }
    for number, producer in evidence.producers.items():
        for start in range(0, producer.due, _CHUNK):
            stop = min(start + _CHUNK, producer.due)
            counted = _account_range(evidence, number, producer, start, stop)
            for queue, counts in counted.items():
                totals[queue] = totals[queue].plus(counts)
    return totals


def _account_range(
    evidence: Evidence, number: int, producer: ProducerLedger, start: int, stop: int
) -> dict[str, Counts]:
    sequences = np.arange(start, stop)
    queue = evidence.queue_of(number, sequences)

    def union(sets: Iterable[Mapping[int, Bits]]) -> Integers:
        times = np.zeros(stop - start, np.int64)
        for by_producer in sets:
            if number in by_producer:
                times += by_producer[number].flags(start, stop)
        return times

    completions = union(worker.completed for worker in evidence.workers)
    archivings = union(worker.archived for worker in evidence.workers)
    completed = completions > 0
    failed = (archivings > 0) & ~completed
    settled = completed | failed
    active = (union([evidence.active]) > 0) & ~settled
    pending = (union([evidence.pending]) > 0) & ~settled & ~active
    seen = settled | active | pending
    refused = producer.refused.flags(start, stop) & ~seen
    enqueued = seen | (producer.acknowledged.flags(start, stop) & ~refused)
    unsent = sequences >= producer.sent

    def by_queue(weights: Integers | Flags) -> list[int]:
        counted = np.bincount(queue, weights=weights, minlength=len(evidence.queues))
        return [int(each) for each in counted]

    columns = {
        "due": by_queue(np.ones_like(sequences)),
        "enqueued": by_queue(enqueued),
        "completed": by_queue(completed),
        "failed": by_queue(failed),
        "pending": by_queue(pending),
        "active": by_queue(active),
        "lost": by_queue(enqueued & ~seen),
        # Within one worker repeats are counted as they happen; these are between workers.
        "duplicated": by_queue(np.maximum(completions + archivings - 1, 0)),
        "refused": by_queue(refused),
        "not_sent": by_queue((unsent | refused) & ~enqueued),
        "unknown": by_queue(~(unsent | refused | enqueued)),
    }
    return {
        name: Counts(**{column: values[index] for column, values in columns.items()})
        for index, name in enumerate(evidence.queues)
    }


def total(counts: Iterable[Counts]) -> Counts:
    """All queues together."""
    together = Counts()
    for each in counts:
        together = together.plus(each)
    return together


def imbalance(counts: Counts) -> str | None:
    """What does not add up, in words, or None. Never anything but None: a test of ourselves."""
    if counts.due != counts.enqueued + counts.unknown + counts.not_sent:
        return f"due {counts.due} is not enqueued + unknown + not sent"
    gone = counts.completed + counts.failed + counts.pending + counts.active + counts.lost
    if counts.enqueued != gone:
        return f"enqueued {counts.enqueued} is not completed + failed + pending + active + lost"
    return None

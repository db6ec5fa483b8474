"""Accounts for every task id.

Producers record which of their sequence numbers the server acknowledged or refused, workers record
which tasks they completed or archived, and at the end the lists in Redis hold the remaining ones.
``account`` combines these sets. Two equations hold by construction in every run:

    due      = enqueued + unknown + not_sent
    enqueued = completed + failed + outcome_unknown + pending + active + lost

A task that was sent and got no reply is *unknown* only if it was not seen anywhere: if it is found
finished, pending or active, it was enqueued and counts as such. A task of which the server refused
a command was never enqueued and is part of ``not_sent``, unless a worker has taken it all the same.

A task that has ended and whose hash is gone may have succeeded or failed: it is *outcome unknown*
until counters of the queue say more (``bench.measure.endings``).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from bench.arrays import Flags, Integers, extremes
from bench.measure.bits import Bits

_CHUNK = 1 << 16
"""Number of sequence numbers processed together; bounds the memory that ``account`` needs."""


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Number of tasks by outcome, of one queue or of all queues together."""

    due: int = 0
    enqueued: int = 0
    completed: int = 0
    failed: int = 0
    """Archived after the last attempt."""
    outcome_unknown: int = 0
    """Ended, and nothing shows whether they succeeded or failed."""
    retried: int = 0
    """Failed attempts that a retry follows, or was to follow."""
    pending: int = 0
    active: int = 0
    lost: int = 0
    duplicated: int = 0
    """Completions and archivings beyond the first of the same task."""
    unknown: int = 0
    not_sent: int = 0
    refused: int = 0
    """Tasks among ``not_sent`` to which the server replied with an error."""
    not_replicated: int = 0
    """Tasks that the server acknowledged, and replicas or files did not as was asked for."""

    @property
    def ended(self) -> int:
        """Number of tasks that have ended, however they did."""
        return self.completed + self.failed + self.outcome_unknown

    def plus(self, other: "Counts") -> "Counts":
        """Returns the sum of both counts, field by field."""
        return Counts(
            **{name: getattr(self, name) + getattr(other, name) for name in self.__struct_fields__}
        )


@dataclass
class ProducerLedger:
    """The tasks of one producer: sequence numbers below ``due`` were due, below ``sent`` sent."""

    due: int = 0
    sent: int = 0
    acknowledged: Bits = field(default_factory=Bits)
    """All that were answered, those that were refused included."""
    refused: Bits = field(default_factory=Bits)

    def acknowledge(self, parts: Sequence[Integers]) -> None:
        """Adds tasks that were answered, each of them once, in parts (n,)."""
        together = np.concatenate(parts) if len(parts) > 1 else parts[0]
        for sequences in [together] if _is_range(together) else parts:
            if _is_range(sequences):  # mostly; it is the fastest by far
                first, last = extremes(sequences)
                self.acknowledged.add_range(first, last + 1)
            else:
                self.acknowledged.add(sequences)

    def refuse(self, sequences: Integers) -> None:
        """Adds tasks (n,) that were answered with an error."""
        self.acknowledged.add(sequences)
        self.refused.add(sequences)


@dataclass
class WorkerLedger:
    """The tasks of one worker: sets by producer number, repeats and retries by queue."""

    completed: dict[int, Bits] = field(default_factory=dict)
    archived: dict[int, Bits] = field(default_factory=dict)
    gone: dict[int, Bits] = field(default_factory=dict)
    duplicated: dict[str, int] = field(default_factory=dict)
    retried: dict[str, int] = field(default_factory=dict)

    def complete(self, queue: str, producer: int, sequences: Integers) -> Integers:
        """Adds completed tasks (n,); returns those that this worker had completed before."""
        repeats = self.completed.setdefault(producer, Bits()).add(sequences)
        self.count_repeats(queue, len(repeats))
        return repeats

    def archive(self, queue: str, producer: int, sequences: Integers) -> Integers:
        """Adds archived tasks (n,), which failed for good; returns those that this worker had
        archived before."""
        repeats = self.archived.setdefault(producer, Bits()).add(sequences)
        self.count_repeats(queue, len(repeats))
        return repeats

    def note_gone(self, producer: int, sequences: Integers) -> None:
        """Adds tasks (n,) that were enqueued and have ended, and of which nothing is left."""
        self.gone.setdefault(producer, Bits()).add(sequences)

    def count_repeats(self, queue: str, repeats: int) -> None:
        """Adds to the duplicates of a queue."""
        if repeats:
            self.duplicated[queue] = self.duplicated.get(queue, 0) + repeats

    def retry(self, queue: str, attempts: int) -> None:
        """Adds to the retries of a queue."""
        self.retried[queue] = self.retried.get(queue, 0) + attempts


@dataclass(frozen=True)
class Evidence:
    """What producers, workers and the lists in Redis know about the tasks of a run.

    ``queue_of(producer, sequences (n,))`` returns the queue index (n,) of each task; ``pending``
    and ``active`` hold, by producer, the sequence numbers found in the lists at the end.
    """

    queues: Sequence[str]
    queue_of: Callable[[int, Integers], Integers]
    producers: Mapping[int, ProducerLedger]
    workers: Sequence[WorkerLedger]
    pending: Mapping[int, Bits]
    active: Mapping[int, Bits]


def account(evidence: Evidence) -> dict[str, Counts]:
    """Returns the counts by queue, in the order of ``evidence.queues``."""
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


def sequences_by_outcome(
    evidence: Evidence, outcomes: Sequence[str]
) -> dict[str, dict[int, Integers]]:
    """Returns the sequence numbers (n,) of tasks by outcome, which is the name of a count, and by
    producer: each of them as often as it counts there."""
    found: dict[str, dict[int, list[Integers]]] = {name: {} for name in outcomes}
    for number, producer in evidence.producers.items():
        for start in range(0, producer.due, _CHUNK):
            sequences = np.arange(start, min(start + _CHUNK, producer.due))
            columns = _outcomes(evidence, number, producer, sequences)
            for name in outcomes:
                chosen = np.repeat(sequences, columns[name].astype(np.int64))
                if len(chosen):
                    found[name].setdefault(number, []).append(chosen)
    return {
        name: {number: np.concatenate(parts) for number, parts in by_producer.items()}
        for name, by_producer in found.items()
    }


def _account_range(
    evidence: Evidence, number: int, producer: ProducerLedger, start: int, stop: int
) -> dict[str, Counts]:
    """The counts by queue of one producer's sequence numbers from ``start`` to ``stop``."""
    sequences = np.arange(start, stop)
    queue = evidence.queue_of(number, sequences)
    outcomes = _outcomes(evidence, number, producer, sequences)
    columns = {
        name: np.bincount(queue, weights=weights, minlength=len(evidence.queues))
        for name, weights in outcomes.items()
    }
    return {
        name: Counts(**{column: int(values[index]) for column, values in columns.items()})
        for index, name in enumerate(evidence.queues)
    }


def _outcomes(
    evidence: Evidence, number: int, producer: ProducerLedger, sequences: Integers
) -> dict[str, Integers | Flags]:
    """What each task (n,) adds to each field of ``Counts``."""
    start, stop = int(sequences[0]), int(sequences[-1]) + 1
    completions = _occurrences([each.completed for each in evidence.workers], number, start, stop)
    archivings = _occurrences([each.archived for each in evidence.workers], number, start, stop)
    completed = completions > 0
    failed = (archivings > 0) & ~completed
    gone = _occurrences([each.gone for each in evidence.workers], number, start, stop) > 0
    gone &= ~(completed | failed)
    ended = completed | failed | gone
    active = (_occurrences([evidence.active], number, start, stop) > 0) & ~ended
    pending = (_occurrences([evidence.pending], number, start, stop) > 0) & ~ended & ~active
    refused = producer.refused.flags(start, stop) & ~(ended | active)
    pending &= ~refused  # its id may be on the list although its hash was refused
    seen = ended | active | pending
    enqueued = seen | (producer.acknowledged.flags(start, stop) & ~refused)
    unsent = (sequences >= producer.sent) | refused
    return {
        "due": np.ones_like(sequences),
        "enqueued": enqueued,
        "completed": completed,
        "failed": failed,
        "outcome_unknown": gone,
        "pending": pending,
        "active": active,
        "lost": enqueued & ~seen,
        # Each worker counts its own repeats as they happen; these are the ones between workers.
        "duplicated": np.maximum(completions + archivings - 1, 0),
        "refused": refused,
        "not_sent": unsent & ~enqueued,
        "unknown": ~(unsent | enqueued),
    }


def _is_range(numbers: Integers) -> bool:
    """Whether these numbers (n,), which are all different, are a range of numbers in any order."""
    first, last = extremes(numbers)
    return last - first + 1 == len(numbers)


def _occurrences(
    sets: Iterable[Mapping[int, Bits]], number: int, start: int, stop: int
) -> Integers:
    """Number of sets that hold each of a producer's sequence numbers, ``start`` to ``stop``."""
    times = np.zeros(stop - start, np.int64)
    for by_producer in sets:
        if number in by_producer:
            times += by_producer[number].flags(start, stop)
    return times


def total(counts: Iterable[Counts]) -> Counts:
    """Returns the sum of all counts."""
    summed = Counts()
    for each in counts:
        summed = summed.plus(each)
    return summed


def imbalance(counts: Counts) -> str | None:
    """Returns which of the two equations does not hold, as text, or None.

    Anything but None is a defect of the ledger itself.
    """
    if counts.due != counts.enqueued + counts.unknown + counts.not_sent:
        return f"due {counts.due} is not enqueued + unknown + not sent"
    if counts.enqueued != counts.ended + counts.pending + counts.active + counts.lost:
        return (
            f"enqueued {counts.enqueued} is not completed + failed + outcome unknown + pending "
            "+ active + lost"
        )
    return None

"""Tasks that a worker has taken and read: their payloads, service times and outcomes."""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from bench.arrays import Integers
from bench.wire.columns import read_ids
from bench.wire.layout_contract import Layout
from bench.wire.task import Hashes
from bench.worker.recorder import AttemptBatch, AttemptOutcome
from bench.worker.retry_policy import outcome_of
from bench.workload import draws
from bench.workload.distribution import Distribution
from bench.workload.scenario_fields import Priority

_PRODUCER_SHIFT = 40
_MOST_ATTEMPTS = 1024
_NOT_A_TASK = (ValueError, TypeError, LookupError)
"""What reading raises for the error of a key that is no hash, or for fields of another kind."""


class TaskRecorder(Protocol):
    """Records what happens to the tasks of one run."""

    def started(self, count: int, now_us: int) -> None:
        """Record that tasks were taken."""
        ...

    def missing(self, task_ids: Sequence[bytes]) -> None:
        """Record ids that were popped and had no task behind them."""
        ...

    def ended(
        self, queue: str, attempts: AttemptBatch, outcome: AttemptOutcome, finished_us: int
    ) -> None:
        """Record that the last command of these attempts was acknowledged."""
        ...


class RecorderLookup(Protocol):
    """Finds the recorder of each task."""

    def split(self, task_ids: Sequence[bytes]) -> list[tuple[TaskRecorder, Sequence[int]]]:
        """(recorder, indices of its tasks) for each run among these ids.

        Raises ConnectionLost if the server cannot be asked at the moment.
        """
        ...


@dataclass(frozen=True)
class WorkerSettings:
    """How a worker serves its queues."""

    queues: dict[str, float]
    """Weights of the priorities by queue, highest first."""
    layout: Layout
    concurrency: int
    prefetch: int
    service_time: Distribution
    failure_rate: float
    retry_delay_us: int
    priority: Priority
    store_results: bool
    seed: int

    @property
    def takes_time(self) -> bool:
        """Whether tasks have a service time at all."""
        return self.service_time.kind != "none"


@dataclass(frozen=True)
class TaskBatch:
    """Tasks (n,) of one queue and one run that a worker has taken and read."""

    queue: str
    recorder: TaskRecorder
    attempts: AttemptBatch
    limits: Sequence[int]
    """The greatest number of attempts after the first, by task."""
    fails: Sequence[bool]
    """Whether each attempt fails; empty where none does."""
    messages: Sequence[bytes] = ()
    """The whole tasks, where any fails and the layout rewrites failed tasks; otherwise empty."""

    def __len__(self) -> int:
        return len(self.attempts)

    @property
    def service_us(self) -> Sequence[int]:
        """Service times; empty where tasks take no time."""
        return self.attempts.service_us

    @property
    def task_ids(self) -> Sequence[bytes]:
        """The ids, in the order in which they were taken."""
        return self.attempts.task_ids

    def messages_of(self, outcome: AttemptOutcome) -> Sequence[bytes]:
        """The whole tasks, where that outcome rewrites them; otherwise none."""
        return () if outcome is AttemptOutcome.COMPLETED else self.messages

    def message_of(self, outcome: AttemptOutcome) -> bytes:
        """The whole task of a batch of one, where that outcome rewrites it; otherwise empty."""
        messages = self.messages_of(outcome)
        return messages[0] if messages else b""

    def only(self, chosen: Sequence[int]) -> "TaskBatch":
        """The batch of the tasks with these indices."""
        attempts = self.attempts
        return TaskBatch(
            self.queue,
            self.recorder,
            AttemptBatch(
                [attempts.task_ids[index] for index in chosen],
                [attempts.payloads[index] for index in chosen],
                [attempts.retries[index] for index in chosen],
                [attempts.started_us[index] for index in chosen],
                attempts.popped_us,
                [attempts.service_us[index] for index in chosen] if attempts.service_us else (),
            ),
            [self.limits[index] for index in chosen],
            [self.fails[index] for index in chosen] if self.fails else (),
            [self.messages[index] for index in chosen] if self.messages else (),
        )

    def by_outcome(self) -> Iterator[tuple[AttemptOutcome, "TaskBatch"]]:
        """The tasks by the outcome of their attempt."""
        if not any(self.fails):
            yield AttemptOutcome.COMPLETED, self
            return
        chosen: dict[AttemptOutcome, list[int]] = {}
        for index, fails in enumerate(self.fails):
            outcome = outcome_of(fails, self.attempts.retries[index], self.limits[index])
            chosen.setdefault(outcome, []).append(index)
        for outcome, members in chosen.items():
            yield outcome, self.only(members)


class ReadTasks(NamedTuple):
    """What is behind some ids (n,) that were popped."""

    batches: Sequence[TaskBatch]
    unreadable: Sequence[tuple[int, TaskRecorder]]
    """Index and recorder of each id whose key holds what is no task of the layout."""


def read_batches(
    settings: WorkerSettings,
    lookup: RecorderLookup,
    queue: str,
    task_ids: Sequence[bytes],
    replies: Sequence[Any],
    popped_us: int,
) -> ReadTasks:
    """The tasks by run, from ids (n,) and the replies (n,) to loading them.

    Ids without a task are recorded as missing, and left alone. Raises ConnectionLost, before
    anything was recorded, if it cannot be found out now whose tasks these are.
    """
    batches = []
    unreadable: list[tuple[int, TaskRecorder]] = []
    for recorder, members in lookup.split(task_ids):
        found = members
        if not all(map(replies.__getitem__, members)):  # an id without a hash reads as nothing
            found = [index for index in members if replies[index]]
            recorder.missing([task_ids[index] for index in sorted({*members} - {*found})])
        hashes, readable = _read(settings.layout, replies, found)
        if len(readable) < len(found):
            unreadable += [(index, recorder) for index in sorted({*found} - {*readable})]
        if readable:
            is_all = len(readable) == len(task_ids)
            chosen = task_ids if is_all else [task_ids[index] for index in readable]
            batches.append(_batch(settings, queue, recorder, chosen, hashes, popped_us))
            recorder.started(len(readable), popped_us)
    return ReadTasks(batches, unreadable)


def _read(
    layout: Layout, replies: Sequence[Any], chosen: Sequence[int]
) -> tuple[Hashes, Sequence[int]]:
    """The tasks in the chosen replies, and the indices of those that are tasks."""
    is_all = len(chosen) == len(replies)
    try:
        return layout.read(replies if is_all else [replies[index] for index in chosen]), chosen
    except _NOT_A_TASK:
        readable = [index for index in chosen if _is_task(layout, replies[index])]
        return layout.read([replies[index] for index in readable]), readable


def _is_task(layout: Layout, reply: Any) -> bool:
    try:
        layout.read([reply])
    except _NOT_A_TASK:
        return False
    return True


def _batch(
    settings: WorkerSettings,
    queue: str,
    recorder: TaskRecorder,
    task_ids: Sequence[bytes],
    hashes: Hashes,
    popped_us: int,
) -> TaskBatch:
    service_us: Sequence[int] = ()
    fails: Sequence[bool] = ()
    if settings.takes_time or settings.failure_rate:
        numbers = _numbers(task_ids)
        if settings.takes_time:
            drawn_s = settings.service_time.draw(settings.seed, "service", numbers)
            service_us = np.rint(drawn_s * 1e6).astype(np.int64).tolist()
        if settings.failure_rate:
            attempt_numbers = numbers * _MOST_ATTEMPTS + np.array(hashes.retries, np.int64)
            chance = draws.uniform(settings.seed, "failure", attempt_numbers)
            fails = (chance < settings.failure_rate).tolist()
    messages = hashes.messages if any(fails) else ()
    started_us = [popped_us] * len(task_ids)
    attempts = AttemptBatch(
        task_ids, hashes.payloads, hashes.retries, started_us, popped_us, service_us
    )
    return TaskBatch(queue, recorder, attempts, hashes.limits, fails, messages)


def _numbers(task_ids: Sequence[bytes]) -> Integers:
    """A number for each task that does not depend on the run: the input of its random draws."""
    ids = read_ids(task_ids, None)
    numbers = (ids.producer << _PRODUCER_SHIFT) + ids.sequence
    if not ids.all_ours:  # ids that no producer of ours made
        for index in np.flatnonzero(ids.producer < 0).tolist():
            numbers[index] = zlib.crc32(task_ids[index])
    return numbers

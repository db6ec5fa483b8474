"""Tasks that a worker has taken and read, as columns: who, when, for how long, with what end."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from bench.load.work_recorder import Attempts, Outcome
from bench.wire.columns import Integers, read_ids, read_stamps
from bench.wire.layout import Layout
from bench.workload import draws
from bench.workload.distribution import Distribution
from bench.workload.scenario import Priority

_PRODUCER_SHIFT = 40
_MOST_ATTEMPTS = 1024


class Recorder(Protocol):
    """Who is told about the tasks of a run."""

    def started(self, count: int, now_us: int) -> None:
        """Tasks were taken."""
        ...

    def missing(self, count: int) -> None:
        """Ids were popped that had no task behind them."""
        ...

    def ended(self, attempts: Attempts, outcome: Outcome, finished_us: int) -> None:
        """The last command of these attempts was acknowledged."""
        ...


class Tracker(Protocol):
    """Which run a task is of."""

    def split(self, task_ids: Sequence[bytes]) -> list[tuple[int, Recorder, Integers]]:
        """(run, its recorder, indices of its tasks) for each run among these ids."""
        ...


@dataclass(frozen=True)
class Settings:
    """How a worker serves; ``queues`` in order of priority, with their weights."""

    queues: dict[str, float]
    layout: Layout
    concurrency: int
    prefetch: int
    service_time: Distribution
    failure_rate: float
    retry_delay_us: int
    priority: Priority
    store_results: bool
    seed: int
    can_pop_many: bool
    """Whether the server knows BLMPOP (Redis 7)."""


@dataclass(frozen=True)
class Claim:
    """Tasks (n,) of one queue and one run that a worker has taken and read."""

    task_ids: Sequence[bytes]
    attempts: Attempts
    max_retry: Integers
    recorder: Recorder
    service_us: Integers
    fails: Integers
    """0 or 1 for each task: drawn, so that the same task fails in every run of a seed."""

    def __len__(self) -> int:
        return len(self.task_ids)

    def only(self, chosen: Integers) -> "Claim":
        """Some of them, by index."""
        return Claim(
            [self.task_ids[index] for index in chosen.tolist()],
            self.attempts.only(chosen),
            self.max_retry[chosen],
            self.recorder,
            self.service_us[chosen],
            self.fails[chosen],
        )

    def by_outcome(self) -> Iterator[tuple[Outcome, "Claim"]]:
        """The tasks by how their attempt ends."""
        if not self.fails.any():
            yield Outcome.COMPLETED, self
            return
        exhausted = self.attempts.retry >= self.max_retry
        for outcome, chosen in (
            (Outcome.COMPLETED, self.fails == 0),
            (Outcome.RETRIED, (self.fails == 1) & ~exhausted),
            (Outcome.ARCHIVED, (self.fails == 1) & exhausted),
        ):
            if chosen.any():
                yield outcome, self.only(np.flatnonzero(chosen))


def read_claims(
    settings: Settings,
    tracker: Tracker,
    queue: str,
    task_ids: Sequence[bytes],
    replies: Sequence[Any],
    taken_us: int,
) -> list[Claim]:
    """Claims by run, from ids and their HGETALL replies (n,).

    Ids without a task behind them are counted, and left alone.
    """
    claims = []
    for run, recorder, members in tracker.split(task_ids):
        found = [index for index in members.tolist() if _is_task(replies[index])]
        if len(found) < len(members):
            recorder.missing(len(members) - len(found))
        if found:
            chosen = [task_ids[index] for index in found]
            fields = [replies[index] for index in found]
            claims.append(_claim(settings, queue, run, recorder, chosen, fields, taken_us))
            recorder.started(len(found), taken_us)
    return claims


def _claim(
    settings: Settings,
    queue: str,
    run: int,
    recorder: Recorder,
    task_ids: Sequence[bytes],
    fields: Sequence[Any],
    taken_us: int,
) -> Claim:
    payloads, retries, limits = _columns(fields)
    ids = read_ids(task_ids, run)
    attempts = Attempts(
        queue, ids, read_stamps(payloads), np.full(len(task_ids), taken_us), retries
    )
    numbers = (ids.producer << _PRODUCER_SHIFT) + ids.sequence
    service_us = np.zeros(len(task_ids), np.int64)
    if settings.service_time.kind != "none":
        drawn_s = settings.service_time.draw(settings.seed, "service", numbers)
        service_us = np.rint(drawn_s * 1e6).astype(np.int64)
    fails = np.zeros(len(task_ids), np.int64)
    if settings.failure_rate:
        chance = draws.uniform(settings.seed, "failure", numbers * _MOST_ATTEMPTS + retries)
        fails = (chance < settings.failure_rate).astype(np.int64)
    return Claim(task_ids, attempts, limits, recorder, service_us, fails)


def _is_task(reply: Any) -> bool:
    return isinstance(reply, list) and len(reply) > 0


def _columns(fields: Sequence[Any]) -> tuple[list[bytes], Integers, Integers]:
    """Payloads, retries made and most retries, from HGETALL replies."""
    payloads, retries, limits = [], [], []
    for pairs in fields:
        # The server keeps small hashes in the order in which they were written.
        if pairs[2:7:2] == [b"payload", b"retry", b"max_retry"]:
            payload, retry, limit = pairs[3], pairs[5], pairs[7]
        else:
            found = dict(zip(pairs[::2], pairs[1::2], strict=True))
            payload, retry, limit = (
                found.get(b"payload", b""),
                found.get(b"retry", b"0"),
                found.get(b"max_retry", b"0"),
            )
        payloads.append(payload)
        retries.append(int(retry))
        limits.append(int(limit))
    return payloads, np.array(retries, np.int64), np.array(limits, np.int64)

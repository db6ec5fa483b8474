"""What a worker does with tasks: the sequence in runqy's documentation, one by one or in batches.

With a prefetch of one, each coroutine works as that documentation says: it has exactly one task,
and each command waits for its reply. With more, each coroutine takes many tasks and sends the same
commands per task, in the same order, in pipelined batches: the fast path. A single further
coroutine ends tasks whose service takes time, once that time is over.
"""

import contextlib
import heapq
import math
import random
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from typing import Any

from bench.clock import Clock
from bench.errors import MeasurementError
from bench.wire import resp
from bench.wire.pops import PopRenderer
from bench.wire.transitions import Transition, Transitions
from bench.worker.batch import RecorderLookup, TaskBatch, WorkerSettings, read_batches
from bench.worker.event_loop import (
    FOREVER_US,
    Coroutine,
    CoroutineFactory,
    Operation,
    Request,
    RequestNoReply,
    Sleep,
    first_error,
)
from bench.worker.recorder import AttemptOutcome
from bench.worker.retry_policy import next_attempt_us

BLOCK_S = 2
"""How long a worker waits on empty queues at a time."""
_BATCH_COROUTINES = 4
"""Coroutines that share a prefetch: while one waits for Redis, another can process its tasks."""
_ERROR_TEXT = "failed on purpose (failure_rate)"


class Worker:
    """The coroutines of one worker, and the state that they share."""

    def __init__(self, settings: WorkerSettings, lookup: RecorderLookup, clock: Clock) -> None:
        self._settings = settings
        self._lookup = lookup
        self._clock = clock
        self._random = random.Random(settings.seed)  # noqa: S311 - not for secrets
        self._queues = tuple(settings.queues)
        self._pops = PopRenderer(settings.layout, self._queues, BLOCK_S)
        result = b'{"status":"ok"}' if settings.store_results else None
        self._steps = {
            queue: Transitions(
                settings.layout, queue, result, _ERROR_TEXT, settings.retry_delay_us / 1e6
            )
            for queue in settings.queues
        }
        self._slots = [0] * settings.concurrency
        """When each slot is free again, in µs on the run's clock; a heap."""
        self._in_service: list[tuple[int, int, int, TaskBatch]] = []
        """(end of service, order, start of service, one task), a heap."""
        self._retries: list[tuple[int, int, str, bytes]] = []
        """(when to requeue, order, queue, id), a heap."""
        self._order = 0
        self._popped: dict[int, int] = {}
        """Tasks that each popping coroutine holds, by the coroutine's number."""
        self._requested = 0
        """Most tasks that the unanswered pops can return."""
        self._finishing = 0
        """Tasks whose service is over and whose last commands are not acknowledged."""
        self.stopping = False
        self.wake_all: Callable[[], None] = lambda: None

    @property
    def waiting_retry(self) -> int:
        """Tasks that wait in this worker for their next attempt."""
        return len(self._retries)

    @property
    def in_flight(self) -> int:
        """Tasks taken and not yet ended."""
        return sum(self._popped.values()) + len(self._in_service) + self._finishing

    def coroutines(self) -> list[CoroutineFactory]:
        """Factories of all coroutines that this worker needs, one connection each."""
        settings = self._settings
        if settings.prefetch == 1:
            return [self._one_by_one] * settings.concurrency + [self._requeue_due]
        coroutines = [self._in_batches] * min(_BATCH_COROUTINES, settings.prefetch)
        if settings.takes_time:
            coroutines.append(self._finish_due)
        return [*coroutines, self._requeue_due]

    def _one_by_one(self) -> Coroutine:
        """The worker in runqy's documentation: one task, one command, one reply at a time."""
        with self._popping() as coroutine:
            while not self.stopping:
                pop = self._pops.one(self._queues_in_order())
                replies = yield Request(pop, 1, may_block=True)
                queue, task_ids = self._pops.read(_checked(replies)[0])
                if task_ids:
                    self._popped[coroutine] = 1
                    yield from self._serve_one(queue, task_ids[0])
                    self._popped[coroutine] = 0

    def _serve_one(self, queue: str, task_id: bytes) -> Coroutine:
        popped_us = self._clock.now_us()
        steps = self._steps[queue]
        replies = yield Request(steps.load.render([task_id]), 1)
        for batch in self._read_batches(queue, [task_id], replies, popped_us):
            for command in steps.start.commands(task_id, now_s=self._now_s()):
                _require_no_errors((yield RequestNoReply(resp.encode([command]), 1)))
            if batch.service_us:
                yield Sleep(self._clock.now_us() + batch.service_us[0])
            for outcome, part in batch.by_outcome():
                step, message = _end_step(steps, outcome), part.message_of(outcome)
                for command in step.commands(task_id, message, self._now_s()):
                    _require_no_errors((yield RequestNoReply(resp.encode([command]), 1)))
                self._ended(outcome, part)

    def _in_batches(self) -> Coroutine:
        """Takes and starts tasks in batches; ends them at once where service takes no time."""
        coroutines = min(_BATCH_COROUTINES, self._settings.prefetch)
        most = math.ceil(self._settings.prefetch / coroutines)
        with self._popping() as coroutine:
            while not self.stopping:
                room = min(most, self._settings.prefetch - self.in_flight - self._requested)
                if room <= 0:
                    yield Sleep(FOREVER_US)
                    continue
                self._requested += room
                try:
                    queue, task_ids = yield from self._take_many(room)
                finally:
                    self._requested -= room
                if task_ids:
                    self._popped[coroutine] = len(task_ids)
                    yield from self._serve_batch(queue, task_ids)
                    self._popped[coroutine] = 0

    @contextlib.contextmanager
    def _popping(self) -> Iterator[int]:
        """The number of a coroutine that takes tasks, for as long as it does."""
        self._order += 1
        coroutine = self._order
        self._popped[coroutine] = 0
        try:
            yield coroutine
        finally:
            del self._popped[coroutine]
            self.wake_all()

    def _serve_batch(self, queue: str, task_ids: Sequence[bytes]) -> Coroutine:
        popped_us = self._clock.now_us()
        steps = self._steps[queue]
        replies = yield Request(steps.load.render(task_ids), len(task_ids))
        batches = self._read_batches(queue, task_ids, replies, popped_us)
        for batch in batches:
            if self._settings.takes_time:
                data = steps.start.render(batch.task_ids, self._now_s())
                _require_no_errors(
                    (yield RequestNoReply(data, steps.start.replies_per_task * len(batch)))
                )
                self._begin_service(batch)
                continue
            parts = list(batch.by_outcome())
            for outcome, part in parts:
                step = _whole_step(steps, outcome)
                data = step.render(part.task_ids, self._now_s(), part.messages_of(outcome))
                _require_no_errors((yield RequestNoReply(data, step.replies_per_task * len(part))))
                self._ended(outcome, part)

    def _finish_due(self) -> Coroutine:
        """Ends tasks when their service time is over."""
        while self._in_service or self._popped or not self.stopping:
            now_us = self._clock.now_us()
            if self.stopping and not self._popped:  # only then, so that their order is kept
                yield from self._put_back_unstarted(now_us)
            due: dict[tuple[str, AttemptOutcome], list[TaskBatch]] = {}
            while self._in_service and self._in_service[0][0] <= now_us:
                batch = heapq.heappop(self._in_service)[3]
                for outcome, part in batch.by_outcome():
                    due.setdefault((part.queue, outcome), []).append(part)
            self._finishing = sum(map(len, due.values()))
            for (queue, outcome), parts in due.items():
                step = _end_step(self._steps[queue], outcome)
                messages = [text for part in parts for text in part.messages_of(outcome)]
                data = step.render([part.task_ids[0] for part in parts], self._now_s(), messages)
                _require_no_errors((yield RequestNoReply(data, step.replies_per_task * len(parts))))
                for part in parts:
                    self._ended(outcome, part)
            self._finishing = 0
            if due:
                self.wake_all()
            else:
                yield Sleep(self._in_service[0][0] if self._in_service else FOREVER_US)

    def _requeue_due(self) -> Coroutine:
        """Makes failed tasks visible again when their delay is over; at the end, all at once."""
        while self._retries or self._popped or self.in_flight or not self.stopping:
            now_us = self._clock.now_us()
            due: dict[str, list[bytes]] = {}
            while self._retries and (self.stopping or self._retries[0][0] <= now_us):
                _, _, queue, task_id = heapq.heappop(self._retries)
                due.setdefault(queue, []).append(task_id)
            for queue, task_ids in due.items():
                step = self._steps[queue].requeue
                data = step.render(task_ids, self._now_s())
                _require_no_errors(
                    (yield RequestNoReply(data, step.replies_per_task * len(task_ids)))
                )
            if not due:
                yield Sleep(self._retries[0][0] if self._retries else FOREVER_US)

    def _take_many(self, room: int) -> Generator[Operation, Any, tuple[str, Sequence[bytes]]]:
        """Pops up to ``room`` ids of one queue; returns no ids if all queues stayed empty."""
        queues = self._queues_in_order()
        many = self._settings.can_pop_many
        pop = self._pops.many(queues, room) if many else self._pops.one(queues)
        replies = yield Request(pop, 1, may_block=True)
        queue, task_ids = self._pops.read(_checked(replies)[0])
        if task_ids and not many and room > 1:
            replies = yield Request(self._pops.more(queue, room - 1), 1)
            task_ids = [*task_ids, *(_checked(replies)[0] or ())]
        return queue, task_ids

    def _queues_in_order(self) -> tuple[str, ...]:
        """Strict: always the same order. Weighted: a random order in which heavier queues are
        likelier to come first."""
        if self._settings.priority == "strict":
            return self._queues
        # The order of exponential draws, each with its weight as rate, is a weighted shuffle
        # (Efraimidis and Spirakis, 2006).
        drawn = {
            queue: self._random.expovariate(weight)
            for queue, weight in self._settings.queues.items()
        }
        return tuple(sorted(self._queues, key=drawn.__getitem__))

    def _read_batches(
        self, queue: str, task_ids: Sequence[bytes], replies: Sequence[Any], popped_us: int
    ) -> list[TaskBatch]:
        return read_batches(
            self._settings, self._lookup, queue, task_ids, _checked(replies), popped_us
        )

    def _now_s(self) -> int:
        """Unix time, for what the layout writes down."""
        return self._clock.now_us() // 1_000_000

    def _begin_service(self, batch: TaskBatch) -> None:
        """Give each task to the slot that is free first."""
        now_us = self._clock.now_us()
        for index, service_us in enumerate(batch.service_us):
            free_us = self._slots[0]
            begins_us = max(free_us, now_us)
            heapq.heapreplace(self._slots, begins_us + service_us)
            one = batch.only([index])
            if free_us > now_us:  # else it started when it was taken: a slot was free
                one = replace(one, attempts=replace(one.attempts, started_us=[begins_us]))
            self._order += 1
            heapq.heappush(self._in_service, (begins_us + service_us, self._order, begins_us, one))
        self.wake_all()

    def _put_back_unstarted(self, now_us: int) -> Coroutine:
        """At a stop, return tasks that no slot has begun to where they were taken from."""
        unstarted = sorted(entry for entry in self._in_service if entry[2] > now_us)
        if not unstarted:
            return
        self._in_service = [entry for entry in self._in_service if entry[2] <= now_us]
        heapq.heapify(self._in_service)
        for _, _, _, batch in reversed(unstarted):
            step = self._steps[batch.queue].put_back
            data = step.render(batch.task_ids, self._now_s())
            _require_no_errors((yield RequestNoReply(data, step.replies_per_task)))

    def _ended(self, outcome: AttemptOutcome, part: TaskBatch) -> None:
        now_us = self._clock.now_us()
        part.recorder.ended(part.queue, part.attempts, outcome, now_us)
        if outcome is AttemptOutcome.RETRIED:
            for task_id in part.task_ids:
                self._order += 1
                entry = (
                    next_attempt_us(now_us, self._settings.retry_delay_us),
                    self._order,
                    part.queue,
                    task_id,
                )
                heapq.heappush(self._retries, entry)
            self.wake_all()


def _end_step(steps: Transitions, outcome: AttemptOutcome) -> Transition:
    return {
        AttemptOutcome.COMPLETED: steps.complete,
        AttemptOutcome.RETRIED: steps.retry,
        AttemptOutcome.ARCHIVED: steps.archive,
    }[outcome]


def _whole_step(steps: Transitions, outcome: AttemptOutcome) -> Transition:
    return {
        AttemptOutcome.COMPLETED: steps.start_and_complete,
        AttemptOutcome.RETRIED: steps.start_and_retry,
        AttemptOutcome.ARCHIVED: steps.start_and_archive,
    }[outcome]


def _checked(replies: Sequence[Any]) -> Sequence[Any]:
    error = first_error(replies)
    if error is not None:
        raise MeasurementError(f"the server refuses a worker's command: {error}")
    return replies


def _require_no_errors(messages: Sequence[str]) -> None:
    if messages:
        raise MeasurementError(f"the server refuses a worker's command: {messages[0]}")

"""What a worker does with tasks: the documented sequence, one by one or in batches.

With a prefetch of one, each lane is the documented worker: it has exactly one task, and each
command waits for its reply. With more, each lane takes many tasks and sends the same commands per
task, in the same order, in pipelined batches: the fast path. Tasks whose service takes time are
then ended by a lane of their own, when their time is over.
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
from bench.load.claims import Claim, Settings, Tracker, read_claims
from bench.load.lanes import FOREVER_US, Ask, Lane, LaneFactory, Pause, Request, Tell, first_error
from bench.load.work_recorder import Outcome
from bench.wire import resp
from bench.wire.layout import Command
from bench.wire.steps import Step, Steps

BLOCK_S = 2
"""How long a worker waits on empty queues at a time."""
_BATCH_LANES = 4
"""Conversations that share a prefetch: while one waits for Redis, another has work here."""
_ERROR_TEXT = "failed on purpose (failure_rate)"


class Worker:
    """The state that the lanes of one worker share, and the lanes themselves."""

    def __init__(self, settings: Settings, tracker: Tracker, clock: Clock) -> None:
        self._settings = settings
        self._tracker = tracker
        self._clock = clock
        self._random = random.Random(settings.seed)  # noqa: S311 - not for secrets
        self._pending_keys = {settings.layout.pending(name): name for name in settings.queues}
        result = b'{"status":"ok"}' if settings.store_results else None
        self._steps = {
            queue: Steps(settings.layout, queue, result, _ERROR_TEXT, settings.retry_delay_us / 1e6)
            for queue in settings.queues
        }
        self._slots = [0] * settings.concurrency
        """When each slot is free again, in µs; a heap."""
        self._in_hand: list[tuple[int, int, int, Claim]] = []
        """(end of service, order, start of service, one task), a heap."""
        self._retries: list[tuple[int, int, str, bytes]] = []
        """(when to requeue, order, queue, id), a heap."""
        self._order = 0
        self._taken: dict[int, int] = {}
        """Tasks at hand in each of the lanes that take some."""
        self._ending = 0
        self.stopping = False
        self.wake_all: Callable[[], None] = lambda: None

    @property
    def waiting_retry(self) -> int:
        """Tasks that wait here for their next attempt."""
        return len(self._retries)

    @property
    def held(self) -> int:
        """Tasks taken and not yet ended."""
        return sum(self._taken.values()) + len(self._in_hand) + self._ending

    def lane_factories(self) -> list[LaneFactory]:
        """All lanes that this worker needs."""
        settings = self._settings
        if settings.prefetch == 1:
            return [self._single_lane] * settings.concurrency + [self._requeue_lane]
        lanes = [self._batch_lane] * min(_BATCH_LANES, settings.prefetch)
        if settings.takes_time:
            lanes.append(self._finish_lane)
        return [*lanes, self._requeue_lane]

    def _single_lane(self) -> Lane:
        """The documented worker: one task, one command, one reply at a time."""
        with self._taking() as lane:
            while not self.stopping:
                replies = yield Ask(self._pop_one(), 1, may_block=True)
                popped = _checked(replies)[0]
                if popped is not None:
                    self._taken[lane] = 1
                    yield from self._serve_one(popped[0].decode(), popped[1])
                    self._taken[lane] = 0

    def _serve_one(self, key: str, task_id: bytes) -> Lane:
        taken_us = self._clock.now_us()
        queue = self._pending_keys[key]
        steps = self._steps[queue]
        replies = yield Ask(steps.load.render([task_id]), 1)
        for claim in self._claims(queue, [task_id], replies, taken_us):
            for command in steps.start.commands(task_id, now_s=self._now_s()):
                _require_no_errors((yield Tell(resp.encode([command]), 1)))
            if claim.service_us:
                yield Pause(self._clock.now_us() + claim.service_us[0])
            for outcome, part in claim.by_outcome():
                step, message = _end_step(steps, outcome), part.message_of(outcome)
                for command in step.commands(task_id, message, self._now_s()):
                    _require_no_errors((yield Tell(resp.encode([command]), 1)))
                self._ended(outcome, part)

    def _batch_lane(self) -> Lane:
        """Takes and starts tasks in batches; ends them at once where service takes no time."""
        lanes = min(_BATCH_LANES, self._settings.prefetch)
        most = math.ceil(self._settings.prefetch / lanes)
        with self._taking() as lane:
            while not self.stopping:
                room = min(most, self._settings.prefetch - self.held)
                if room <= 0:
                    yield Pause(FOREVER_US)
                    continue
                key, task_ids = yield from self._take_many(room)
                if task_ids:
                    self._taken[lane] = len(task_ids)
                    yield from self._serve_batch(self._pending_keys[key], task_ids)
                    self._taken[lane] = 0

    @contextlib.contextmanager
    def _taking(self) -> Iterator[int]:
        """A number for a lane that takes tasks, for as long as it does."""
        self._order += 1
        lane = self._order
        self._taken[lane] = 0
        try:
            yield lane
        finally:
            del self._taken[lane]
            self.wake_all()

    def _serve_batch(self, queue: str, task_ids: Sequence[bytes]) -> Lane:
        taken_us = self._clock.now_us()
        steps = self._steps[queue]
        replies = yield Ask(steps.load.render(task_ids), len(task_ids))
        claims = self._claims(queue, task_ids, replies, taken_us)
        for claim in claims:
            if self._settings.takes_time:
                data = steps.start.render(claim.task_ids, self._now_s())
                _require_no_errors((yield Tell(data, steps.start.replies_per_task * len(claim))))
                self._put_in_hand(claim)
                continue
            parts = list(claim.by_outcome())
            for outcome, part in parts:
                step = _whole_step(steps, outcome)
                data = step.render(part.task_ids, self._now_s(), part.messages_of(outcome))
                _require_no_errors((yield Tell(data, step.replies_per_task * len(part))))
                self._ended(outcome, part)

    def _finish_lane(self) -> Lane:
        """Ends tasks when their service time is over."""
        while self._in_hand or self._taken or not self.stopping:
            now_us = self._clock.now_us()
            if self.stopping and not self._taken:  # all at once, or they would lose their order
                yield from self._put_back_unstarted(now_us)
            due: dict[tuple[str, Outcome], list[Claim]] = {}
            while self._in_hand and self._in_hand[0][0] <= now_us:
                claim = heapq.heappop(self._in_hand)[3]
                for outcome, part in claim.by_outcome():
                    due.setdefault((part.queue, outcome), []).append(part)
            self._ending = sum(map(len, due.values()))
            for (queue, outcome), parts in due.items():
                step = _end_step(self._steps[queue], outcome)
                messages = [text for part in parts for text in part.messages_of(outcome)]
                data = step.render([part.task_ids[0] for part in parts], self._now_s(), messages)
                _require_no_errors((yield Tell(data, step.replies_per_task * len(parts))))
                for part in parts:
                    self._ended(outcome, part)
            self._ending = 0
            if due:
                self.wake_all()
            else:
                yield Pause(self._in_hand[0][0] if self._in_hand else FOREVER_US)

    def _requeue_lane(self) -> Lane:
        """Makes failed tasks visible again when their delay is over; at the end, all at once."""
        while self._retries or self._taken or self.held or not self.stopping:
            now_us = self._clock.now_us()
            due: dict[str, list[bytes]] = {}
            while self._retries and (self.stopping or self._retries[0][0] <= now_us):
                _, _, queue, task_id = heapq.heappop(self._retries)
                due.setdefault(queue, []).append(task_id)
            for queue, task_ids in due.items():
                step = self._steps[queue].requeue
                data = step.render(task_ids, self._now_s())
                _require_no_errors((yield Tell(data, step.replies_per_task * len(task_ids))))
            if not due:
                yield Pause(self._retries[0][0] if self._retries else FOREVER_US)

    def _take_many(self, room: int) -> Generator[Request, Any, tuple[str, Sequence[bytes]]]:
        """Pop up to ``room`` ids of one queue; (key, no ids) when all stayed empty."""
        keys = self._keys_in_order()
        if self._settings.can_pop_many:
            command = ("BLMPOP", str(BLOCK_S), str(len(keys)), *keys, "RIGHT", "COUNT", str(room))
            replies = yield Ask(resp.encode([command]), 1, may_block=True)
            popped = _checked(replies)[0]
            return ("", []) if popped is None else (popped[0].decode(), popped[1])
        replies = yield Ask(self._pop_one(), 1, may_block=True)
        popped = _checked(replies)[0]
        if popped is None:
            return "", []
        key, first = popped[0].decode(), popped[1]
        more: list[bytes] = []
        if room > 1:
            replies = yield Ask(resp.encode([("RPOP", key, str(room - 1))]), 1)
            more = _checked(replies)[0] or []
        return key, [first, *more]

    def _pop_one(self) -> bytes:
        command: Command = ("BRPOP", *self._keys_in_order(), str(BLOCK_S))
        return resp.encode([command])

    def _keys_in_order(self) -> list[str]:
        """Strict: always the same order. Weighted: drawn anew, the heavier the likelier first."""
        keys = list(self._pending_keys)
        if self._settings.priority == "weighted":
            # The order of exponential draws, each with its weight as rate, is a weighted shuffle
            # (Efraimidis and Spirakis, 2006).
            weights = self._settings.queues
            drawn = {
                key: self._random.expovariate(weights[name])
                for key, name in self._pending_keys.items()
            }
            keys.sort(key=drawn.__getitem__)
        return keys

    def _claims(
        self, queue: str, task_ids: Sequence[bytes], replies: Sequence[Any], taken_us: int
    ) -> list[Claim]:
        return read_claims(
            self._settings, self._tracker, queue, task_ids, _checked(replies), taken_us
        )

    def _now_s(self) -> int:
        """Unix time, for what the layout notes down."""
        return self._clock.now_us() // 1_000_000

    def _put_in_hand(self, claim: Claim) -> None:
        """Give each task to the slot that is free first."""
        now_us = self._clock.now_us()
        for index, service_us in enumerate(claim.service_us):
            free_us = self._slots[0]
            begins_us = max(free_us, now_us)
            heapq.heapreplace(self._slots, begins_us + service_us)
            one = claim.only([index])
            if free_us > now_us:  # else it started when it was taken: a slot was free
                one = replace(one, attempts=replace(one.attempts, started_us=[begins_us]))
            self._order += 1
            heapq.heappush(self._in_hand, (begins_us + service_us, self._order, begins_us, one))
        self.wake_all()

    def _put_back_unstarted(self, now_us: int) -> Lane:
        """On the way out: tasks that no slot has begun go back to where they were taken from."""
        unstarted = sorted(entry for entry in self._in_hand if entry[2] > now_us)
        if not unstarted:
            return
        self._in_hand = [entry for entry in self._in_hand if entry[2] <= now_us]
        heapq.heapify(self._in_hand)
        for _, _, _, claim in reversed(unstarted):
            step = self._steps[claim.queue].put_back
            data = step.render(claim.task_ids, self._now_s())
            _require_no_errors((yield Tell(data, step.replies_per_task)))

    def _ended(self, outcome: Outcome, part: Claim) -> None:
        now_us = self._clock.now_us()
        part.recorder.ended(part.queue, part.attempts, outcome, now_us)
        if outcome is Outcome.RETRIED:
            for task_id in part.task_ids:
                self._order += 1
                entry = (
                    now_us + self._settings.retry_delay_us,
                    self._order,
                    part.queue,
                    task_id,
                )
                heapq.heappush(self._retries, entry)
            self.wake_all()


def _end_step(steps: Steps, outcome: Outcome) -> Step:
    return {
        Outcome.COMPLETED: steps.complete,
        Outcome.RETRIED: steps.retry,
        Outcome.ARCHIVED: steps.archive,
    }[outcome]


def _whole_step(steps: Steps, outcome: Outcome) -> Step:
    return {
        Outcome.COMPLETED: steps.start_and_complete,
        Outcome.RETRIED: steps.start_and_retry,
        Outcome.ARCHIVED: steps.start_and_archive,
    }[outcome]


def _checked(replies: Sequence[Any]) -> Sequence[Any]:
    error = first_error(replies)
    if error is not None:
        raise MeasurementError(f"the server refuses a worker's command: {error}")
    return replies


def _require_no_errors(messages: Sequence[str]) -> None:
    if messages:
        raise MeasurementError(f"the server refuses a worker's command: {messages[0]}")

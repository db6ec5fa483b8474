"""What a worker does with tasks: the sequence in runqy's documentation, one by one or in batches.

With a prefetch of one, each coroutine works as that documentation says: it has exactly one task,
and each command waits for its reply. With more, each coroutine takes many tasks and sends the same
commands per task, in the same order, in pipelined batches: the fast path. A single further
coroutine ends tasks whose service takes time, once that time is over.
"""

import contextlib
import heapq
import math
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from typing import Any

from bench.clock import Clock
from bench.measure.unserved import Unserved
from bench.redisio.connection import ConnectionLost
from bench.wire.layout_contract import Command
from bench.worker.batch import (
    RecorderLookup,
    TaskBatch,
    WorkerSettings,
    read_batches,
)
from bench.worker.difficulties import Difficulties
from bench.worker.event_loop import Coroutine, CoroutineFactory, Operation, Sleep, Wait
from bench.worker.held_tasks import HeldTasks
from bench.worker.moves import QueueMoves
from bench.worker.popping import PopCall, Popping
from bench.worker.recorder import AttemptOutcome
from bench.worker.retry_policy import next_attempt_us
from bench.worker.server_calls import RETRY_EVERY_US, ServerCalls, TaskMove, undo_pop
from bench.worker.slot_states import (
    ASKS,
    ASKS_AGAIN,
    BEGINS_COMMANDS,
    BEGINS_SERVICE,
    ENDS_COMMANDS,
    ENDS_SERVICE,
    GETS_NONE,
    GETS_TASKS,
    SlotStates,
    change_of,
)
from bench.worker.unreadable_tasks import UnreadableTasks

_BATCH_COROUTINES = 4
"""Coroutines that share a prefetch: while one waits for Redis, another can process its tasks."""
_InService = tuple[int, int, int, TaskBatch]
"""(end of service, order, start of service, one task)."""


class Worker:
    """The coroutines of one worker, and the state that they share."""

    def __init__(
        self,
        settings: WorkerSettings,
        lookup: RecorderLookup,
        clock: Clock,
        difficulties: Difficulties | None = None,
        states: SlotStates | None = None,
    ) -> None:
        self._settings = settings
        self._layout = settings.layout
        self._lookup = lookup
        self._clock = clock
        self._states = states or SlotStates()
        self._states.slots = settings.concurrency
        self.difficulties = difficulties or Difficulties()
        self._calls = ServerCalls(
            settings.layout, clock, self.difficulties, one_by_one=settings.prefetch == 1
        )
        self._popping = Popping(
            *(settings.layout, settings.queues, settings.priority, settings.seed, clock),
            *(self._calls, self.difficulties),
            in_batches=settings.prefetch > 1,
        )
        self._unreadable = UnreadableTasks(settings.layout, clock, self._calls, self.difficulties)
        result = b'{"status":"ok"}' if settings.store_results else None
        retry_delay_s = settings.retry_delay_us / 1e6
        self._moves = {
            queue: QueueMoves.of(settings.layout, queue, result, retry_delay_s)
            for queue in settings.queues
        }
        self._slots = [0] * settings.concurrency
        """When each slot is free again, in µs on the run's clock; a heap."""
        self._in_service: list[_InService] = []
        """A heap."""
        self._due: dict[tuple[str, AttemptOutcome], list[TaskBatch]] = {}
        """Tasks, one a batch, whose service is over and whose last commands are not sent yet."""
        self._retries: list[tuple[int, int, str, bytes]] = []
        """(when to requeue, order, queue, id), a heap."""
        self._requeues: dict[str, list[bytes]] = {}
        """Ids, by queue, that are to be requeued now and whose commands are not sent yet."""
        self._order = 0
        self._held: list[HeldTasks] = []  # what each coroutine that takes tasks holds
        self._popping_coroutines = 0
        self._requested = 0
        """Most tasks that the unanswered pops can return."""
        self._finishing = 0
        """Tasks that leave the service and whose last commands are not answered."""
        self._requeueing = 0  # failed tasks whose return to their queue is not answered
        self.stopping = False
        self.wake_all: Callable[[], None] = lambda: None

    @property
    def waiting_retry(self) -> int:
        """Tasks that wait in this worker for their next attempt."""
        return len(self._retries) + sum(map(len, self._requeues.values())) + self._requeueing

    @property
    def in_flight(self) -> int:
        """Tasks taken and not yet ended."""
        due = sum(map(len, self._due.values()))
        return sum(map(len, self._held)) + len(self._in_service) + due + self._finishing

    @property
    def unanswered(self) -> int:
        """Tasks with commands that were sent and are not answered, which ``undo`` leaves alone."""
        held = sum(len(each.unanswered) for each in self._held)
        return held + self._finishing + self._requeueing

    def coroutines(self) -> list[CoroutineFactory]:
        """Factories of all coroutines that this worker needs, one connection each."""
        settings = self._settings
        if settings.prefetch == 1:
            return [self._one_by_one] * settings.concurrency + [self._requeue_due]
        coroutines = [self._in_batches] * min(_BATCH_COROUTINES, settings.prefetch)
        if settings.takes_time:
            coroutines.append(self._finish_due)
        return [*coroutines, self._requeue_due]

    def undo(self) -> list[Command]:
        """The commands that return what this worker holds to its queues, for one that ends at once.

        Tasks with unanswered commands are left as they are, since these may have taken effect.
        """
        now_s = self._now_s()
        popped: list[Command] = []
        in_service = [(batch.queue, batch.task_ids[0]) for *_, batch in sorted(self._in_service)]
        for (queue, _), batches in self._due.items():
            in_service += [(queue, batch.task_ids[0]) for batch in batches]
        for held in self._held:
            if held.popped:
                popped.append(undo_pop(self._layout, held.queue, held.popped))
            in_service += [(held.queue, task_id) for task_id in held.in_service]
        commands: list[Command] = []
        for queue, task_id in reversed(in_service):
            commands += self._moves[queue].put_back.step.commands(task_id, now_s=now_s)
        waiting = [(queue, each) for queue, task_ids in self._requeues.items() for each in task_ids]
        waiting += [(queue, task_id) for _, _, queue, task_id in sorted(self._retries)]
        for queue, task_id in waiting:
            commands += self._moves[queue].requeue.step.commands(task_id, now_s=now_s)
        return [*popped, *commands]

    def _one_by_one(self) -> Coroutine:
        """The worker in runqy's documentation: one task, one command, one reply at a time."""
        with self._holding() as held:
            served = 0
            while not self.stopping:
                queue, task_ids = yield from self._pop(1, served)
                served = len(task_ids)
                if task_ids:
                    held.take(queue, task_ids)
                    yield from self._serve_one(held)

    def _pop(self, room: int, served: int) -> PopCall:
        """Up to ``room`` ids of one queue, which are with their commands from then, as a batch has
        been until now if any was ``served`` before."""
        self._states.change(self._clock.now_us(), ASKS_AGAIN if served else ASKS)
        popped = yield from self._popping.take(room)
        self._states.change(self._clock.now_us(), GETS_TASKS if popped[1] else GETS_NONE)
        return popped

    def _serve_one(self, held: HeldTasks) -> Coroutine:
        for batch in (yield from self._read_tasks(held)):
            held.send(batch.task_ids)
            started = yield from self._start(batch)
            if started.service_us:
                held.serve()
                now_us = self._clock.now_us()
                self._states.change(now_us, BEGINS_SERVICE)
                yield Sleep(now_us + started.service_us[0])
                self._states.change(self._clock.now_us(), ENDS_SERVICE)
                held.end_service()
            for outcome, part in started.by_outcome():
                yield from self._end(self._moves[held.queue].end(outcome), outcome, part)
            held.settle()

    def _in_batches(self) -> Coroutine:
        """Takes and starts tasks in batches; ends them at once where service takes no time."""
        coroutines = min(_BATCH_COROUTINES, self._settings.prefetch)
        most = math.ceil(self._settings.prefetch / coroutines)
        with self._holding() as held:
            while not self.stopping:
                room = min(most, self._settings.prefetch - self.in_flight - self._requested)
                if room <= 0:
                    yield Wait()
                    continue
                self._requested += room
                try:
                    queue, task_ids = yield from self._pop(room, served=0)
                finally:
                    self._requested -= room
                if task_ids:
                    held.take(queue, task_ids)
                    yield from self._serve_batch(held)
                    self._states.change(self._clock.now_us(), ENDS_COMMANDS)

    @contextlib.contextmanager
    def _holding(self) -> Iterator[HeldTasks]:
        """What a coroutine that takes tasks holds, for as long as it does."""
        held = HeldTasks()
        self._held.append(held)
        self._popping_coroutines += 1
        try:
            yield held
        finally:
            self._popping_coroutines -= 1
            self.wake_all()

    def _serve_batch(self, held: HeldTasks) -> Coroutine:
        for batch in (yield from self._read_tasks(held)):
            if self._settings.takes_time:
                held.send(batch.task_ids)
                started = yield from self._start(batch)
                held.settle()
                self._begin_service(started)
                continue
            for outcome, part in batch.by_outcome():
                held.send(part.task_ids)
                yield from self._end(self._moves[held.queue].whole(outcome), outcome, part)
                held.settle()

    def _read_tasks(self, held: HeldTasks) -> Generator[Operation, Any, Sequence[TaskBatch]]:
        """Read the tasks that were popped, and put aside those that cannot be served."""
        popped_us = self._clock.now_us()
        queue, task_ids = held.queue, held.popped
        replies = yield from self._calls.load(self._moves[queue].load, task_ids)
        while True:
            try:
                read = read_batches(
                    self._settings, self._lookup, queue, task_ids, replies, popped_us
                )
                break
            except ConnectionLost:  # whose tasks these are is not known yet
                yield Sleep(self._clock.now_us() + RETRY_EVERY_US)
        if not all(replies):
            held.popped = [each for each, reply in zip(task_ids, replies, strict=True) if reply]
        if read.unreadable:
            yield from self._unreadable.set_aside(held, task_ids, replies, read)
        return read.batches

    def _start(self, batch: TaskBatch) -> Generator[Operation, Any, TaskBatch]:
        """Make tasks active; returns those that now are."""
        return (yield from self._moved(self._moves[batch.queue].start, batch, ()))

    def _end(self, move: TaskMove, outcome: AttemptOutcome, part: TaskBatch) -> Coroutine:
        """End attempts, and record those that have ended."""
        ended = yield from self._moved(move, part, part.messages_of(outcome))
        if len(ended):
            self._ended(outcome, ended)

    def _moved(
        self, move: TaskMove, batch: TaskBatch, messages: Sequence[bytes]
    ) -> Generator[Operation, Any, TaskBatch]:
        """Carry out a move; returns the tasks that were moved."""
        if not len(batch):
            return batch
        not_moved = yield from self._calls.move(move, batch.queue, batch.task_ids, messages)
        return self._without(batch, not_moved, is_start=move.is_start) if not_moved else batch

    def _without(self, batch: TaskBatch, not_moved: dict[int, str], *, is_start: bool) -> TaskBatch:
        refused = [index for index, message in not_moved.items() if message]
        if refused and is_start:  # they wait in their queue again
            self._popping.leave(batch.queue, not_moved[refused[0]])
        elif refused:
            names = [batch.task_ids[index] for index in refused]
            self.difficulties.not_served(Unserved.REFUSED, names, not_moved[refused[0]])
        return batch.only([index for index in range(len(batch)) if index not in not_moved])

    def _finish_due(self) -> Coroutine:
        """Ends tasks when their service time is over."""
        while self._in_service or self._popping_coroutines or not self.stopping:
            if self.stopping and not self._popping_coroutines:  # only then, to keep their order
                yield from self._put_back_unstarted()
            self._take_due(self._clock.now_us())
            if not self._due:
                yield Wait(self._in_service[0][0]) if self._in_service else Wait()
                continue
            while self._due:
                (queue, outcome), parts = next(iter(self._due.items()))
                del self._due[queue, outcome]
                self._finishing = len(parts)
                self._states.change(self._clock.now_us(), BEGINS_COMMANDS)
                yield from self._end_together(queue, outcome, parts)
                self._states.change(self._clock.now_us(), ENDS_COMMANDS)
                self._finishing = 0
            self.wake_all()

    def _take_due(self, now_us: int) -> None:
        """Take out of service the tasks whose time is over."""
        while self._in_service and self._in_service[0][0] <= now_us:
            batch = heapq.heappop(self._in_service)[3]
            self._states.change(now_us, change_of(serving=-1))
            for outcome, part in batch.by_outcome():
                self._due.setdefault((part.queue, outcome), []).append(part)

    def _end_together(
        self, queue: str, outcome: AttemptOutcome, parts: Sequence[TaskBatch]
    ) -> Coroutine:
        """End tasks (one a part) of possibly several runs with one request."""
        names = [part.task_ids[0] for part in parts]
        messages = [text for part in parts for text in part.messages_of(outcome)]
        move = self._moves[queue].end(outcome)
        not_moved = yield from self._calls.move(move, queue, names, messages)
        for index, part in enumerate(parts):
            if index not in not_moved:
                self._ended(outcome, part)
            elif not_moved[index]:
                self._without(part, {0: not_moved[index]}, is_start=False)

    def _requeue_due(self) -> Coroutine:
        """Makes failed tasks visible again when their delay is over; at the end, all at once."""
        while self._retries or self.in_flight or self._popping_coroutines or not self.stopping:
            now_us = self._clock.now_us()
            while self._retries and (self.stopping or self._retries[0][0] <= now_us):
                _, _, queue, task_id = heapq.heappop(self._retries)
                self._requeues.setdefault(queue, []).append(task_id)
            if not self._requeues:
                yield Wait(self._retries[0][0]) if self._retries else Wait()
                continue
            while self._requeues:
                queue, task_ids = self._requeues.popitem()
                self._requeueing = len(task_ids)
                yield from self._return(self._moves[queue].requeue, queue, task_ids)
                self._requeueing = 0

    def _return(self, move: TaskMove, queue: str, task_ids: Sequence[bytes]) -> Coroutine:
        """Make tasks visible to workers again; at a stop with one request, as time is short."""
        pipelined = self.stopping
        not_moved = yield from self._calls.move(move, queue, task_ids, pipelined=pipelined)
        refused = [index for index, message in not_moved.items() if message]
        if refused:
            names = [task_ids[index] for index in refused]
            self.difficulties.not_served(Unserved.REFUSED, names, not_moved[refused[0]])

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
        self._states.change(now_us, change_of(serving=len(batch)))
        self.wake_all()

    def _put_back_unstarted(self) -> Coroutine:
        """At a stop, return tasks that no slot has begun to where they were taken from: those of a
        queue with one request, the last one first."""
        for queue, moves in self._moves.items():
            now_us = self._clock.now_us()
            stay: list[_InService] = []
            unstarted: list[_InService] = []
            for entry in self._in_service:
                is_unstarted = entry[2] > now_us and entry[3].queue == queue
                (unstarted if is_unstarted else stay).append(entry)
            if not unstarted:
                continue
            heapq.heapify(stay)
            self._in_service = stay
            self._states.change(now_us, change_of(serving=-len(unstarted)))
            names = [batch.task_ids[0] for *_, batch in sorted(unstarted, reverse=True)]
            self._finishing = len(names)
            yield from self._return(moves.put_back, queue, names)
            self._finishing = 0

    def _ended(self, outcome: AttemptOutcome, part: TaskBatch) -> None:
        now_us = self._clock.now_us()
        part.recorder.ended(part.queue, part.attempts, outcome, now_us)
        if outcome is AttemptOutcome.RETRIED:
            for task_id in part.task_ids:
                self._order += 1
                due_us = next_attempt_us(now_us, self._settings.retry_delay_us)
                heapq.heappush(self._retries, (due_us, self._order, part.queue, task_id))
            self.wake_all()

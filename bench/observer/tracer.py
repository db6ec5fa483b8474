"""Follows single tasks of a run until each is seen to have ended.

A task is looked at again at once when the server tells of a change to its keys, else after a share
of its age, so that the last look at which it had not ended is never far back in proportion to its
latency, and tasks that wait long or never end cost little.
"""

import heapq
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.clock import Clock
from bench.ipc.messages import StartObserver
from bench.ipc.progress_board import ProgressBoard
from bench.observer.keyspace_events import KeyspaceEvents
from bench.observer.recorder import Completion, CompletionRecorder
from bench.observer.sampling import NO_DUE, TaskSampler, id_of
from bench.observer.task_queries import TaskQueries
from bench.redisio.connection import ConnectionLost
from bench.wire import stamps

AUTO_TRACED_PER_S = 2_000
"""How many tasks a second are traced where nobody says."""
_FASTEST_PER_S = 50_000
"""What a closed loop is taken to enqueue: nobody knows beforehand."""
_MOST_A_ROUND = 64
_MOST_AT_THE_END = 2_000
_AGE_SHARE = 50
"""A task is looked at again when it has become older by one part in so many."""


@dataclass(slots=True)
class _TracedTask:
    """A traced task that has not been seen to have ended."""

    queue: int
    task_id: bytes
    due_us: int
    after_us: int
    """It had not ended then."""


class Tracer:
    """The traced tasks of one run."""

    def __init__(
        self,
        task: StartObserver,
        start_us: int,
        clock: Clock,
        progress_board: ProgressBoard,
        queries: TaskQueries,
        recorder: CompletionRecorder,
    ) -> None:
        scenario = task.scenario
        self._run = task.run
        self._start_us = start_us
        self._clock = clock
        self._progress_board = progress_board
        self._layout = scenario.wire_layout
        self._queues = list(scenario.queues)
        self._queries = queries
        self._recorder = recorder
        self.events = (
            KeyspaceEvents(task.url, self._layout, self._queues, task.run)
            if task.by_events
            else None
        )
        """Where the server tells of changes; None where it does not."""
        share = traced_share(task)
        self._arrivals = [
            TaskSampler(scenario, number, share) for number in range(scenario.producers)
        ]
        self._unread: deque[_TracedTask] = deque()
        """Tasks whose due time only they know."""
        self._outstanding: list[tuple[int, int, _TracedTask]] = []
        """(when to look, order, task), a heap."""
        self._order = 0
        self._awaiting_event: dict[bytes, _TracedTask] = {}
        """Tasks of which the server will tell."""

    def admit(self) -> None:
        """Take up the traced tasks that have become visible."""
        for number, arrivals in enumerate(self._arrivals):
            new = arrivals.before(self._progress_board.answered_before(number))
            if not len(new):
                continue
            unconfirmed = self._progress_board.excluded(number)
            columns = (new.queue.tolist(), new.due_us.tolist(), new.sequence.tolist())
            for queue, due_us, sequence in zip(*columns, strict=True):
                if sequence not in unconfirmed:
                    self._take_up(queue, due_us, id_of(self._run, number, sequence))

    def _take_up(self, queue: int, due_us: int, task_id: bytes) -> None:
        self._recorder.traced(1)
        if due_us == NO_DUE:
            self._unread.append(_TracedTask(queue, task_id, NO_DUE, NO_DUE))
        else:
            at_us = self._start_us + due_us
            self._schedule_query(_TracedTask(queue, task_id, at_us, at_us), at_us)

    def turn(self) -> int:
        """Look at what is to be looked at now; return how many tasks were.

        Raises ConnectionLost, MeasurementError.
        """
        return self._read_new(_MOST_A_ROUND) + self._query_due(_MOST_A_ROUND)

    def finish(self) -> None:
        """Look at every task that is still out once more. Raises as ``turn`` does."""
        self.admit()
        while self._read_new(_MOST_AT_THE_END):
            pass
        self._wake_all()
        for _ in range(-(-len(self._outstanding) // _MOST_AT_THE_END)):
            self._query_due(_MOST_AT_THE_END)

    def reconnect(self) -> None:
        """On new connections. Raises ServerUnreachable and ConnectionLost."""
        self._queries.reconnect()
        if self.events is not None:
            self.events.reconnect()
            self._wake_all()  # what happened meanwhile was told to nobody

    def _wake_all(self) -> None:
        waiting = [*self._awaiting_event.values(), *(each for _, _, each in self._outstanding)]
        self._awaiting_event.clear()
        self._outstanding.clear()
        for each in waiting:
            self._schedule_query(each, 0)

    def _read_new(self, most: int) -> int:
        """Ask tasks when they were due; return how many were asked."""
        chosen = [self._unread.popleft() for _ in range(min(len(self._unread), most))]
        if not chosen:
            return 0
        by_queue = self._by_queue(chosen)
        try:
            hashes = self._queries.hashes(_ids(by_queue))
        except ConnectionLost:
            self._unread.extendleft(reversed(chosen))
            raise
        seen_us = self._clock.now_us()
        for each, fields in zip(_flat(by_queue), hashes, strict=True):
            due_us = self._due_of(fields)
            if due_us == NO_DUE:
                self._recorder.add_completions([Completion(each.queue, NO_DUE, NO_DUE, seen_us)])
            else:
                each.due_us = each.after_us = due_us
                self._schedule_query(each, seen_us)
        return len(chosen)

    def _due_of(self, fields: Sequence[bytes]) -> int:
        """When the task with this hash was due; ``NO_DUE`` where it does not say, or is gone."""
        if not fields:
            return NO_DUE
        try:
            moments = stamps.read(self._layout.read([fields]).payloads[0])
        except ValueError:  # what its worker has left of it is no task
            return NO_DUE
        return NO_DUE if moments is None else moments[0]

    def _query_due(self, most: int) -> int:
        """Look at the next tasks; return how many were looked at."""
        if self.events is not None:
            self._read_events(self.events)
        queried_us = self._clock.now_us()
        chosen = list(self._pop_due(queried_us, most))
        if not chosen:
            return 0
        by_queue = self._by_queue(chosen)
        try:
            outcomes = self._queries.outcomes(_ids(by_queue))
        except ConnectionLost:
            for each in chosen:
                self._schedule_query(each, queried_us)
            raise
        seen_us = self._clock.now_us()
        completions = []
        for each, outcome in zip(_flat(by_queue), outcomes, strict=True):
            if outcome is not None:
                completions.append(Completion(each.queue, each.due_us, each.after_us, seen_us))
                continue
            each.after_us = max(each.after_us, queried_us)
            if self.events is None:
                self._schedule_query(each, seen_us + (seen_us - each.due_us) // _AGE_SHARE)
            else:
                self._awaiting_event[each.task_id] = each
        self._recorder.add_completions(completions)
        return len(chosen)

    def _pop_due(self, now_us: int, most: int) -> Iterator[_TracedTask]:
        for _ in range(most):
            if not self._outstanding or self._outstanding[0][0] > now_us:
                return
            yield heapq.heappop(self._outstanding)[2]

    def _schedule_query(self, each: _TracedTask, at_us: int) -> None:
        """Look at it at that moment, or as soon after as the budget allows."""
        self._order += 1
        heapq.heappush(self._outstanding, (at_us, self._order, each))

    def _read_events(self, events: KeyspaceEvents) -> None:
        """Look at the tasks that the server tells of."""
        for change in events.read(self._clock):
            each = self._awaiting_event.pop(change.task_id, None)
            if each is not None:
                # It had not ended when it was last looked at, and nothing has changed it from
                # then until this.
                each.after_us = max(each.after_us, change.after_us)
                self._schedule_query(each, 0)

    def _by_queue(self, chosen: Iterable[_TracedTask]) -> dict[str, list[_TracedTask]]:
        found: dict[str, list[_TracedTask]] = {}
        for each in chosen:
            found.setdefault(self._queues[each.queue], []).append(each)
        return found


def traced_share(task: StartObserver) -> float:
    """The share of a run's tasks that is traced: as asked for, or what the rate allows."""
    scenario = task.scenario
    if scenario.traced is not None:
        return scenario.traced
    return min(AUTO_TRACED_PER_S / (scenario.peak_per_s or _FASTEST_PER_S), 1.0)


def _ids(by_queue: Mapping[str, Sequence[_TracedTask]]) -> dict[str, list[bytes]]:
    return {queue: [each.task_id for each in members] for queue, members in by_queue.items()}


def _flat(by_queue: Mapping[str, Sequence[_TracedTask]]) -> list[_TracedTask]:
    return [each for members in by_queue.values() for each in members]

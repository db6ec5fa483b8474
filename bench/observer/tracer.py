"""Traces a sample of a run's tasks, each until it is observed to have ended.

A task is queried again at once when the server publishes a change to its keys, otherwise after a
share of its age. The last query that found it unfinished is therefore never far back in proportion
to its latency, and tasks that wait long or never end cost little.
"""

import heapq
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.clock import Clock
from bench.ipc.messages import StartObserver
from bench.ipc.progress_board import ProgressBoard
from bench.observer.keyspace_events import EventSource
from bench.observer.recorder import Completion, CompletionRecorder
from bench.observer.sampling import NO_DUE, TaskSampler, id_of
from bench.observer.task_queries import Queries
from bench.redisio.connection import ConnectionLost
from bench.wire import stamps

AUTO_TRACED_PER_S = 2_000
"""How many tasks a second are traced where the scenario does not say."""
_FASTEST_PER_S = 50_000
"""The rate that a closed loop is assumed to reach, as it is not known beforehand."""
MOST_PER_ROUND = 64
_MOST_AT_THE_END = 2_000
AGE_SHARE = 50
"""A task is queried again when its age has grown by one part in this many."""


@dataclass(slots=True)
class _TracedTask:
    """A traced task that has not been seen to end."""

    queue: int
    task_id: bytes
    due_us: int
    after_us: int
    """The task had not ended then."""


class Tracer:
    """The traced tasks of one run. ``events`` is None where the server publishes no changes."""

    def __init__(
        self,
        start: StartObserver,
        start_us: int,
        clock: Clock,
        progress_board: ProgressBoard,
        queries: Queries,
        recorder: CompletionRecorder,
        events: EventSource | None,
    ) -> None:
        scenario = start.scenario
        self._run = start.run
        self._start_us = start_us
        self._clock = clock
        self._progress_board = progress_board
        self._layout = scenario.wire_layout
        self._queues = list(scenario.queues)
        self._queries = queries
        self._recorder = recorder
        self.events = events
        share = traced_share(start)
        self._samplers = [
            TaskSampler(scenario, number, share) for number in range(scenario.producers)
        ]
        self._without_due: deque[_TracedTask] = deque()
        """Tasks whose due time must be read from their hashes."""
        self._scheduled: list[tuple[int, int, _TracedTask]] = []
        """(when to query, order, task), a heap."""
        self._order = 0
        self._awaiting_event: dict[bytes, _TracedTask] = {}
        """Tasks that are queried when an event comes, by id."""

    def admit(self) -> None:
        """Begin to trace the sampled tasks that have become visible to workers."""
        for number, sampler in enumerate(self._samplers):
            new = sampler.before(self._progress_board.answered_before(number))
            if not len(new):
                continue
            unconfirmed = self._progress_board.excluded(number)
            columns = (new.queue.tolist(), new.due_us.tolist(), new.sequence.tolist())
            for queue, due_us, sequence in zip(*columns, strict=True):
                if sequence not in unconfirmed:
                    self._trace(queue, due_us, id_of(self._run, number, sequence))

    def _trace(self, queue: int, due_us: int, task_id: bytes) -> None:
        self._recorder.traced(1)
        if due_us == NO_DUE:
            self._without_due.append(_TracedTask(queue, task_id, NO_DUE, NO_DUE))
        else:
            at_us = self._start_us + due_us
            self._schedule(_TracedTask(queue, task_id, at_us, at_us), at_us)

    def turn(self) -> int:
        """Query the tasks whose next query is scheduled by now; return their number.

        Raises ConnectionLost and MeasurementError.
        """
        return self._read_due_times(MOST_PER_ROUND) + self._query_scheduled(MOST_PER_ROUND)

    def finish(self) -> None:
        """Query every task that has not been seen to end once more.

        Raises ConnectionLost and MeasurementError.
        """
        self.admit()
        while self._read_due_times(_MOST_AT_THE_END):
            pass
        self._schedule_all_now()
        for _ in range(-(-len(self._scheduled) // _MOST_AT_THE_END)):
            self._query_scheduled(_MOST_AT_THE_END)

    def reconnect(self) -> None:
        """Go on with new connections. Raises ServerUnreachable and ConnectionLost."""
        self._queries.reconnect()
        if self.events is not None:
            self.events.reconnect()
            self._schedule_all_now()  # events of the meantime were lost

    def _schedule_all_now(self) -> None:
        waiting = [*self._awaiting_event.values(), *(task for _, _, task in self._scheduled)]
        self._awaiting_event.clear()
        self._scheduled.clear()
        for task in waiting:
            self._schedule(task, 0)

    def _read_due_times(self, most: int) -> int:
        """Read from tasks when they were due; return the number of tasks read."""
        chosen = [self._without_due.popleft() for _ in range(min(len(self._without_due), most))]
        if not chosen:
            return 0
        by_queue = self._by_queue(chosen)
        try:
            hashes = self._queries.hashes(_ids(by_queue))
        except ConnectionLost:
            self._without_due.extendleft(reversed(chosen))
            raise
        read_us = self._clock.now_us()
        for task, fields in zip(_flat(by_queue), hashes, strict=True):
            due_us = self._due_of(fields)
            if due_us == NO_DUE:
                self._recorder.add_completions([Completion(task.queue, NO_DUE, NO_DUE, read_us)])
            else:
                task.due_us = task.after_us = due_us
                self._schedule(task, read_us)
        return len(chosen)

    def _due_of(self, fields: Sequence[bytes]) -> int:
        """When the task with this hash was due; ``NO_DUE`` where that is not known any more."""
        if not fields:
            return NO_DUE
        try:
            moments = stamps.read(self._layout.read([fields]).payloads[0])
        except ValueError:  # what its worker has left of it is not a task
            return NO_DUE
        return NO_DUE if moments is None else moments[0]

    def _query_scheduled(self, most: int) -> int:
        """Query the next tasks; return the number of tasks queried."""
        if self.events is not None:
            self._read_events(self.events)
        queried_us = self._clock.now_us()
        chosen = list(self._pop_scheduled(queried_us, most))
        if not chosen:
            return 0
        by_queue = self._by_queue(chosen)
        try:
            outcomes = self._queries.outcomes(_ids(by_queue))
        except ConnectionLost:
            for task in chosen:
                self._schedule(task, queried_us)
            raise
        answered_us = self._clock.now_us()
        completions = []
        for task, outcome in zip(_flat(by_queue), outcomes, strict=True):
            if outcome is not None:
                completions.append(Completion(task.queue, task.due_us, task.after_us, answered_us))
                continue
            task.after_us = max(task.after_us, queried_us)
            if self.events is None:
                age_us = answered_us - task.due_us
                self._schedule(task, answered_us + age_us // AGE_SHARE)
            else:
                self._awaiting_event[task.task_id] = task
        self._recorder.add_completions(completions)
        return len(chosen)

    def _pop_scheduled(self, now_us: int, most: int) -> Iterator[_TracedTask]:
        for _ in range(most):
            if not self._scheduled or self._scheduled[0][0] > now_us:
                return
            yield heapq.heappop(self._scheduled)[2]

    def _schedule(self, task: _TracedTask, at_us: int) -> None:
        """Query a task at that moment, or as soon after as the budget allows."""
        self._order += 1
        heapq.heappush(self._scheduled, (at_us, self._order, task))

    def _read_events(self, events: EventSource) -> None:
        """Schedule the tasks whose keys have changed."""
        for event in events.read(self._clock):
            task = self._awaiting_event.pop(event.task_id, None)
            if task is not None:
                # It had not ended when it was last queried, and nothing has changed it between
                # that and this event.
                task.after_us = max(task.after_us, event.after_us)
                self._schedule(task, 0)

    def _by_queue(self, chosen: Iterable[_TracedTask]) -> dict[str, list[_TracedTask]]:
        found: dict[str, list[_TracedTask]] = {}
        for task in chosen:
            found.setdefault(self._queues[task.queue], []).append(task)
        return found


def traced_share(start: StartObserver) -> float:
    """The share of a run's tasks that is traced: as the scenario says, or what the rate allows."""
    scenario = start.scenario
    if scenario.traced is not None:
        return scenario.traced
    return min(AUTO_TRACED_PER_S / (scenario.peak_per_s or _FASTEST_PER_S), 1.0)


def _ids(by_queue: Mapping[str, Sequence[_TracedTask]]) -> dict[str, list[bytes]]:
    return {queue: [task.task_id for task in tasks] for queue, tasks in by_queue.items()}


def _flat(by_queue: Mapping[str, Sequence[_TracedTask]]) -> list[_TracedTask]:
    return [task for tasks in by_queue.values() for task in tasks]

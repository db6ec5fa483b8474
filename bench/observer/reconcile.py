"""Queries every task of a run until it has ended: the ledger of an observed run.

A sample is good enough for latencies, and never for what became of the tasks.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from bench.arrays import Flags, Integers
from bench.ipc.messages import StartObserver
from bench.ipc.progress_board import ProgressBoard
from bench.observer.recorder import CompletionRecorder
from bench.observer.sampling import id_of
from bench.observer.task_queries import Queries
from bench.wire.layout_contract import STATE_RETRY, TaskOutcome
from bench.workload.mix import queue_of_tasks

CHUNK = 2_000
"""Tasks in one query, at most."""

_Source = tuple[int, str]
"""Producer and queue."""


class Reconciler:
    """Goes through all tasks once, and then again through those that had not ended."""

    def __init__(
        self,
        start: StartObserver,
        progress_board: ProgressBoard,
        queries: Queries,
        recorder: CompletionRecorder,
    ) -> None:
        self._scenario = start.scenario
        self._run = start.run
        self._progress_board = progress_board
        self._queries = queries
        self._recorder = recorder
        self._queue_of = queue_of_tasks(self._scenario)
        self._queues = list(self._scenario.queues)
        self._queried_before = [0] * self._scenario.producers
        """By producer: tasks with smaller sequence numbers were queried at least once."""
        self._open: dict[_Source, Integers] = {}
        """Sequence numbers of tasks that had not ended when they were queried."""

    @property
    def open_count(self) -> int:
        """Number of tasks that had not ended when they were last queried."""
        return sum(map(len, self._open.values()))

    @property
    def are_outcomes_known(self) -> bool:
        """Whether every task that was sent so far has been queried."""
        return all(
            before >= self._progress_board.sent(number)
            for number, before in enumerate(self._queried_before)
        )

    def query_next(self) -> int:
        """Query some tasks for the first time; return their number.

        Raises ConnectionLost and MeasurementError.
        """
        for number, start in enumerate(self._queried_before):
            stop = min(start + CHUNK, self._progress_board.answered_before(number))
            if stop <= start:
                continue
            sequences = np.arange(start, stop)
            queue = self._queue_of(number, sequences)
            for index in np.unique(queue).tolist():
                chosen = sequences[queue == index]
                source = (number, self._queues[index])
                self._keep_open(source, chosen[self._query(*source, chosen)])
            self._queried_before[number] = stop
            return stop - start
        return 0

    def query_unfinished(self) -> int:
        """Query some tasks again that had not ended; return their number.

        Raises ConnectionLost and MeasurementError.
        """
        for source, sequences in self._open.items():
            now, later = sequences[:CHUNK], sequences[CHUNK:]
            is_open = self._query(*source, now)
            del self._open[source]  # goes behind all others, so that each has its turn
            self._keep_open(source, np.concatenate([later, now[is_open]]))
            return len(now)
        return 0

    def query_all_unfinished(self, on_chunk: Callable[[], object] = lambda: None) -> None:
        """Query each task once more that had not ended; ``on_chunk`` is called in between. Raises
        ConnectionLost and MeasurementError."""
        for _ in range(sum(-(-len(sequences) // CHUNK) for sequences in self._open.values())):
            self.query_unfinished()
            on_chunk()

    def record_states(self, on_chunk: Callable[[], object] = lambda: None) -> None:
        """Record the states of tasks that have not ended; ``on_chunk`` is called in between. Raises
        ConnectionLost and MeasurementError."""
        found: Counter[str] = Counter()
        for (producer, queue), unfinished in self._open.items():
            for start in range(0, len(unfinished), CHUNK):
                sequences = unfinished[start : start + CHUNK]
                states = self._queries.states({queue: self._ids(producer, sequences)})
                found.update(states)
                waits = _where(state == STATE_RETRY for state in states)
                self._recorder.add_waiting(producer, sequences[waits])
                on_chunk()
        self._recorder.set_unfinished(found)

    def _keep_open(self, source: _Source, sequences: Integers) -> None:
        if len(sequences):
            known = self._open.get(source)
            self._open[source] = sequences if known is None else np.concatenate([known, sequences])

    def _query(self, producer: int, queue: str, sequences: Integers) -> Flags:
        """Query tasks (n,) of one producer and queue, and record the ends of those that have ended;
        return which have not (n,)."""
        unconfirmed = self._progress_board.excluded(producer)
        outcomes = self._queries.settled({queue: self._ids(producer, sequences)})
        ends = {
            end: sequences[_where(outcome is end for outcome in outcomes)] for end in TaskOutcome
        }
        was_there = _where(number not in unconfirmed for number in ends[TaskOutcome.GONE].tolist())
        ends[TaskOutcome.GONE] = ends[TaskOutcome.GONE][was_there]
        self._recorder.settle(queue, producer, ends)
        # A task that may never have been in Redis, and is not there, will not end.
        return _where(outcome is None for outcome in outcomes)

    def _ids(self, producer: int, sequences: Integers) -> Sequence[bytes]:
        return [id_of(self._run, producer, sequence) for sequence in sequences.tolist()]


def _where(flags: Iterable[bool]) -> Flags:
    return np.fromiter(flags, np.bool_)

"""Every task of a run, asked whether it has ended, until it has: the ledger of an observed run.

A sample is good enough for latencies, and never for what became of the tasks.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from bench.arrays import Flags, Integers
from bench.ipc.messages import StartObserver
from bench.ipc.progress_board import ProgressBoard
from bench.observer.recorder import CompletionRecorder
from bench.observer.sampling import id_of
from bench.observer.task_queries import TaskQueries
from bench.wire.layout import STATE_RETRY, TaskOutcome
from bench.workload.mix import Mix

_CHUNK = 2_000

_Part = tuple[int, str]
"""Producer and queue."""


class Reconciler:
    """Goes through all tasks once, and then again through those that had not ended."""

    def __init__(
        self,
        task: StartObserver,
        progress_board: ProgressBoard,
        queries: TaskQueries,
        recorder: CompletionRecorder,
    ) -> None:
        self._scenario = task.scenario
        self._run = task.run
        self._progress_board = progress_board
        self._queries = queries
        self._recorder = recorder
        self._mix = Mix(list(self._scenario.queues.values()), self._scenario.seed)
        self._queues = list(self._scenario.queues)
        self._queried = [0] * self._scenario.producers
        """Sequence numbers below were asked at least once."""
        self._open: dict[_Part, Integers] = {}
        """Tasks that had not ended when they were asked: sequence numbers."""

    @property
    def open_count(self) -> int:
        """How many are known not to have ended."""
        return sum(map(len, self._open.values()))

    @property
    def is_complete(self) -> bool:
        """Whether every task that was sent so far has been asked."""
        return all(
            queried >= self._progress_board.sent(number)
            for number, queried in enumerate(self._queried)
        )

    def query_next(self) -> int:
        """Ask some that were never asked; return how many. Raises ConnectionLost."""
        for number, start in enumerate(self._queried):
            stop = min(start + _CHUNK, self._progress_board.answered_before(number))
            if stop <= start:
                continue
            sequences = np.arange(start, stop)
            queue = self._mix.queue_of(sequences * self._scenario.producers + number)
            for index in np.unique(queue).tolist():
                chosen = sequences[queue == index]
                part = (number, self._queues[index])
                self._keep_open(part, chosen[self._query(*part, chosen)])
            self._queried[number] = stop
            return stop - start
        return 0

    def query_unfinished(self) -> int:
        """Ask some of those that had not ended; return how many. Raises ConnectionLost."""
        for part, sequences in self._open.items():
            now, later = sequences[:_CHUNK], sequences[_CHUNK:]
            is_open = self._query(*part, now)
            del self._open[part]  # and behind all others again, so that each has its turn
            self._keep_open(part, np.concatenate([later, now[is_open]]))
            return len(now)
        return 0

    def query_all_unfinished(self) -> None:
        """Ask each of those that had not ended once more. Raises ConnectionLost."""
        for _ in range(sum(-(-len(each) // _CHUNK) for each in self._open.values())):
            self.query_unfinished()

    def _keep_open(self, part: _Part, sequences: Integers) -> None:
        if len(sequences):
            known = self._open.get(part)
            self._open[part] = sequences if known is None else np.concatenate([known, sequences])

    def record_states(self) -> None:
        """Ask the hashes of tasks that have not ended what they say. Raises ConnectionLost."""
        found: Counter[str] = Counter()
        for (producer, queue), sequences in self._open.items():
            states = self._queries.states({queue: self._ids(producer, sequences)})
            found.update(states)
            waits = _where(state == STATE_RETRY for state in states)
            self._recorder.add_waiting(producer, sequences[waits])
        self._recorder.set_unfinished(found)

    def _query(self, producer: int, queue: str, sequences: Integers) -> Flags:
        """Ask tasks (n,) of one part; which of them have not ended."""
        unconfirmed = self._progress_board.excluded(producer)
        outcomes = self._queries.settled({queue: self._ids(producer, sequences)})
        numbers = sequences.tolist()
        completed = _where(
            outcome is TaskOutcome.COMPLETED
            or (outcome is TaskOutcome.GONE and number not in unconfirmed)
            for outcome, number in zip(outcomes, numbers, strict=True)
        )
        archived = _where(outcome is TaskOutcome.ARCHIVED for outcome in outcomes)
        self._recorder.settle(queue, producer, sequences[completed], sequences[archived])
        # What may never have been in Redis, and is not there, has nothing to wait for.
        return _where(outcome is None for outcome in outcomes)

    def _ids(self, producer: int, sequences: Integers) -> Sequence[bytes]:
        return [id_of(self._run, producer, each) for each in sequences.tolist()]


def _where(flags: Iterable[bool]) -> Flags:
    return np.fromiter(flags, np.bool_)

"""The moves of the tasks of one queue, with the states that show that a move took place."""

from dataclasses import dataclass

from bench.wire.layout_contract import (
    STATE_ACTIVE,
    STATE_ARCHIVED,
    STATE_COMPLETED,
    STATE_PENDING,
    STATE_RETRY,
    Layout,
)
from bench.wire.transitions import Transition, Transitions
from bench.worker.recorder import AttemptOutcome
from bench.worker.server_calls import TaskMove

_ERROR_TEXT = "failed on purpose (failure_rate)"
_GONE = None
_ENDED = frozenset((STATE_COMPLETED, STATE_ARCHIVED, _GONE))
"""What has ended. A layout may delete what is completed, so that a task which is gone has ended;
where it keeps that, such a task was lost by the server."""


@dataclass(frozen=True)
class QueueMoves:
    """All moves of the tasks of one queue that a worker makes."""

    load: Transition
    start: TaskMove
    requeue: TaskMove
    put_back: TaskMove
    _ends: dict[AttemptOutcome, TaskMove]
    _wholes: dict[AttemptOutcome, TaskMove]

    @classmethod
    def of(
        cls, layout: Layout, queue: str, result: bytes | None, retry_delay_s: float
    ) -> "QueueMoves":
        """The moves of a layout; ``result`` is None if results are not stored."""
        steps = Transitions(layout, queue, result, _ERROR_TEXT, retry_delay_s)
        are_kept = layout.keeps_completed(result is not None)
        ended = _ENDED - {_GONE} if are_kept else _ENDED
        ends = {
            AttemptOutcome.COMPLETED: TaskMove(steps.complete, ended),
            AttemptOutcome.RETRIED: TaskMove(steps.retry, frozenset((STATE_RETRY,))),
            AttemptOutcome.ARCHIVED: TaskMove(steps.archive, ended),
        }
        wholes = {
            AttemptOutcome.COMPLETED: steps.start_and_complete,
            AttemptOutcome.RETRIED: steps.start_and_retry,
            AttemptOutcome.ARCHIVED: steps.start_and_archive,
        }
        return cls(
            load=steps.load,
            start=TaskMove(steps.start, frozenset((STATE_ACTIVE,)), is_start=True),
            requeue=TaskMove(steps.requeue, _ENDED | {STATE_PENDING, STATE_ACTIVE}),
            put_back=TaskMove(steps.put_back, _ENDED | {STATE_PENDING}),
            _ends=ends,
            _wholes={
                outcome: TaskMove(step, ends[outcome].reached, True, ends[outcome])
                for outcome, step in wholes.items()
            },
        )

    def end(self, outcome: AttemptOutcome) -> TaskMove:
        """Ends the attempt at a task that is active."""
        return self._ends[outcome]

    def whole(self, outcome: AttemptOutcome) -> TaskMove:
        """Starts a task and ends the attempt at once."""
        return self._wholes[outcome]

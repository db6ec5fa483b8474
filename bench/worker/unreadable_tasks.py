"""What a worker does with popped ids behind which there is no task that can be read."""

from collections.abc import Sequence
from typing import Any

import hiredis

from bench.clock import Clock
from bench.measure.unserved import Unserved
from bench.wire.layout_contract import Command, Layout, Reservation
from bench.worker.batch import ReadTasks, TaskRecorder
from bench.worker.difficulties import Difficulties
from bench.worker.event_loop import Coroutine
from bench.worker.held_tasks import HeldTasks
from bench.worker.recorder import AttemptBatch, AttemptOutcome
from bench.worker.server_calls import ServerCalls


class UnreadableTasks:
    """Puts such ids aside, so that the others of their batch can be served."""

    def __init__(
        self, layout: Layout, clock: Clock, calls: ServerCalls, difficulties: Difficulties
    ) -> None:
        self._layout = layout
        self._clock = clock
        self._calls = calls
        self._difficulties = difficulties

    def set_aside(
        self, held: HeldTasks, task_ids: Sequence[bytes], replies: Sequence[Any], read: ReadTasks
    ) -> Coroutine:
        """Archive tasks whose hashes cannot be read; leave on the active list what is no hash."""
        no_hashes: list[bytes] = []
        commands: dict[bytes, Sequence[Command]] = {}
        archived: list[tuple[bytes, TaskRecorder]] = []
        for index, recorder in read.unreadable:
            task_id, reply = task_ids[index], replies[index]
            if isinstance(reply, hiredis.ReplyError):
                no_hashes.append(task_id)
                continue
            archived.append((task_id, recorder))
            name = task_id.decode(errors="surrogateescape")
            reservation = Reservation(held.queue, name, self._clock.now_us() // 1_000_000)
            commands[task_id] = self._layout.set_aside(reservation, reply)
        held.send([task_ids[index] for index, _ in read.unreadable])
        yield from self._calls.leave_active(held.queue, no_hashes)
        yield from self._calls.set_aside(held.queue, commands)
        held.settle()
        now_us = self._clock.now_us()
        for task_id, recorder in archived:
            attempt = AttemptBatch([task_id], [b""], [0], [now_us], now_us)
            recorder.started(1, now_us)
            recorder.ended(held.queue, attempt, AttemptOutcome.ARCHIVED, now_us)
        if no_hashes:
            self._difficulties.not_served(
                Unserved.NO_HASH, no_hashes, "it is left on the active list"
            )
        if archived:
            names = [task_id for task_id, _ in archived]
            self._difficulties.not_served(Unserved.UNREADABLE, names, "it is archived")

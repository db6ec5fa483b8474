"""A worker's commands for many tasks at once, from templates that the layout itself fills."""

from collections.abc import Callable, Sequence

import numpy as np

from bench.wire import ids, resp
from bench.wire.layout import Command, Layout

CommandsOf = Callable[[str, str], Sequence[Command]]
"""(queue, task id) to commands: one of a layout's methods, or the like."""

_VECTOR_FROM = 16
_MARK = ids.format_id(ids.TaskId((1 << 60) - 1, ids.MAX_PRODUCERS - 1, ids.MAX_SEQUENCE - 1))


class Step:
    """One move of a task, as bytes. Ids of our own length go through a template."""

    def __init__(self, commands_of: CommandsOf, queue: str) -> None:
        self._commands_of = commands_of
        self._queue = queue
        commands = commands_of(queue, _MARK)
        self.replies_per_task = len(commands)
        row = resp.encode(commands)
        parts = row.split(_MARK.encode())
        self._template = b"%b".join(part.replace(b"%", b"%%") for part in parts)
        self._marks = len(parts) - 1
        self._row = np.frombuffer(row, np.uint8)
        before = np.cumsum([len(part) for part in parts[:-1]])
        self._ids_at = (before + ids.ID_LENGTH * np.arange(self._marks)).tolist()

    def render(self, task_ids: Sequence[bytes]) -> bytes:
        """The commands of all these tasks, task by task."""
        if len(task_ids) >= _VECTOR_FROM and set(map(len, task_ids)) == {ids.ID_LENGTH}:
            return self._fill_vectors(task_ids)
        template, marks = self._template, self._marks
        return b"".join(
            [
                template % ((task_id,) * marks)
                if len(task_id) == ids.ID_LENGTH
                else resp.encode(self.commands(task_id))
                for task_id in task_ids
            ]
        )

    def _fill_vectors(self, task_ids: Sequence[bytes]) -> bytes:
        columns = np.frombuffer(b"".join(task_ids), np.uint8).reshape(-1, ids.ID_LENGTH)
        rows = np.empty((len(task_ids), len(self._row)), np.uint8)
        rows[:] = self._row
        for at in self._ids_at:
            rows[:, at : at + ids.ID_LENGTH] = columns
        return rows.tobytes()

    def commands(self, task_id: bytes) -> Sequence[Command]:
        """The commands of one task, to be sent one by one."""
        return self._commands_of(self._queue, task_id.decode())


class Steps:
    """All moves of tasks of one queue. ``result`` is None where results are not stored."""

    def __init__(self, layout: Layout, queue: str, result: bytes | None, error: str) -> None:
        def load(queue: str, task_id: str) -> Sequence[Command]:
            return (layout.load(queue, task_id),)

        def complete(queue: str, task_id: str) -> Sequence[Command]:
            return layout.complete(queue, task_id, result)

        def archive(queue: str, task_id: str) -> Sequence[Command]:
            return layout.archive(queue, task_id, error)

        self.load = Step(load, queue)
        self.start = Step(layout.start, queue)
        self.complete = Step(complete, queue)
        self.retry = Step(layout.retry, queue)
        self.requeue = Step(layout.requeue, queue)
        self.archive = Step(archive, queue)
        self.put_back = Step(layout.put_back, queue)
        self.start_and_complete = Step(_both(layout.start, complete), queue)
        self.start_and_retry = Step(_both(layout.start, layout.retry), queue)
        self.start_and_archive = Step(_both(layout.start, archive), queue)


def _both(first: CommandsOf, second: CommandsOf) -> CommandsOf:
    def commands(queue: str, task_id: str) -> Sequence[Command]:
        return (*first(queue, task_id), *second(queue, task_id))

    return commands

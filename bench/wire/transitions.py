"""Renders a worker's commands for many tasks at once, from templates that the layout fills."""

from collections.abc import Callable, Sequence

import numpy as np

from bench.wire import ids, resp
from bench.wire.layout_contract import Command, Layout, Reservation

CommandsOf = Callable[[Reservation], Sequence[Command]]
"""A function that returns the commands of one task, as the moves of a layout do."""

_VECTOR_FROM = 16
_MARK = ids.format_id(ids.TaskId((1 << 60) - 1, ids.MAX_PRODUCERS - 1, ids.MAX_SEQUENCE - 1))


class Transition:
    """One move of a task, as bytes.

    Ids of the length of a run's ids go through a template. It holds for one second, because the
    time that a layout stores is part of it.
    """

    def __init__(self, commands_of: CommandsOf, queue: str) -> None:
        self._commands_of = commands_of
        self._queue = queue
        self._lay_out(0)

    def _lay_out(self, now_s: int) -> None:
        self._now_s = now_s
        commands = self._commands_of(Reservation(self._queue, _MARK, now_s))
        self.replies_per_task = len(commands)
        row = resp.encode(commands)
        parts = row.split(_MARK.encode())
        self._template, self._marks = _template_of(row)
        self._singly = [_template_of(resp.encode([command])) for command in commands]
        self._row = np.frombuffer(row, np.uint8)
        before = np.cumsum([len(part) for part in parts[:-1]])
        self._ids_at = (before + ids.ID_LENGTH * np.arange(self._marks)).tolist()

    def render(
        self, task_ids: Sequence[bytes], now_s: int = 0, messages: Sequence[bytes] = ()
    ) -> bytes:
        """Returns the commands of all these tasks (n,), task by task, at that Unix time.

        ``messages`` (n,) are the whole tasks, for a move that rewrites them; else empty.
        """
        if messages:
            pairs = zip(task_ids, messages, strict=True)
            return b"".join(resp.encode(self.commands(*pair, now_s)) for pair in pairs)
        if now_s != self._now_s:
            self._lay_out(now_s)
        if len(task_ids) >= _VECTOR_FROM and set(map(len, task_ids)) == {ids.ID_LENGTH}:
            return self._fill_vectors(task_ids)
        template, marks = self._template, self._marks
        return b"".join(
            [
                template % ((task_id,) * marks)
                if len(task_id) == ids.ID_LENGTH
                else resp.encode(self.commands(task_id, b"", now_s))
                for task_id in task_ids
            ]
        )

    def singly(
        self, task_ids: Sequence[bytes], now_s: int = 0, messages: Sequence[bytes] = ()
    ) -> list[bytes]:
        """Returns what ``render`` does, with each command as bytes of its own."""
        if now_s != self._now_s:
            self._lay_out(now_s)
        if messages or any(len(task_id) != ids.ID_LENGTH for task_id in task_ids):
            pairs = zip(task_ids, messages or [b""] * len(task_ids), strict=True)
            found = [command for pair in pairs for command in self.commands(*pair, now_s)]
            return [resp.encode([command]) for command in found]
        return [
            template % ((task_id,) * marks)
            for task_id in task_ids
            for template, marks in self._singly
        ]

    def _fill_vectors(self, task_ids: Sequence[bytes]) -> bytes:
        columns = np.frombuffer(b"".join(task_ids), np.uint8).reshape(-1, ids.ID_LENGTH)
        rows = np.empty((len(task_ids), len(self._row)), np.uint8)
        rows[:] = self._row
        for at in self._ids_at:
            rows[:, at : at + ids.ID_LENGTH] = columns
        return rows.tobytes()

    def commands(self, task_id: bytes, message: bytes = b"", now_s: int = 0) -> Sequence[Command]:
        """Returns the commands of one task, to be sent one by one."""
        name = task_id.decode(errors="surrogateescape")  # an id may be any bytes
        return self._commands_of(Reservation(self._queue, name, now_s, message))


def _template_of(row: bytes) -> tuple[bytes, int]:
    """Returns a ``%`` template with a place for each id in these bytes, and how many there are."""
    parts = row.split(_MARK.encode())
    return b"%b".join(part.replace(b"%", b"%%") for part in parts), len(parts) - 1


class Transitions:
    """All moves of the tasks of one queue. ``result`` is None if results are not stored."""

    def __init__(
        self, layout: Layout, queue: str, result: bytes | None, error: str, retry_delay_s: float
    ) -> None:
        def load(reservation: Reservation) -> Sequence[Command]:
            return (layout.load(reservation.queue, reservation.id),)

        def complete(reservation: Reservation) -> Sequence[Command]:
            return layout.complete(reservation, result)

        def retry(reservation: Reservation) -> Sequence[Command]:
            return layout.retry(reservation, retry_delay_s, error)

        def archive(reservation: Reservation) -> Sequence[Command]:
            return layout.archive(reservation, error)

        self.load = Transition(load, queue)
        self.start = Transition(layout.start, queue)
        self.complete = Transition(complete, queue)
        self.retry = Transition(retry, queue)
        self.requeue = Transition(layout.requeue, queue)
        self.archive = Transition(archive, queue)
        self.put_back = Transition(layout.put_back, queue)
        self.start_and_complete = Transition(_both(layout.start, complete), queue)
        self.start_and_retry = Transition(_both(layout.start, retry), queue)
        self.start_and_archive = Transition(_both(layout.start, archive), queue)


def _both(first: CommandsOf, second: CommandsOf) -> CommandsOf:
    def commands(reservation: Reservation) -> Sequence[Command]:
        return (*first(reservation), *second(reservation))

    return commands

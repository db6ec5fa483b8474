"""Which tasks a stream of replies answers.

A task is answered by the reply to its last command, which is the one that makes it visible: when
an earlier one fails, the task is still there, and when the last one fails, it is not.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from bench.wire.replies import Replies


@dataclass(frozen=True)
class Answered:
    """What some replies said of tasks, in the order of the tasks on the connection."""

    tasks: int
    refused: Sequence[int]
    """Indices among these tasks."""
    ends_with_task: bool
    """Whether the newest reply is to a task's last command."""


class Answers:
    """Follows one connection. Replies come in the order of the commands."""

    def __init__(self, replies_per_task: int, by_command: bool) -> None:
        self._replies_per_task = replies_per_task
        self._by_command = by_command
        self._groups: deque[tuple[int, int]] = deque()
        """(blocks, tasks in each block), in the order in which they were sent."""
        self._seen = 0
        """Replies to the first group that have come."""
        self._answered = 0
        """Tasks of the first group that they answer."""

    def expect(self, tasks: int) -> None:
        """A group of tasks was sent: by command in one block, else each in a block of its own."""
        self._groups.append((1, tasks) if self._by_command else (tasks, 1))

    @property
    def missing(self) -> int:
        """Replies that are still to come."""
        return sum(blocks * size for blocks, size in self._groups) * self._replies_per_task - (
            self._seen
        )

    def take(self, replies: Replies) -> Answered:
        """The tasks that these replies answer.

        Raises ValueError when there are more replies than commands.
        """
        errors = [index for index, _ in replies.errors]
        left, offset, answered = replies.count, 0, 0
        refused: list[int] = []
        ends_with_task = False
        while left:
            if not self._groups:
                raise ValueError(f"{left} replies to nothing")
            blocks, size = self._groups[0]
            commands = size * self._replies_per_task
            reservation = min(left, blocks * commands - self._seen)
            for index in errors:
                if offset <= index < offset + reservation:
                    task, is_answer = self._position(self._seen + index - offset, size)
                    if is_answer:
                        refused.append(answered + task - self._answered)
            self._seen += reservation
            block, place = divmod(self._seen, commands)
            in_block = max(place + size - commands, 0)
            ends_with_task = place == 0 or in_block > 0
            answered += block * size + in_block - self._answered
            self._answered = block * size + in_block
            left -= reservation
            offset += reservation
            if block == blocks:
                self._groups.popleft()
                self._seen = self._answered = 0
        return Answered(answered, refused, ends_with_task)

    def _position(self, reply: int, size: int) -> tuple[int, bool]:
        """Tasks answered before this reply of a group, and whether this one answers a task."""
        lead = size * (self._replies_per_task - 1)
        block, place = divmod(reply, size * self._replies_per_task)
        return block * size + max(place - lead, 0), place >= lead

"""Which tasks a stream of replies answers.

A task is answered by the reply to its last command, which is the one that makes the task visible.
It is enqueued if none of its commands was refused: an id without its hash is no task.
"""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from bench.wire.replies import Replies


class Answered(NamedTuple):
    """What some replies say about tasks, in the order in which the connection sent the tasks."""

    tasks: int
    """Number of tasks that were answered."""
    refused: Sequence[int]
    """Indices, among these tasks, of those that the server refused."""
    ends_with_task: bool
    """Whether the newest reply answers a task's last command."""


class Answers:
    """Assigns the replies of one connection to tasks. Replies come in the order of the commands."""

    def __init__(self, replies_per_task: int, by_command: bool) -> None:
        self._replies_per_task = replies_per_task
        self._by_command = by_command
        self._groups: deque[tuple[int, int]] = deque()
        """(blocks, tasks in each block), in the order in which they were sent."""
        self._seen = 0
        """Number of replies to the first group that have arrived."""
        self._answered = 0
        """Number of tasks of the first group that they answer."""
        self._refused: set[int] = set()
        """Tasks of the first group that are not answered, and of which a command was refused."""

    def expect(self, tasks: int) -> None:
        """Notes that a group of tasks was sent: in one block if by command, else a block each."""
        self._groups.append((1, tasks) if self._by_command else (tasks, 1))

    @property
    def missing(self) -> int:
        """Number of replies that have not arrived yet."""
        return sum(blocks * size for blocks, size in self._groups) * self._replies_per_task - (
            self._seen
        )

    def take(self, replies: Replies) -> Answered:
        """Returns the tasks that these replies answer.

        Raises ValueError if there are more replies than commands.
        """
        errors = [index for index, _ in replies.errors]
        left, offset, answered = replies.count, 0, 0
        refused: list[int] = []
        ends_with_task = False
        while left:
            if not self._groups:
                raise ValueError(f"{left} replies to no command")
            blocks, size = self._groups[0]
            commands = size * self._replies_per_task
            taken = min(left, blocks * commands - self._seen)
            for index in errors:
                if offset <= index < offset + taken:
                    self._refused.add(self._task_of(self._seen + index - offset, size))
            self._seen += taken
            block, within = divmod(self._seen, commands)
            in_block = max(within + size - commands, 0)
            ends_with_task = within == 0 or in_block > 0
            done = block * size + in_block
            if self._refused:
                ended = sorted(task for task in self._refused if task < done)
                refused += [answered + task - self._answered for task in ended]
                self._refused.difference_update(ended)
            answered += done - self._answered
            self._answered = done
            left -= taken
            offset += taken
            if block == blocks:
                self._groups.popleft()
                self._seen = self._answered = 0
        return Answered(answered, refused, ends_with_task)

    def _task_of(self, reply: int, size: int) -> int:
        """Returns the task of a group whose command this reply answers."""
        block, within = divmod(reply, size * self._replies_per_task)
        return block * size + within % size

"""The tasks that a coroutine has taken from a queue, and how far it is with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto


class Stage(Enum):
    """What undoes the taking of tasks, if their worker ends here."""

    POPPED = auto()
    """Nothing was written: their ids are to be pushed again."""
    MOVING = auto()
    """Commands about them are not answered: what the server has done of them is not known."""
    IN_SERVICE = auto()
    """They are active: they are to be put back."""


@dataclass
class Hand:
    """Tasks of one queue in the hands of one coroutine; without ids, it has none."""

    queue: str = ""
    task_ids: Sequence[bytes] = ()
    stage: Stage = Stage.POPPED

    def take(self, queue: str, task_ids: Sequence[bytes]) -> None:
        """Hold tasks that were popped."""
        self.queue, self.task_ids, self.stage = queue, task_ids, Stage.POPPED

    def clear(self) -> None:
        """Hold none: they have ended, or something else holds them."""
        self.task_ids = ()

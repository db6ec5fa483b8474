"""The tasks that a coroutine has taken from a queue, and how far it is with them."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass
class HeldTasks:
    """Tasks of one queue that one coroutine holds, by what undoes that they were taken."""

    queue: str = ""
    popped: Sequence[bytes] = ()
    """Nothing was written about them: their ids are to be pushed again."""
    unanswered: Sequence[bytes] = ()
    """Commands about them were sent and are not answered: what the server has done of them is not
    known."""
    in_service: Sequence[bytes] = ()
    """They are active: they are to be put back."""

    def __len__(self) -> int:
        return len(self.popped) + len(self.unanswered) + len(self.in_service)

    def take(self, queue: str, task_ids: Sequence[bytes]) -> None:
        """Hold tasks that were popped."""
        self.queue, self.popped = queue, task_ids

    def send(self, task_ids: Sequence[bytes]) -> None:
        """Commands about some of the popped tasks are sent now."""
        if len(task_ids) == len(self.popped):
            self.popped = ()
        else:
            chosen = {*task_ids}
            self.popped = [each for each in self.popped if each not in chosen]
        self.unanswered = task_ids

    def serve(self) -> None:
        """The commands were answered: the tasks are in service."""
        self.in_service, self.unanswered = self.unanswered, ()

    def end_service(self) -> None:
        """Commands that end the tasks in service are sent now."""
        self.unanswered, self.in_service = self.in_service, ()

    def settle(self) -> None:
        """The commands were answered: the tasks have ended, or something else holds them."""
        self.unanswered = ()

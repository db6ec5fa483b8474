"""Tasks that workers hold on lease: when another worker may take them over."""

import datetime
from dataclasses import dataclass

from bench import units

RECOVERY_S = 150.0
"""How long after the end of a lease its task may be run again: a worker of runqy or asynq looks
once a minute for leases that ended half a minute ago, and the task then waits a quarter of a minute
or more for its next attempt."""


@dataclass(frozen=True)
class Leases:
    """The leases of some queues at one moment."""

    tasks: int
    until_s: float
    """When the last of them ends, as Unix time in seconds."""

    @property
    def sentence(self) -> str:
        """``12 tasks are leased until 17:04:31 UTC``."""
        at = datetime.datetime.fromtimestamp(self.until_s, datetime.UTC)
        what = "1 task is" if self.tasks == 1 else f"{units.format_count(self.tasks)} tasks are"
        return f"{what} leased until {at:%H:%M:%S} UTC"

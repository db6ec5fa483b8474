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
        """``12 tasks are leased, the last of them until 17:04:31 UTC``."""
        if self.tasks == 1:
            return f"1 task is leased{self._until}"
        return f"{units.format_count(self.tasks)} tasks are leased, the last of them{self._until}"

    @property
    def _until(self) -> str:
        try:
            at = datetime.datetime.fromtimestamp(self.until_s, datetime.UTC)
        except (OverflowError, ValueError, OSError):  # whatever a worker wrote
            return " for good"
        return f" until {at:%H:%M:%S} UTC"

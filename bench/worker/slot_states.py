"""What a worker was doing at any moment: asking for tasks, waiting for commands, or serving.

A task that waits in a queue waits for one of three reasons, and it is the worker that takes it in
the end which knows them: it had a slot free and asked (the task was in delivery), its slots
were held by tasks whose commands were not answered, or its slots were serving.
"""

import numpy as np

from bench.arrays import Floats, Integers

_ROOM = 1 << 15
"""Most moments that are kept."""
_COLLECTED_AT = 1 << 12


def change_of(*, pops: int = 0, commands: int = 0, serving: int = 0) -> int:
    """Returns, as one number, that so many more (fewer, if negative) pops wait for an answer, tasks
    or batches are with their commands, and tasks are in service. Of the first two, one at most."""
    return serving << 4 | (pops + 1) << 2 | commands + 1


ASKS = change_of(pops=1)
ASKS_AGAIN = change_of(pops=1, commands=-1)
"""After the commands of the tasks before."""
GETS_TASKS = change_of(pops=-1, commands=1)
GETS_NONE = change_of(pops=-1)
BEGINS_SERVICE = change_of(commands=-1, serving=1)
ENDS_SERVICE = change_of(commands=1, serving=-1)
BEGINS_COMMANDS = change_of(commands=1)
ENDS_COMMANDS = change_of(commands=-1)


class SlotStates:
    """Adds up how long a worker has been in each state, so that any two moments can be compared.

    Times are in µs on the worker's clock. Of the distant past fewer and fewer moments are kept, and
    times between two of them are interpolated.
    """

    def __init__(self, slots: int = 1) -> None:
        self.slots = slots
        self._new: list[int] = []
        """New changes, two numbers each: the moment, and what changed. Noting them is all that a
        task has to wait for."""
        self._last_us = 0
        self._numbers = np.zeros(3, np.int64)
        """How many pops, commands and tasks in service there were after the last change."""
        self._totals_us = np.zeros(2)
        """How long the worker has been in the two states, until the last change."""
        self._kept = np.zeros((3, _ROOM))
        """Moments since the first one, and the time in each of the two states until then."""
        self._count = 0
        self._first_us = 0

    def change(self, now_us: int, change: int) -> None:
        """Note a change, which is one of ``change_of``."""
        new = self._new
        new.append(now_us)
        new.append(change)
        if len(new) >= _COLLECTED_AT:
            self._collect()

    def between(self, begins_us: Integers, ends_us: Integers) -> tuple[Floats, Floats]:
        """Returns how long (n,) the worker asked for tasks, and how long (n,) its slots were held
        by commands alone, between pairs of moments (n,) of the past."""
        self._collect()
        if not self._count:
            nothing = np.zeros(len(begins_us))
            return nothing, nothing
        moments, asking, blocked = self._kept[:, : self._count]
        begins, ends = begins_us - self._first_us, ends_us - self._first_us
        return (
            np.interp(ends, moments, asking) - np.interp(begins, moments, asking),
            np.interp(ends, moments, blocked) - np.interp(begins, moments, blocked),
        )

    @property
    def kept(self) -> int:
        """Number of moments that are kept."""
        return self._count

    def _collect(self) -> None:
        """Put the new moments with the others; make room by leaving out every other old one."""
        if not self._new:
            return
        moments_us, changes = np.array(self._new, np.int64).reshape(-1, 2).T
        self._new.clear()
        new = self._summed(moments_us, changes)
        while self._count + new.shape[1] > _ROOM:
            half = self._count // 2
            rest = self._kept[:, half : self._count].copy()
            thinned = self._kept[:, :half:2].copy()
            self._count = thinned.shape[1] + rest.shape[1]
            self._kept[:, : self._count] = np.concatenate((thinned, rest), axis=1)
        self._kept[:, self._count : self._count + new.shape[1]] = new
        self._count += new.shape[1]

    def _summed(self, moments_us: Integers, changes: Integers) -> Floats:
        """Moments (3, n) as they are kept, of changes (n,) at these moments (n,)."""
        if not self._count:
            self._first_us = self._last_us = int(moments_us[0])
        steps = np.array([(changes >> 2 & 3) - 1, (changes & 3) - 1, changes >> 4])
        numbers = np.cumsum(steps, axis=1) + self._numbers[:, None]
        pops, commands, serving = np.concatenate((self._numbers[:, None], numbers[:, :-1]), axis=1)
        elapsed_us = np.diff(moments_us, prepend=self._last_us)
        busy = commands + np.minimum(serving, self.slots)
        is_blocked = (pops == 0) & (commands > 0)
        states = np.array([pops > 0, is_blocked * commands / np.maximum(busy, 1)])
        totals_us = np.cumsum(states * elapsed_us, axis=1) + self._totals_us[:, None]
        self._last_us, self._numbers = int(moments_us[-1]), numbers[:, -1]
        self._totals_us = totals_us[:, -1]
        found: Floats = np.vstack((moments_us - self._first_us, totals_us))
        return found

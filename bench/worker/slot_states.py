"""What a worker was doing at any moment: asking for tasks, waiting for commands, or serving.

A task that waits in a queue waits for one of three reasons, and it is the worker that takes it in
the end which knows them: it had a slot free and asked (the task was in delivery), its slots
were held by tasks whose commands were not answered, or its slots were serving.
"""

from array import array

import numpy as np

from bench.arrays import Floats, Integers

_ROOM = 1 << 15
"""Most moments that are kept."""
_COLLECTED_AT = 3 << 11


class SlotStates:
    """Adds up how long a worker has been in each state, so that any two moments can be compared.

    Times are in µs on the worker's clock. Of the distant past fewer and fewer moments are kept, and
    times between two of them are interpolated.
    """

    def __init__(self, slots: int = 1) -> None:
        self.slots = slots
        self._pops = self._commands = self._serving = 0
        self._now_us = 0
        self._asking_us = self._blocked_us = 0.0
        """How long the worker has been in these states, until ``_now_us``."""
        self._new = array("d")
        """New moments, each followed by the time in the two states until then."""
        self._kept = np.zeros((3, _ROOM))
        """Moments since the first one, and the time in each of the two states until then."""
        self._count = 0
        self._first_us = 0

    def change(self, now_us: int, *, pops: int = 0, commands: int = 0, serving: int = 0) -> None:
        """Note that so many more (fewer, if negative) pops wait for an answer, tasks or batches are
        with their commands, and tasks are in service."""
        self._until(now_us)
        self._new.extend((now_us, self._asking_us, self._blocked_us))
        self._pops += pops
        self._commands += commands
        self._serving += serving
        if len(self._new) >= _COLLECTED_AT:
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

    def _until(self, now_us: int) -> None:
        elapsed_us = now_us - self._now_us
        self._now_us = now_us
        if self._pops:
            self._asking_us += elapsed_us
        elif self._commands:
            serving = min(self._serving, self.slots)
            self._blocked_us += elapsed_us * self._commands / (self._commands + serving)

    def _collect(self) -> None:
        """Put the new moments with the others; make room by leaving out every other old one."""
        if not self._new:
            return
        new = np.array(self._new).reshape(-1, 3).T
        del self._new[:]
        if not self._count:
            self._first_us = int(new[0, 0])
        new[0] -= self._first_us
        while self._count + new.shape[1] > _ROOM:
            half = self._count // 2
            rest = self._kept[:, half : self._count].copy()
            thinned = self._kept[:, :half:2].copy()
            self._count = thinned.shape[1] + rest.shape[1]
            self._kept[:, : self._count] = np.concatenate((thinned, rest), axis=1)
        self._kept[:, self._count : self._count + new.shape[1]] = new
        self._count += new.shape[1]

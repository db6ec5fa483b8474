"""The process that watches the machine, as the run sees it that has started it."""

import contextlib
import select
import subprocess
import time
from typing import IO

from bench.ipc.channel import ChannelClosed, Reader, Writer
from bench.machine import ProcessCpu
from bench.measure.canary import Canary
from bench.measure.hiccups import HiccupReport
from bench.measure.window import TimeLine
from bench.processes.start import GroupLeader
from bench.watcher.messages import (
    BeginTrace,
    CanaryTimed,
    EndTrace,
    FromWatcher,
    TimeCanary,
    ToWatcher,
)

MODULE = "bench.watcher.process"
_ANSWER_TIMEOUT_S = 10.0
"""For what takes a few milliseconds, beside the time of a canary."""
_END_TIMEOUT_S = 2.0


class MachineWatcher:
    """A process that watches the machine. Whatever becomes of it, the run goes on without it."""

    def __init__(
        self, process: GroupLeader, descriptors: tuple[int, int], errors: IO[bytes]
    ) -> None:
        """``descriptors``: the one to read its messages from, and the one to write to."""
        self._process = process
        source, target = descriptors
        self._reader: Reader[FromWatcher] = Reader(source, FromWatcher)  # type: ignore[arg-type]
        self._writer = Writer(target)
        self._errors = errors
        self._cpu = ProcessCpu(process.pid)
        self._traces = False
        self.problem = ""
        """Why it watches no more, as a clause; empty while it does."""

    @property
    def cpu_s(self) -> float:
        """Its CPU time so far, in seconds; once it has ended, when it was last read."""
        return self._cpu.used_s()

    def canary(self, seconds: float) -> Canary | None:
        """Time a canary, which takes about so long; None where that could not be done."""
        self._send(TimeCanary(seconds))
        answer = self._answer(seconds + _ANSWER_TIMEOUT_S)
        return answer.canary if isinstance(answer, CanaryTimed) else None

    def begin(self, line: TimeLine, offset_us: int) -> None:
        """Begin the hiccup trace of a run; ``offset_us`` leads from the host's monotonic clock to
        the run's."""
        self._traces = True
        self._send(BeginTrace(line, offset_us))

    def end(self) -> HiccupReport | None:
        """End the trace; returns what it saw, or None where there is none, or no answer."""
        if not self._traces:
            return None
        self._traces = False
        self._send(EndTrace())
        answer = self._answer(_ANSWER_TIMEOUT_S)
        return answer if isinstance(answer, HiccupReport) else None

    def close(self) -> None:
        """End the process."""
        for end in (self._writer, self._reader):
            end.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_TIMEOUT_S)
        self._process.end()
        self._errors.close()

    def _send(self, message: ToWatcher) -> None:
        if not self.problem:
            with contextlib.suppress(ChannelClosed):  # what it answers will say so
                self._writer.write(message)

    def _answer(self, timeout_s: float) -> FromWatcher | None:
        deadline_s = time.monotonic() + timeout_s
        try:
            while not self.problem:
                left_s = max(deadline_s - time.monotonic(), 0.0)
                if not select.select([self._reader], [], [], left_s)[0]:
                    self.problem = f"it did not answer within {timeout_s:.0f} s"
                elif messages := self._reader.read():  # none where it has come in part
                    return messages[0]
        except ChannelClosed:
            self.problem = f"it ended{self._last_error()}"
        return None

    def _last_error(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return f": {lines[-1]}" if lines else ""

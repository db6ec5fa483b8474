"""A worker of known behaviour, as a process of its own: ``python -m bench.selftest.stand_in PLAN
NOTES``.

It completes each task a planned time after the task was due, drops a planned number of tasks, and
notes for each task between which two moments it was completed. It shares no code with what
measures: it waits with a condition, reads its own clock, and keeps plain numbers.
"""

import contextlib
import heapq
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from bench.errors import MeasurementError
from bench.processes import start
from bench.redisio.clock_sync import measure_offset
from bench.redisio.connection import open_client
from bench.secrets import URL_VARIABLE

_DUE = re.compile(rb'"due_us":(\d{16})')
_POP_S = 0.2
_READY = b"ready"
_END_S = 30.0


class StandInPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What the stand-in is to do."""

    delays_us: dict[str, int]
    """Time from when a task was due to its completion, by queue."""
    drop_every: int = 0
    """Each so many-th task that it takes is dropped; 0 for none."""
    misreported_us: int = 0
    """How much too early it says that it completed each task: 0, except to show that a stand-in
    that lies is found out."""


class StandInTask(msgspec.Struct, frozen=True):
    """When a task was completed, measured from when it was due, in µs: not before and not after."""

    queue: str
    before_us: int
    after_us: int


class StandInNotes(msgspec.Struct, kw_only=True):
    """What the stand-in has done."""

    clock_error_us: float = 0.0
    """How far its stamps and those of the run may be apart in µs: what its own mapping to the
    server's clock may be off, once more for that of the run, which maps in the same way at another
    moment, and the drift between the stand-in's begin and end."""
    tasks: list[StandInTask] = []
    dropped: int = 0


@dataclass(order=True)
class _Taken:
    complete_us: int
    number: int
    queue: str = field(compare=False)
    task_id: bytes = field(compare=False)
    due_us: int = field(compare=False)


class StandIn:
    """One thread takes tasks, and another one completes them."""

    def __init__(self, url: str, plan: StandInPlan) -> None:
        self._plan = plan
        self._taking, self._completing = open_client(url), open_client(url)
        offset = measure_offset(self._taking)
        self._offset_us = offset.offset_us
        self.notes = StandInNotes(clock_error_us=offset.error_us, tasks=[])
        self._heap: list[_Taken] = []
        self._changed = threading.Condition()
        self.stopping = threading.Event()
        self._taken = 0

    def serve(self) -> None:
        """Serve the queues of the plan until ``stopping`` is set."""
        completer = threading.Thread(target=self._complete_due)
        completer.start()
        keys = [f"asynq:{queue}:pending" for queue in self._plan.delays_us]
        while not self.stopping.is_set():
            popped: Any = self._taking.brpop(keys, timeout=_POP_S)
            if popped is not None:
                self._take(popped[0].decode().split(":")[1], popped[1])
        with self._changed:
            self._changed.notify()
        completer.join()
        offset = measure_offset(self._taking)
        drift_us = abs(offset.offset_us - self._offset_us)
        self.notes.clock_error_us = 2 * max(offset.error_us, self.notes.clock_error_us) + drift_us

    def _take(self, queue: str, task_id: bytes) -> None:
        self._taken += 1
        every = self._plan.drop_every
        if every and self._taken % every == 0:
            self.notes.dropped += 1
            return
        key = f"asynq:t:{task_id.decode()}"
        with self._taking.pipeline(transaction=False) as pipeline:
            pipeline.hget(key, "payload")
            pipeline.lpush(f"asynq:{queue}:active", task_id)
            pipeline.hset(key, "state", "active")
            payload, *_ = pipeline.execute()
        found = _DUE.search(payload or b"")
        if found is None:
            return
        due_us = int(found[1])
        taken = _Taken(due_us + self._plan.delays_us[queue], self._taken, queue, task_id, due_us)
        with self._changed:
            heapq.heappush(self._heap, taken)
            self._changed.notify()

    def _now_us(self) -> int:
        return time.monotonic_ns() // 1000 + self._offset_us

    def _complete_due(self) -> None:
        while True:
            with self._changed:
                while not self._heap or self._heap[0].complete_us > self._now_us():
                    if self.stopping.is_set():
                        return
                    wait_us = self._heap[0].complete_us - self._now_us() if self._heap else None
                    self._changed.wait(None if wait_us is None else max(wait_us, 0) / 1e6)
                taken = heapq.heappop(self._heap)
            self._complete(taken)

    def _complete(self, taken: _Taken) -> None:
        with self._completing.pipeline(transaction=False) as pipeline:
            pipeline.lrem(f"asynq:{taken.queue}:active", 1, taken.task_id.decode())
            pipeline.hset(f"asynq:t:{taken.task_id.decode()}", "state", "completed")
            before_us = self._now_us()
            pipeline.execute()
            after_us = self._now_us()
        base_us = taken.due_us + self._plan.misreported_us
        self.notes.tasks.append(StandInTask(taken.queue, before_us - base_us, after_us - base_us))


@contextlib.contextmanager
def serving(url: str, plan: StandInPlan, folder: Path) -> Iterator[StandInNotes]:
    """Yields the notes of a stand-in that serves until the block ends; they are filled in then.

    It waits for tasks when the block begins. Raises MeasurementError where it left no notes.
    """
    asked, noted = folder / "plan.json", folder / "notes.json"
    noted.unlink(missing_ok=True)
    asked.write_bytes(msgspec.json.encode(plan))
    notes = StandInNotes()
    with start.start(
        start.python("bench.selftest.stand_in", str(asked), str(noted)),
        stdout=subprocess.PIPE,
        environment={**start.python_environment(), URL_VARIABLE: url},
    ) as process:
        try:
            if process.stdout is None or process.stdout.readline().strip() != _READY:
                raise MeasurementError("the stand-in for a worker did not start")
            yield notes
            process.send_signal(signal.SIGTERM)
            process.wait(_END_S)
            found = msgspec.json.decode(noted.read_bytes(), type=StandInNotes)
        except (OSError, msgspec.MsgspecError, subprocess.TimeoutExpired) as error:
            raise MeasurementError(f"the stand-in for a worker left no notes: {error}") from None
        finally:
            process.end()
    notes.clock_error_us, notes.tasks, notes.dropped = (
        found.clock_error_us,
        found.tasks,
        found.dropped,
    )


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Serve by the plan in the first file until SIGTERM, and leave the notes in the second one."""
    plan = msgspec.json.decode(Path(arguments[0]).read_bytes(), type=StandInPlan)
    stand_in = StandIn(environment[URL_VARIABLE], plan)
    signal.signal(signal.SIGTERM, lambda *_: stand_in.stopping.set())
    sys.stdout.buffer.write(_READY + b"\n")
    sys.stdout.flush()
    stand_in.serve()
    Path(arguments[1]).write_bytes(msgspec.json.encode(stand_in.notes))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))

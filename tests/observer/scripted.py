"""Workers that nobody runs: what an observer's queries find is a table of moments and ends."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.clock import Clock, FakeClock
from bench.ipc.messages import StartObserver
from bench.ipc.progress_board import ProgressBoard
from bench.layouts.runqy.layout import RUNQY
from bench.measure.histogram import Histogram, merged, unpack
from bench.measure.recorder import Interval
from bench.measure.reports import WorkerReport
from bench.measure.window import time_line
from bench.observer.keyspace_events import KeyspaceEvent
from bench.observer.recorder import CompletionRecorder
from bench.observer.sampling import id_of
from bench.observer.task_queries import ByQueue
from bench.redisio.connection import ConnectionLost
from bench.wire import stamps
from bench.wire.layout_contract import TaskOutcome
from bench.workload.resolve import resolve

RUN = 77
START_US = 1_800_000_000_000_000
COMPLETED, ARCHIVED, GONE = TaskOutcome.COMPLETED, TaskOutcome.ARCHIVED, TaskOutcome.GONE


def task_id(sequence: int, producer: int = 0) -> bytes:
    return id_of(RUN, producer, sequence)


def start(**fields: object) -> StartObserver:
    chosen: dict[str, object] = {"queues": {"inference_default": 1}, "traced": 1, **fields}
    if not {"rate", "tasks"} & set(fields):
        chosen |= {"rate": 1000, "tasks": 100_000}
    written = {name: value for name, value in chosen.items() if value is not None}
    scenario = resolve({"worker": "external", **written})
    return StartObserver(
        url="redis://nowhere",
        name="observer",
        scenario=scenario,
        run=RUN,
        offset_us=0,
        progress_board="",
        by_events=False,
    )


@dataclass
class ScriptedQueries:
    """Answers from tables; each query takes ``takes_us`` of the clock."""

    clock: FakeClock
    ends: dict[bytes, tuple[int, TaskOutcome]] = field(default_factory=dict)
    """Task to the moment, in µs after the start, from which on it has ended, and how."""
    state_of: dict[bytes, str] = field(default_factory=dict)
    due_of: dict[bytes, int] = field(default_factory=dict)
    """Task to when it was due, in µs after the start, as its hash says; others have no hash."""
    takes_us: int = 0
    losses: int = 0
    """How many queries fail from now on, as the connection is lost."""
    queried: int = 0
    asked: list[bytes] = field(default_factory=list)
    """All ids that were queried, in order."""
    reconnects: int = 0

    def outcomes(self, by_queue: ByQueue) -> list[TaskOutcome | None]:
        asked_us = self.clock.now_us() - START_US
        found: list[TaskOutcome | None] = []
        for name in self._ask(by_queue):
            moment_us, outcome = self.ends.get(name, (1 << 60, COMPLETED))
            found.append(outcome if moment_us <= asked_us else None)
        return found

    settled = outcomes

    def states(self, by_queue: ByQueue) -> list[str]:
        return [self.state_of.get(name, "no hash") for name in self._ask(by_queue)]

    def hashes(self, by_queue: ByQueue) -> list[Any]:
        return [self._hash(name) for name in self._ask(by_queue)]

    def reconnect(self) -> None:
        self.reconnects += 1

    def _ask(self, by_queue: ByQueue) -> list[bytes]:
        if self.losses:
            self.losses -= 1
            raise ConnectionLost("cut")
        names = [name for names in by_queue.values() for name in names]
        self.queried += len(names)
        self.asked += names
        self.clock.advance(self.takes_us)
        return names

    def _hash(self, name: bytes) -> list[bytes]:
        if name not in self.due_of:
            return []
        due_us = START_US + self.due_of[name]
        return [b"payload", stamps.head(due_us, due_us) + b"}", b"retry", b"0", b"max_retry", b"3"]


@dataclass
class ScriptedEvents:
    """Events that the test puts here."""

    arrived: list[KeyspaceEvent] = field(default_factory=list)
    reconnects: int = 0

    def fileno(self) -> int:
        return -1

    def read(self, clock: Clock) -> Iterator[KeyspaceEvent]:
        arrived, self.arrived = self.arrived, []
        yield from arrived

    def reconnect(self) -> None:
        self.reconnects += 1


class Scene:
    """A run to be observed: its clock, its progress, and what queries will find."""

    def __init__(self, folder: Path, producers: int = 1) -> None:
        self.clock = FakeClock(START_US)
        self.board = ProgressBoard.make(folder / "board", producers)
        self.queries = ScriptedQueries(self.clock)
        self.recorder = CompletionRecorder(time_line(START_US, 0, 0), "polling")

    def enqueue(self, count: int, producer: int = 0) -> None:
        """So many tasks in all have been sent and acknowledged."""
        self.board.note(producer, count, count, count)

    def end(self, ends: Mapping[int, tuple[int, TaskOutcome]], producer: int = 0) -> None:
        """Sequence number to when (µs after the start) and how the task ends."""
        self.queries.ends |= {task_id(number, producer): end for number, end in ends.items()}

    def at(self, after_us: int) -> None:
        self.clock.time_us = START_US + after_us

    def report(self) -> WorkerReport:
        return self.recorder.report(full=True)

    def latency(self, interval: Interval = Interval.E2E) -> Histogram:
        return merged(
            unpack(part.histogram)
            for part in self.report().measured.parts
            if part.interval is interval
        )


assert RUNQY.name == "runqy"  # whose hashes these are

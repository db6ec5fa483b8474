"""Watches a run's tasks being finished by workers that tell us nothing.

Each traced task is looked at again and again until it has ended: every one that is out in turn, as
often as the budget of commands allows, or when the server tells of a change to its keys. How many
have been taken and finished in all is read off the lengths of the lists, and at the end every
single task is looked at once: the ledger never rests on a sample.
"""

import contextlib
import select
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import redis

from bench.clock import Clock
from bench.errors import ServerUnreachable
from bench.load.board import Board
from bench.load.child import Control
from bench.load.completion_recorder import CompletionRecorder, Sighting
from bench.load.connection import ConnectionLost, open_client
from bench.load.expected import NO_DUE, Arrivals, id_of
from bench.load.footprint import lengths
from bench.load.keyspace import Keyspace
from bench.load.looks import Looks
from bench.load.orders import ObserverTask
from bench.measure.histogram import Integers
from bench.measure.recorder import TimeLine
from bench.measure.reports import WorkerReport
from bench.usage import Usage, peak_memory_bytes
from bench.wire import stamps
from bench.wire.layout import Ending, Where
from bench.workload.mix import Mix

MOST_LOOKS_PER_S = 20_000
"""So that looking stays a small part of what the server does."""
AUTO_TRACED_PER_S = 2_000
"""How many tasks a second are traced where nobody says."""
_ROUND_US = 1_000
_MOST_A_ROUND = 64
_COUNT_EVERY_US = 10_000
_REPORT_EVERY_US = 250_000
_SETTLE_CHUNK = 2_000
_EMPTY_FOR_US = 500_000
"""How long the lists must have been empty before nobody can be holding a task unseen."""


@dataclass(slots=True)
class _Out:
    """A traced task that has not been seen to have ended."""

    queue: int
    task_id: bytes
    due_us: int
    after_us: int
    """It had not ended then."""


class Observer:
    """One run's. Raises ServerUnreachable when it cannot connect."""

    def __init__(
        self, task: ObserverTask, line: TimeLine, clock: Clock, control: Control, board: Board
    ) -> None:
        self._task = task
        self._start_us = line.start_us
        self._clock = clock
        self._control = control
        self._board = board
        scenario = task.scenario
        self._layout = scenario.wire_layout
        self._queues = list(scenario.queues)
        self._client = open_client(task.url)
        self._looks = Looks(task.url, self._layout, self._queues, scenario.seen_by)
        self._events = (
            Keyspace(task.url, self._layout, self._queues, task.run) if task.by_events else None
        )
        method = "keyspace events" if task.by_events else "polling"
        self._recorder = CompletionRecorder(line, method)
        self._arrivals = [
            Arrivals(scenario, number, traced_share(task)) for number in range(scenario.producers)
        ]
        self._unread: deque[_Out] = deque()
        """Tasks whose due time only they know."""
        self._out: deque[_Out] = deque()
        """Tasks to be looked at, in turn."""
        self._silent: dict[bytes, _Out] = {}
        """Tasks of which the server will tell."""
        self._successes_before = self._count_successes() or 0
        self._usage = Usage()
        self._revision = 0
        self._enqueued = 0
        self._held = 0
        self._empty_since_us: int | None = None
        self._next_round_us = 0
        self._free_us = 0
        """When the budget allows the next look."""
        self._next_count_us = 0
        self._next_report_us = 0

    def run(self) -> WorkerReport:
        """Watch until told to stop; then look at every task once, and report."""
        while not self._control.stopped:
            now_us = self._clock.now_us()
            with contextlib.suppress(redis.exceptions.RedisError):
                self._turn(now_us)
            if now_us >= self._next_report_us:
                self._next_report_us = now_us + _REPORT_EVERY_US
                self._control.tell(self._report(full=False))
            self._await(min(self._next_count_us, self._next_report_us, self._next_round_us))
        with contextlib.suppress(redis.exceptions.RedisError, ConnectionLost):
            self._count(self._clock.now_us())
            successes = self._count_successes()
            if successes is not None:
                self._recorder.counters_saw(successes - self._successes_before)
            self._settle()
        report = self._report(full=True)
        report.final = True
        return report

    def _await(self, until_us: int) -> None:
        """Let time pass, unless the run or the server has something to say."""
        timeout_s = max(until_us - self._clock.now_us(), 0) / 1e6
        speaking: list[Control | Keyspace] = [self._control]
        if self._events is not None:
            speaking.append(self._events)
        readable = select.select(speaking, [], [], timeout_s)[0]
        if self._control in readable:
            self._control.read()
        if self._events in readable:
            self._next_round_us = min(self._next_round_us, self._free_us)

    def _turn(self, now_us: int) -> None:
        self._admit()
        if now_us >= self._next_count_us:
            self._next_count_us = now_us + _COUNT_EVERY_US
            self._count(now_us)
        if now_us < self._next_round_us:
            return
        asked = 0
        try:
            asked = self._read_new() + self._look()
        except ConnectionLost:
            self._reconnect()
        spent_us = asked * 1_000_000 // MOST_LOOKS_PER_S
        self._free_us = now_us + spent_us
        self._next_round_us = max(now_us + _ROUND_US, self._free_us)

    def _admit(self) -> None:
        """Take up the traced tasks that have become visible."""
        for number, arrivals in enumerate(self._arrivals):
            new = arrivals.before(self._board.answered_before(number))
            self._recorder.traced(len(new))
            columns = (new.queue.tolist(), new.due_us.tolist(), new.sequence.tolist())
            for queue, due_us, sequence in zip(*columns, strict=True):
                task_id = id_of(self._task.run, number, sequence)
                if due_us == NO_DUE:
                    self._unread.append(_Out(queue, task_id, NO_DUE, NO_DUE))
                else:
                    at_us = self._start_us + due_us
                    self._out.append(_Out(queue, task_id, at_us, at_us))

    def _read_new(self) -> int:
        """Ask tasks when they were due; return how many were asked."""
        chosen = _take(self._unread, _MOST_A_ROUND)
        if not chosen:
            return 0
        by_queue = self._by_queue(chosen)
        hashes = self._looks.hashes(_ids(by_queue))
        seen_us = self._clock.now_us()
        for each, fields in zip(_flat(by_queue), hashes, strict=True):
            due_us = self._due_of(fields) if fields else NO_DUE
            if due_us == NO_DUE:
                self._recorder.saw([Sighting(each.queue, NO_DUE, NO_DUE, seen_us)])
            else:
                each.due_us = each.after_us = due_us
                self._out.append(each)
        return len(chosen)

    def _due_of(self, fields: Sequence[bytes]) -> int:
        moments = stamps.read(self._layout.read([fields]).payloads[0])
        return NO_DUE if moments is None else moments[0]

    def _look(self) -> int:
        """Look at the next tasks; return how many were looked at."""
        if self._events is not None:
            self._hear(self._events)
        chosen = _take(self._out, _MOST_A_ROUND)
        if not chosen:
            return 0
        by_queue = self._by_queue(chosen)
        asked_us = self._clock.now_us()
        try:
            endings = self._looks.endings(_ids(by_queue))
        except ConnectionLost:
            self._out.extend(chosen)
            raise
        seen_us = self._clock.now_us()
        sightings = []
        for each, ending in zip(_flat(by_queue), endings, strict=True):
            if ending is not None:
                sightings.append(Sighting(each.queue, each.due_us, each.after_us, seen_us))
                continue
            each.after_us = max(each.after_us, asked_us)
            if self._events is None:
                self._out.append(each)
            else:
                self._silent[each.task_id] = each
        self._recorder.saw(sightings)
        return len(chosen)

    def _hear(self, events: Keyspace) -> None:
        """Look at the tasks that the server tells of."""
        for change in events.hear(self._clock):
            each = self._silent.pop(change.task_id, None)
            if each is not None:
                # It had not ended when it was last looked at, and nothing has changed it from
                # then until this.
                each.after_us = max(each.after_us, change.after_us)
                self._out.append(each)

    def _reconnect(self) -> None:
        with contextlib.suppress(ServerUnreachable):
            self._looks.reconnect()
            if self._events is not None:
                self._events.reconnect()
                # What happened meanwhile was told to nobody.
                self._out.extend(self._silent.values())
                self._silent.clear()

    def _count(self, now_us: int) -> None:
        """Tasks taken and finished, from what the lists still hold.

        What is enqueued is read before the lists: both counts are rather too small than too large,
        until the next time.
        """
        enqueued = self._board.enqueued
        held = lengths(self._client, self._layout, self._queues)
        self._enqueued, self._held = enqueued, sum(held.values())
        started = max(enqueued - held[Where.PENDING], 0)
        self._recorder.counted(started, max(enqueued - self._held, 0), now_us)
        if self._held:
            self._empty_since_us = None
        elif self._empty_since_us is None:
            self._empty_since_us = now_us

    def _count_successes(self) -> int | None:
        """By the queues' own counters, ever; None where there are none."""
        pairs = [pair for queue in self._queues if (pair := self._layout.successes(queue))]
        if not pairs:
            return None
        values = self._client.mget([key for pair in pairs for key in pair])
        numbers = [int(value or 0) for value in values]
        return sum(numbers[::2]) - sum(numbers[1::2])

    def _settle(self) -> None:
        """Look at every task of the run once."""
        scenario = self._task.scenario
        mix = Mix(list(scenario.queues.values()), scenario.seed)
        for number in range(scenario.producers):
            sent = self._board.sent(number)
            for start in range(0, sent, _SETTLE_CHUNK):
                sequences = np.arange(start, min(start + _SETTLE_CHUNK, sent))
                queue = mix.queue_of(sequences * scenario.producers + number)
                for index in np.unique(queue).tolist():
                    self._settle_some(self._queues[index], number, sequences[queue == index])

    def _settle_some(self, queue: str, producer: int, sequences: Integers) -> None:
        ids = [id_of(self._task.run, producer, each) for each in sequences.tolist()]
        endings = self._looks.endings({queue: ids})
        completed = np.array([each is Ending.COMPLETED for each in endings])
        archived = np.array([each is Ending.ARCHIVED for each in endings])
        self._recorder.settle(queue, producer, sequences[completed], sequences[archived])

    def _by_queue(self, chosen: Iterable[_Out]) -> dict[str, list[_Out]]:
        found: dict[str, list[_Out]] = {}
        for each in chosen:
            found.setdefault(self._queues[each.queue], []).append(each)
        return found

    def _report(self, full: bool) -> WorkerReport:
        self._revision += 1
        report = self._recorder.report(full)
        report.name = self._task.name
        report.revision = self._revision
        report.made_us = self._clock.now_us()
        report.in_hand = self._unseen_in_hand(report.made_us)
        report.cpu_s = self._usage.cpu_s()
        report.elapsed_s = self._usage.elapsed_s()
        report.peak_memory_bytes = peak_memory_bytes()
        return report

    def _unseen_in_hand(self, now_us: int) -> int:
        """Tasks that somebody may be holding: those on lists, or one more for a while after."""
        since_us = self._empty_since_us
        is_quiet = since_us is not None and now_us - since_us >= _EMPTY_FOR_US
        return 0 if is_quiet else max(self._held, 1)


def traced_share(task: ObserverTask) -> float:
    """The share of a run's tasks that is traced: as asked for, or what the rate allows."""
    scenario = task.scenario
    if scenario.traced is not None:
        return scenario.traced
    rate_per_s = scenario.peak_per_s
    if not rate_per_s:  # a closed loop: nobody knows how fast it goes
        return AUTO_TRACED_PER_S / 50_000
    return min(AUTO_TRACED_PER_S / rate_per_s, 1.0)


def _take(waiting: deque[_Out], most: int) -> list[_Out]:
    return [waiting.popleft() for _ in range(min(len(waiting), most))]


def _ids(by_queue: Mapping[str, Sequence[_Out]]) -> dict[str, list[bytes]]:
    return {queue: [each.task_id for each in members] for queue, members in by_queue.items()}


def _flat(by_queue: Mapping[str, Sequence[_Out]]) -> list[_Out]:
    return [each for members in by_queue.values() for each in members]

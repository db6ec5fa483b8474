"""Injects the faults of a plan, each at its moment on the run's clock.

A fault may take long, as a restart does, and a server that is stalled may keep everybody waiting
who asks it something. So each fault has a thread of its own from its moment on, and none of them
waits for the run, or for another fault but one that it follows at once: where one stall ends and
the next begins, what undoes the first must not undo the second.
"""

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

import redis

from bench.errors import BenchError
from bench.faults.effects import effect, is_held, takes_server_away
from bench.faults.targets import FaultFailed, FaultTargets
from bench.measure.faults import InjectedFault
from bench.workload.fault_rules import have_same_target
from bench.workload.faults import Fault, FaultKind

_END_TIMEOUT_S = 150.0
"""How long what is under way at the end may take: as long as a server to stop and to start."""
_SOON_US = 20_000
"""A server that will be away so soon is not asked anything any more."""
_OVER = "the run was over before its moment"
_FAILURES = (BenchError, redis.exceptions.RedisError, OSError)


class Injector:
    """The faults of one run. Leaving its context undoes what is under way.

    ``targets`` may be None where there is no fault. ``now_us`` returns the time since the run's
    start in µs; ``seed`` draws what is left to chance.
    """

    def __init__(
        self,
        faults: Sequence[Fault],
        targets: FaultTargets | None,
        now_us: Callable[[], int],
        seed: int = 0,
    ) -> None:
        self._targets = targets
        self._now_us = now_us
        self._seed = seed
        self._notes = [InjectedFault(fault, None) for fault in faults]
        self._over = [threading.Event() for _ in faults]
        self._begun: set[int] = set()
        self._under_way: set[int] = set()
        self._closing = threading.Event()
        self._enqueued = threading.Event()
        self._threads: list[threading.Thread] = []
        self._scheduler = threading.Thread(target=self._run_plan, daemon=True)
        self._lock = threading.Lock()
        self._returns = 0
        self._is_closed = False

    def __enter__(self) -> "Injector":
        if self._notes:
            self._scheduler.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def faults(self) -> tuple[InjectedFault, ...]:
        """What has become of each fault of the plan so far, in the plan's order."""
        with self._lock:
            return tuple(self._notes)

    @property
    def is_server_away(self) -> bool:
        """Whether the server answers nobody by the plan, now or in a moment."""
        if not self._notes or self._is_closed:
            return False
        now_us = self._now_us()
        with self._lock:
            if any(takes_server_away(self._notes[each].fault) for each in self._under_way):
                return True
            is_soon = any(
                takes_server_away(note.fault)
                and 0 <= note.fault.at_s * 1e6 - now_us < _SOON_US
                and number not in self._begun
                for number, note in enumerate(self._notes)
            )
        return is_soon or (self._targets is not None and not self._targets.server.is_up)

    @property
    def is_under_way(self) -> bool:
        """Whether any fault goes on."""
        return bool(self._under_way)

    @property
    def returns(self) -> int:
        """How often the server has come back so far: connections of before may be dead."""
        return self._returns

    def until_next_s(self, most_s: float) -> float:
        """Time until ``inject_due`` has something to do, and ``most_s`` at the most."""
        now_us = self._now_us()
        waits = [self._notes[each].fault.at_s - now_us / 1e6 for each in self._own_turns()]
        return max(min([most_s, *waits]), 0.0)

    def inject_due(self) -> None:
        """Inject what the thread that takes the processes' messages has to, as it is due."""
        now_us = self._now_us()
        for number in self._own_turns():
            if self._notes[number].fault.at_s * 1e6 <= now_us and not self._closing.is_set():
                self._perform(number)

    def _own_turns(self) -> list[int]:
        """Faults that are injected by ``inject_due`` and have not begun."""
        return [
            number
            for number, note in enumerate(self._notes)
            if note.fault.kind is FaultKind.START and number not in self._begun
        ]

    def enqueueing_over(self) -> None:
        """End what lasts as long as tasks are enqueued."""
        self._enqueued.set()

    def close(self) -> None:
        """Undo what is under way, and inject nothing more. May be called more than once."""
        self._closing.set()
        self._enqueued.set()
        if self._is_closed or not self._notes:
            return
        self._scheduler.join()
        for thread in self._threads:
            thread.join(_END_TIMEOUT_S)
        with self._lock:
            self._is_closed = True
            for number, note in enumerate(self._notes):
                if number not in self._begun:
                    self._notes[number] = replace(note, problem=_OVER)

    def _run_plan(self) -> None:
        """Begin each fault at its moment, in a thread of its own."""
        planned = [
            (note.fault.at_s, number)
            for number, note in enumerate(self._notes)
            if note.fault.kind is not FaultKind.START
        ]
        for at_s, number in sorted(planned):
            if self._closing.wait(max(at_s - self._now_us() / 1e6, 0.0)):
                return
            thread = threading.Thread(target=self._perform, args=(number,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _perform(self, number: int) -> None:
        fault, targets = self._notes[number].fault, self._targets
        if targets is None:
            return
        if not self._await_those_before(number):
            return
        draw = random.Random(f"{self._seed} {number}")  # noqa: S311 - no secret
        with self._lock:
            self._begun.add(number)
            self._under_way.add(number)
            self._notes[number] = InjectedFault(fault, self._now_us())
        try:
            with effect(fault, targets, draw):
                self._hold(fault)
        except FaultFailed as error:
            self._note_failure(number, None, str(error))
        except _FAILURES as error:
            self._note_failure(number, self._notes[number].began_us, str(error))
        else:
            self._note_end(number)
        finally:
            self._over[number].set()

    def _await_those_before(self, number: int) -> bool:
        """Wait for what is being undone at this moment on the same target, and return whether the
        fault may begin: not after the run is over."""
        fault = self._notes[number].fault
        for each, note in enumerate(self._notes):
            before = note.fault
            is_before = before.at_s < fault.at_s and before.lasts_s and is_held(before)
            if is_before and fault.kind is not FaultKind.START and have_same_target(before, fault):
                self._over[each].wait(_END_TIMEOUT_S)
        return fault.kind is FaultKind.START or not self._closing.is_set()

    def _hold(self, fault: Fault) -> None:
        """Return when a fault is to be undone: one that began late lasts as long as was asked."""
        if not is_held(fault):
            return
        if fault.lasts_s:
            self._closing.wait(fault.lasts_s)
        else:
            self._enqueued.wait()

    def _note_failure(self, number: int, began_us: int | None, problem: str) -> None:
        fault = self._notes[number].fault
        with self._lock:
            self._under_way.discard(number)
            self._notes[number] = InjectedFault(fault, began_us, problem=problem)
            self._returns += takes_server_away(fault)

    def _note_end(self, number: int) -> None:
        """Note when a fault was over. A server that was killed is back with the next restart."""
        note = self._notes[number]
        with self._lock:
            self._under_way.discard(number)
            if takes_server_away(note.fault) and note.fault.kind is FaultKind.KILL:
                return
            over = [number]
            if takes_server_away(note.fault):
                self._returns += 1
            if note.fault.kind is FaultKind.RESTART:
                over += [each for each in self._begun if self._is_dead_since(each)]
            for each in over:
                self._notes[each] = replace(self._notes[each], ended_us=self._now_us())

    def _is_dead_since(self, number: int) -> bool:
        note = self._notes[number]
        is_kill = note.fault.kind is FaultKind.KILL and not note.fault.of_worker
        return is_kill and note.ended_us is None and not note.problem

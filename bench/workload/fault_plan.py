"""From faults as written to the faults of one run: every moment and every worker decided."""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from bench.errors import UsageError, nearest, quoted
from bench.workload import draws
from bench.workload.fault_text import MOST_FAULTS, fault_of, fault_text, parse_faults
from bench.workload.faults import Fault, FaultKind, PlannedFault, Which
from bench.workload.network_text import short_duration
from bench.workload.value_type import Schema, ValueType, any_of, require_list, require_text


def resolved(
    plan: Sequence[PlannedFault], seed: int, workers: int, planned_s: float | None
) -> tuple[Fault, ...]:
    """Returns the faults of a run in the order of their moments; the same for the same arguments.

    ``workers`` is the number that the run starts, and ``planned_s`` how long it is to enqueue, None
    where that is not known. Raises UsageError where a fault has no moment, or no worker is left.
    """
    moments = [
        (at_s, number, planned)
        for number, planned in enumerate(plan)
        for at_s in _moments(planned, seed, number, planned_s)
    ]
    if len(moments) > MOST_FAULTS:
        raise UsageError(f"{len(moments)} faults are too many: at most {MOST_FAULTS}")
    moments.sort(key=lambda each: each[:2])
    then = _PlannedWorkers(workers, seed)
    return tuple(
        written
        for at_s, _, planned in moments
        for written in _at(msgspec.structs.replace(planned.fault, at_s=at_s), planned, then)
    )


def _moments(
    planned: PlannedFault, seed: int, number: int, planned_s: float | None
) -> Sequence[float]:
    """When a written fault begins, in seconds after the run's start, in order."""
    start_s = planned.fault.at_s
    if planned.drawn_until_s is not None:
        return _drawn(planned, seed, number)
    if planned.every_s is None:
        return [start_s]
    times = planned.times
    if times is None:
        if planned_s is None:
            raise UsageError(
                f"{quoted(fault_text(planned))}: how long the run enqueues is not known: say how "
                "often, for example x3, or give it a duration"
            )
        times = max(1, int(np.ceil(round((planned_s - start_s) / planned.every_s, 6))))
        if times > MOST_FAULTS:
            raise UsageError(
                f"{quoted(fault_text(planned))}: {times} faults are too many: at most {MOST_FAULTS}"
            )
    return [round(start_s + nth * planned.every_s, 6) for nth in range(times)]


def _drawn(planned: PlannedFault, seed: int, number: int) -> Sequence[float]:
    """Moments that the seed draws, evenly distributed, so that none begins while another lasts."""
    start_us, until_us = _us(planned.fault.at_s), _us(planned.drawn_until_s or 0.0)
    times, lasts_us = planned.times or 1, _us(planned.fault.lasts_s)
    free_us = until_us - start_us - times * lasts_us
    if free_us < 0:
        raise UsageError(
            f"{quoted(fault_text(planned))}: {times} of {short_duration(lasts_us / 1e6)} do not "
            "fit between its two moments: write fewer, or shorter ones"
        )
    shares = np.sort(draws.uniform(seed, f"fault {number}", np.arange(times)))
    return [
        round((start_us + nth * lasts_us + int(share * free_us)) / 1e6, 6)
        for nth, share in enumerate(shares)
    ]


def _us(seconds: float) -> int:
    return round(seconds * 1e6)


class _PlannedWorkers:
    """The workers of a run as its plan goes on: who is there, and who was ended."""

    def __init__(self, workers: int, seed: int) -> None:
        self._there = list(range(1, workers + 1))
        self._ended: list[int] = []
        self._surely: set[int] = set()
        self._known = workers
        self._seed = seed
        self._draws = 0

    def drawn(self) -> int | None:
        """One of those that are there, drawn by the seed; None where nobody is."""
        if not self._there:
            return None
        share = float(draws.uniform(self._seed, "fault worker", np.array([self._draws]))[0])
        self._draws += 1
        return self._there[int(share * len(self._there))]

    def is_gone(self, worker: int) -> bool:
        """Whether it was ended by a signal that no process survives."""
        return worker in self._surely

    @property
    def known(self) -> int:
        """The highest number of a worker that there has been."""
        return self._known

    @property
    def there(self) -> Sequence[int]:
        """Those that no signal was sent to since they began."""
        return self._there

    @property
    def ended(self) -> Sequence[int]:
        """Those to whom one was sent, the first one first."""
        return self._ended

    def end(self, worker: int, *, surely: bool) -> None:
        """A signal is sent to it."""
        if worker in self._there:
            self._there.remove(worker)
            self._ended.append(worker)
        if surely:
            self._surely.add(worker)

    def start(self, worker: int) -> None:
        """It is started."""
        self._known = max(self._known, worker)
        self._surely.discard(worker)
        if worker in self._ended:
            self._ended.remove(worker)
        self._there.append(worker)


def _at(fault: Fault, planned: PlannedFault, workers: _PlannedWorkers) -> Sequence[Fault]:
    """The faults that a written one is at its moment, with their workers and texts."""
    if not fault.of_worker:
        return [_with_text(fault)]
    try:
        if fault.kind == FaultKind.START:
            struck = _to_start(planned, workers)
        else:
            struck = _to_strike(planned, workers)
    except UsageError as error:
        text = fault_text(msgspec.structs.replace(planned, fault=fault, **_ONCE))
        raise UsageError(f"{quoted(text)}: {error}") from None
    for worker in struck:
        _notes(fault, worker, workers)
    if planned.which == "all" and fault.kind != FaultKind.START:
        return [_with_text(fault)]
    return [_with_text(msgspec.structs.replace(fault, worker=worker)) for worker in struck]


_ONCE: Mapping[str, None] = {"every_s": None, "times": None, "drawn_until_s": None}


def _notes(fault: Fault, worker: int, workers: _PlannedWorkers) -> None:
    if fault.kind == FaultKind.START:
        workers.start(worker)
    elif fault.kind == FaultKind.KILL:
        workers.end(worker, surely=fault.signal == "KILL")


def _to_start(planned: PlannedFault, workers: _PlannedWorkers) -> Sequence[int]:
    """The workers to start: who was ended first, or one more. Raises UsageError."""
    which = planned.which
    if which == "all":
        if not workers.ended:
            raise UsageError("none was ended before: write start worker for one more")
        return tuple(workers.ended)
    if which is None:
        return [workers.ended[0] if workers.ended else workers.known + 1]
    number = int(which)
    if number in workers.there:
        raise UsageError(f"worker {number} is there already: write start worker for one more")
    if number > workers.known + 1:
        raise UsageError(
            f"there are {workers.known} workers by then: write start worker for one more"
        )
    return [number]


def _to_strike(planned: PlannedFault, workers: _PlannedWorkers) -> Sequence[int]:
    """The workers that are struck. Raises UsageError where one is not there."""
    which = planned.which
    if which == "all" or which is None:
        there = [each for each in range(1, workers.known + 1) if not workers.is_gone(each)]
        if not there:
            raise UsageError(f"no worker is left by then: {_START_ONE}")
        return there
    if which == "any":
        drawn = workers.drawn()
        if drawn is None:
            raise UsageError(f"no worker is left by then: {_START_ONE}")
        return [drawn]
    number = int(which)
    if number > workers.known:
        last = "there are none" if not workers.known else f"the last one is {workers.known}"
        raise UsageError(f"there is no worker {number}, {last}: write another, or raise workers")
    if workers.is_gone(number):
        raise UsageError(f"worker {number} is ended by then: {_START_ONE}")
    return [number]


_START_ONE = "start one before, as in 25s start worker, or remove it"


def _with_text(fault: Fault) -> Fault:
    return msgspec.structs.replace(fault, text=fault_text(as_planned(fault)))


def as_planned(fault: Fault) -> PlannedFault:
    """Returns a fault of a run as it would be written."""
    which: Which = None if not fault.of_worker else fault.worker or "all"
    bare = msgspec.structs.replace(fault, worker=None, text="")
    return PlannedFault(fault=bare, which=which)


def _plan(written: object) -> tuple[PlannedFault, ...]:
    """One text, or a list of texts and of tables with at, do and lasts."""
    parts = [written] if isinstance(written, str) else require_list(written)
    planned: list[PlannedFault] = []
    for each in parts:
        found = [_from_table(each)] if isinstance(each, Mapping) else _from_text(each)
        planned += found
    return tuple(planned)


def _from_text(written: object) -> Sequence[PlannedFault]:
    text = require_text(written)
    found = parse_faults(text)
    if not found:
        raise UsageError(f"{quoted(text)} is no fault: write for example 12s stall server 3s")
    return found


_NAMES = ("at", "do", "lasts")


def _from_table(table: Mapping[object, object]) -> PlannedFault:
    for name in table:
        if name not in _NAMES:
            raise UsageError(f"unknown field {quoted(name)} in a fault{nearest(str(name), _NAMES)}")
    if "at" not in table or "do" not in table:
        raise UsageError('each fault needs at and do, as in at = "12s", do = "restart server"')
    lasts = require_text(table["lasts"]) if "lasts" in table else None
    return fault_of(require_text(table["at"]), require_text(table["do"]), lasts)


def _texts(faults: Sequence[Fault]) -> object:
    return [fault_text(as_planned(each)) for each in faults]


_TEXT: Schema = {"type": "string", "minLength": 1}
_TABLE: Schema = {
    "type": "object",
    "properties": dict.fromkeys(_NAMES, _TEXT),
    "required": ["at", "do"],
    "additionalProperties": False,
}

FAULTS = ValueType(
    _plan,
    any_of({"type": "array", "items": any_of({"type": "string"}, _TABLE)}, {"type": "string"}),
    _texts,
    flag=list[str],
    placeholder="FAULT",
)
"""What is read is a plan: ``resolved`` makes the scenario's faults of it."""

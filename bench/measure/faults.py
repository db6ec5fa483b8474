"""Faults that were injected, and what each of them did to the tasks of the run."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from bench.workload.faults import Fault


@dataclass(frozen=True)
class InjectedFault:
    """A fault as it happened."""

    fault: Fault
    began_us: int | None
    """When it was injected, in µs after the run's start; None where it was not."""
    ended_us: int | None = None
    """When it was over: the process goes on, or the server answers again. None where it was not
    over by the end of the run, or was not injected."""
    problem: str = ""
    """Why it could not be injected as planned, as a sentence; empty where it was."""


class FaultOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What one fault did. Times are in seconds; tasks are counted under at most one fault."""

    kind: str
    fault: str
    """As it was written."""
    planned_s: float
    """When it was to begin, after the run's start."""
    began_s: float | None = None
    """When it began; None where it could not be injected."""
    ended_s: float | None = None
    """When the fault itself was over, whether or not anything had recovered by then."""
    problem: str = ""
    """Why it could not be injected as planned; empty where it was."""
    lost: int = 0
    """Acknowledged tasks that are nowhere, and that it explains."""
    duplicated: int = 0
    """Completions beyond the first of the same task."""
    run_again: int = 0
    """Tasks that were taken by a worker again, as their first attempt was cut off."""
    unknown: int = 0
    """Tasks that were sent, got no reply and were seen nowhere."""
    refused: int = 0
    """Tasks to which the server replied with an error."""
    enqueue_gap_s: float | None = None
    """The longest time without an acknowledgement that touches the fault; None where none came
    before or after it."""
    enqueue_gap_at_least_s: float | None = None
    """The least that it can have been: shorter than ``enqueue_gap_s``, or the time to the run's
    begin or end where there is none. None where nothing is known of it."""
    completion_gap_s: float | None = None
    """The longest time without a completion, likewise."""
    completion_gap_at_least_s: float | None = None
    """The least that it can have been, likewise: what a worker completed between its last report
    and its death has no time."""
    recovered_s: Mapping[str, float | None] = {}
    """From its begin until a figure was back where it had been, by the figure: ``enqueue rate``,
    ``completion rate``, ``backlog``, and each objective on a latency as written. None for one that
    was not back by the end, and for one without a level before the fault."""
    without_level: tuple[str, ...] = ()
    """The figures of ``recovered_s`` for which there was nothing to come back to: too little time
    before the fault, a backlog that was growing, or an objective that was missed already."""

    @property
    def recovery_s(self) -> float | None:
        """From its begin until every figure was back; None where one was not, or none is known."""
        times = list(self.recovered_s.values())
        known = [each for each in times if each is not None]
        return max(known, default=None) if len(known) == len(times) else None

"""Finds that a closed loop waits for workers that there are not."""

from collections.abc import Sequence

from bench.clock import Clock
from bench.measure.reports import ProducerReport, WorkerReport
from bench.workload.scenario import Scenario

UNSERVED_S = 30.0
"""How long a closed loop of a number of tasks may wait for workers that take no task."""


class StandstillWatch:
    """Watches whether a run goes on that only its number of tasks ends."""

    def __init__(self, scenario: Scenario, clock: Clock) -> None:
        self._clock = clock
        ends_by_tasks_alone = scenario.tasks is not None and scenario.duration_s is None
        self._may_wait_for_ever = ends_by_tasks_alone and scenario.max_backlog is not None
        self._moved: tuple[int, ...] = ()
        self._moved_us = clock.now_us()

    def message(
        self,
        producers: Sequence[ProducerReport],
        workers: Sequence[WorkerReport],
        *,
        is_disturbed: bool = False,
    ) -> str | None:
        """A sentence once nothing was enqueued, taken or finished for too long, or None.

        ``is_disturbed``: a fault of the plan goes on, so that this is no standstill of the run's.
        """
        if not self._may_wait_for_ever:
            return None
        now_us = self._clock.now_us()
        moved = (
            sum(report.sent for report in producers),
            sum(report.started for report in workers),
            sum(report.ended for report in workers),
        )
        if moved != self._moved or is_disturbed or any(report.in_flight for report in workers):
            self._moved, self._moved_us = moved, now_us
        if now_us - self._moved_us < UNSERVED_S * 1e6:
            return None
        return (
            f"nothing was enqueued and no task was taken for {UNSERVED_S:.0f} s, as a queue is "
            "longer than --max-backlog and no worker serves it: start a worker, or leave out "
            "--max-backlog"
        )

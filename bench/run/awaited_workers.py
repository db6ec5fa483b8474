"""Workers that a run did not start: whether there can be any, and how long it waits for one."""

from collections.abc import Sequence

from bench.clock import Clock
from bench.errors import UsageError
from bench.measure.reports import ProducerReport, WorkerReport
from bench.workload.resolve import worker_command
from bench.workload.scenario import Scenario

NOTICED_WITHIN_S = 8.0
"""How long the first task may wait for an external worker before the run ends, as no worker takes
any: soon enough for the user to know within ten seconds."""
STARTED_WITHIN_S = 30.0
"""How long it may wait for this project's own workers elsewhere: long enough to start one there by
the line that the progress shows."""
SAID_AFTER_S = 2.0
"""After this time the progress says that no worker has taken a task."""


def require_server_of_others(scenario: Scenario, start_own: str) -> None:
    """Raises UsageError where workers are to come to a server that the run starts for itself.

    Nobody else knows the port and the password of such a server, so that none can come.
    ``start_own`` says which option gives the run workers of its own.
    """
    cure = "name a server that both can reach, with --redis-url or BENCH_REDIS_URL"
    if scenario.external_workers and not scenario.workers:
        raise UsageError(
            "external_workers: no worker elsewhere can know of the server that this run starts for "
            f"itself: {cure}, or let the run start workers with {start_own}"
        )
    if scenario.is_observed and scenario.worker_command is None:
        raise UsageError(
            "worker: no external worker can know of the server that this run starts for itself: "
            f"{cure}, or let the run start one with --worker-command"
        )


class AwaitedWorkers:
    """Notices that no worker takes any task, where the run relies on workers that it cannot see."""

    def __init__(self, scenario: Scenario, clock: Clock) -> None:
        self._scenario = scenario
        self._clock = clock
        self._since_us: int | None = None
        """Since when tasks have been there that no worker has taken."""

    @property
    def limit_s(self) -> float:
        """How long the first task may wait."""
        return NOTICED_WITHIN_S if self._scenario.is_observed else STARTED_WITHIN_S

    def look(
        self, producers: Sequence[ProducerReport], workers: Sequence[WorkerReport], serving: bool
    ) -> None:
        """Note whether tasks wait that no worker has taken, by the newest reports.

        ``serving``: whether workers are expected to take tasks by now.
        """
        if self._scenario.is_observed:
            shown_by = [report for report in workers if report.observed is not None]
            can_tell = bool(shown_by)
        else:
            shown_by, can_tell = list(workers), self._scenario.external_workers
        is_taken = any(report.started or report.missing for report in shown_by)
        is_work_there = any(report.enqueued for report in producers)
        if not (serving and can_tell and is_work_there) or is_taken:
            self._since_us = None
        elif self._since_us is None:
            self._since_us = self._clock.now_us()

    @property
    def _waited_s(self) -> float:
        return 0.0 if self._since_us is None else (self._clock.now_us() - self._since_us) / 1e6

    def note(self) -> str:
        """What the progress says while the first task waits; empty if not, or not yet."""
        if self._since_us is None or self._waited_s < SAID_AFTER_S:
            return ""
        left_s = max(self.limit_s - self._waited_s, 0.0)
        text = f"no worker has taken a task, and the run ends in {left_s:.0f} s"
        if self._scenario.is_observed:
            return text
        return f"{text}; start one with '{worker_command(self._scenario)}'"

    def message(self) -> str | None:
        """A sentence once the first task has waited for too long; None before."""
        if self._since_us is None or self._waited_s < self.limit_s:
            return None
        where = f"on this server, in the {self._scenario.layout} layout"
        if self._scenario.is_observed:
            queues = ", ".join(self._scenario.queues)
            cure = f"check that one serves {queues} {where}"
        else:
            cure = f"start one {where}, with '{worker_command(self._scenario)}'"
        return f"no worker took a task within {self.limit_s:.0f} s: {cure}"

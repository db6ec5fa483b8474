"""Who serves a run's queues: its own workers, or somebody else's and an observer of them."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import redis

from bench.errors import UsageError
from bench.ipc.messages import Begin, StartObserver, StartWorker
from bench.measure.ledger import Counts
from bench.measure.recorder import TimeLine
from bench.measure.reports import ProducerReport, WorkerReport
from bench.observer import keyspace_events
from bench.records.run_record import RecordWarning
from bench.run.external_worker import ExternalWorker, command_of
from bench.run.fleet import Fleet, ProcessHandle
from bench.wire import ids
from bench.workload.scenario import Scenario

NOTICED_WITHIN_S = 8.0
"""How long the first task may wait for an external worker before the run says that none takes
any: soon enough to be told within ten seconds."""


@dataclass
class Workers:
    """The workers' side of one run."""

    fleet: Fleet
    url: str
    scenario: Scenario
    run: int
    offset_us: int
    with_latency_counts: bool
    owns_server: bool
    allow_shared: bool
    progress_board: str | None = field(init=False, default=None)
    """The file on which producers note their progress; None where nobody looks at it."""
    _waiting_since_s: float | None = None
    _is_serving: bool = False

    def __post_init__(self) -> None:
        """Raises UsageError where an external worker cannot be observed."""
        if self.scenario.is_observed:
            if self.allow_shared:
                raise UsageError(
                    "--allow-shared: what an external worker does with others' tasks cannot be "
                    "told from outside: use queues of the run's own"
                )
            self.progress_board = self.fleet.make_progress_board(self.scenario.producers)
            if self.progress_board is None:
                raise UsageError(
                    "worker: an external one is observed only where 'bench run' enqueues itself, "
                    "without --distributed and without Locust"
                )

    def start(self, client: redis.Redis) -> None:
        """Start all processes. Raises UsageError."""
        if self.scenario.is_observed:
            self._start_observer(client)
            return
        for number in range(self.scenario.workers):
            name = f"bench-{ids.run_text(self.run)}-{number}"
            task = StartWorker(
                url=self.url,
                name=name,
                scenario=self.scenario,
                run=self.run,
                offset_us=self.offset_us,
                with_latency_counts=self.with_latency_counts,
            )
            self.fleet.start_worker(name, task)

    def _start_observer(self, client: redis.Redis) -> None:
        task = StartObserver(
            url=self.url,
            name="observer",
            scenario=self.scenario,
            run=self.run,
            offset_us=self.offset_us,
            progress_board=self.progress_board or "",
            by_events=self._uses_events(client),
        )
        self.fleet.start_worker(task.name, task)
        if self.scenario.worker_command is None:
            return
        command = command_of(self.scenario, self.url)
        for number in range(self.scenario.workers):
            name = "worker command" if self.scenario.workers == 1 else f"worker command {number}"
            external_worker = ExternalWorker(name, command)
            self.fleet.add_external_worker(external_worker)
            if self.scenario.worker_start == "with-run":
                external_worker.start()  # its start-up is over by the time that tasks are due

    def _uses_events(self, client: redis.Redis) -> bool:
        """Raises UsageError when the server must tell of changes and does not."""
        if self.scenario.watch == "polling":
            return False
        written = keyspace_events.flags(client)
        if keyspace_events.are_enough(written):
            return True
        if self.scenario.watch == "auto":
            return False
        if self.owns_server:
            client.config_set("notify-keyspace-events", keyspace_events.NEEDED)
            return True
        raise UsageError(
            f"watch: the server's notify-keyspace-events is {written!r}, and watching by events "
            f"needs {keyspace_events.NEEDED!r}: set it there, or say --watch polling"
        )

    @property
    def servers(self) -> Sequence[ProcessHandle[WorkerReport]]:
        """Those who do the work."""
        observers = self.observers
        return [worker for worker in self.fleet.workers if worker not in observers]

    @property
    def observers(self) -> Sequence[ProcessHandle[WorkerReport]]:
        """Those who watch it being done."""
        if not self.scenario.is_observed:
            return []
        return [worker for worker in self.fleet.workers if not isinstance(worker, ExternalWorker)]

    def begin(self, line: TimeLine) -> None:
        """The run begins: an observer watches from now on, workers serve if they are to."""
        with_run = self.scenario.worker_start == "with-run"
        for worker in self.fleet.workers if with_run else self.observers:
            worker.send(Begin(line))
        self._is_serving = with_run

    def begin_after_fill(self, line: TimeLine) -> None:
        """The queues are full: workers that were to wait for that serve from now on."""
        self._is_serving = True
        if self.scenario.worker_start == "after-fill":
            for worker in self.fleet.workers:
                worker.send(Begin(line))

    def idleness(self, producers: list[ProducerReport], workers: list[WorkerReport]) -> str | None:
        """That no external worker takes any task, in words, once that has been so for a while."""
        watching = [each for each in workers if each.observed is not None]
        enqueued = sum(report.enqueued for report in producers)
        is_due = self._is_serving and bool(watching) and enqueued > 0
        if not is_due or any(each.started for each in watching):
            self._waiting_since_s = None
            return None
        if self._waiting_since_s is None:
            self._waiting_since_s = time.monotonic()
        if time.monotonic() - self._waiting_since_s < NOTICED_WITHIN_S:
            return None
        queues = ", ".join(self.scenario.queues)
        said = [
            line
            for external_worker in self.fleet.external_processes
            for line in external_worker.last_lines()
        ]
        last = f"; it said last: {' | '.join(said)}" if said else ""
        return (
            f"no worker took a task within {NOTICED_WITHIN_S:.0f} s: check that one serves "
            f"{queues} on this server, in the {self.scenario.layout} layout{last}"
        )

    def still_held(self, counts: Mapping[str, Counts]) -> RecordWarning | None:
        """A worker that is not the run's goes on with what it holds."""
        held = sum(each.active for each in counts.values())
        is_theirs = self.scenario.is_observed and self.scenario.worker_command is None
        if not held or not is_theirs:
            return None
        return RecordWarning(
            "still_held",
            f"{held} tasks were in a worker's hands when the run cleaned up: what it writes of "
            "them after that stays; 'bench clean' with this record removes it later",
        )

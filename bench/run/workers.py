"""Who serves a run's queues: its own workers, or external ones and an observer of them."""

from collections.abc import Mapping, Sequence

import redis

from bench import pinning
from bench.clock import Clock
from bench.errors import UsageError
from bench.ipc.messages import Begin, StartObserver, StartWorker
from bench.measure.ledger import Counts
from bench.measure.reports import ProducerReport, WorkerReport
from bench.measure.window import TimeLine
from bench.observer import keyspace_events
from bench.records.run_record import RecordWarning
from bench.redisio.url import Topology, parse
from bench.run.awaited_workers import AwaitedWorkers
from bench.run.external_worker import ExternalWorker, command_of
from bench.run.fleet import Fleet, ProcessHandle
from bench.run.removal import worker_name
from bench.run.request import RunRequest
from bench.workload.scenario import Scenario


class Workers:
    """The workers of one run. Raises UsageError where an external worker cannot be observed."""

    def __init__(
        self,
        fleet: Fleet,
        request: RunRequest,
        scenario: Scenario,
        run: int,
        offset_us: int,
        clock: Clock,
        progress_board: str | None,
    ) -> None:
        self._fleet = fleet
        self._request = request
        self._scenario = scenario
        self._run = run
        self._offset_us = offset_us
        self._awaited = AwaitedWorkers(scenario, clock)
        self._are_serving = False
        self._progress_board = progress_board
        if scenario.is_observed:
            self._require_observable()

    def _require_observable(self) -> None:
        if self._request.allow_shared:
            raise UsageError(
                "--allow-shared: an observer cannot tell what an external worker does with the "
                "tasks of others: use queues of the run's own"
            )
        if self._progress_board is None:
            raise UsageError(
                "worker: an external worker is observed only where 'bench run' itself enqueues: "
                "leave out --distributed, and do not use Locust"
            )

    def start(self, client: redis.Redis) -> None:
        """Start all processes. Raises UsageError."""
        if self._scenario.is_observed:
            self._start_observer(client)
            if self._scenario.worker_command is not None:
                self._add_external_workers()
            return
        for number in range(self._scenario.workers):
            self._start_own(number)

    def _start_own(self, number: int) -> None:
        message = StartWorker(
            url=self._request.task_url,
            name=worker_name(self._run, number),
            scenario=self._scenario,
            run=self._run,
            offset_us=self._offset_us,
            with_latency_counts=self._request.with_latency_counts,
            latency_bounds_us=self._request.latency_bounds_us,
            cores=self._cores_of(number),
        )
        self._fleet.start_worker(f"worker {number}", message)

    def _cores_of(self, number: int) -> tuple[int, ...]:
        """The cores of a worker; one that replaces another has that one's."""
        workers = self._scenario.workers
        return pinning.of_process(self._request.pinning.workers, number % workers, workers)

    def _start_observer(self, client: redis.Redis) -> None:
        message = StartObserver(
            url=self._request.task_url,
            name="observer",
            scenario=self._scenario,
            run=self._run,
            offset_us=self._offset_us,
            progress_board=self._progress_board or "",
            by_events=self._uses_events(client),
            latency_bounds_us=self._request.latency_bounds_us,
        )
        self._fleet.start_worker(message.name, message)

    def _add_external_workers(self) -> None:
        for number in range(self._scenario.workers):
            external_worker = self._add_external_worker(number)
            if self._scenario.worker_start == "with-run":
                external_worker.start()  # its start-up is over by the time that tasks are due

    def _add_external_worker(self, number: int) -> ExternalWorker:
        command = command_of(self._scenario, self._request.open_url or self._request.task_url)
        name = "worker command" if self._scenario.workers == 1 else f"worker command {number}"
        external_worker = ExternalWorker(name, command, cores=self._cores_of(number))
        self._fleet.add_external_worker(external_worker)
        return external_worker

    @property
    def started(self) -> int:
        """How many workers of its own the run has started so far."""
        return len(self.serving)

    def start_another(self, line: TimeLine) -> ProcessHandle[WorkerReport]:
        """Start one more worker in the middle of the run, which serves at once.

        Raises UsageError where there is no such program, and MeasurementError or OSError where no
        process can be started.
        """
        number = self.started
        if self._scenario.is_observed:
            self._add_external_worker(number)
        else:
            self._start_own(number)
        worker = self.serving[-1]
        worker.send(Begin(line))
        return worker

    def _uses_events(self, client: redis.Redis) -> bool:
        """Raises UsageError where the scenario needs keyspace events and the server sends none."""
        if self._scenario.watch == "polling":
            return False
        if parse(self._request.url).topology is Topology.CLUSTER:
            if self._scenario.watch == "auto":
                return False
            raise UsageError(
                "watch: each node of a cluster publishes its own events, which are not put "
                "together here: use --watch polling"
            )
        flags = keyspace_events.flags(client)
        if keyspace_events.are_enough(flags):
            return True
        if self._scenario.watch == "auto":
            return False
        if self._request.owns_server:
            client.config_set("notify-keyspace-events", keyspace_events.NEEDED)
            return True
        raise UsageError(
            f"watch: the server's notify-keyspace-events is {flags!r}, and watching by events "
            f"needs {keyspace_events.NEEDED!r}: set it on the server, or use --watch polling"
        )

    @property
    def serving(self) -> Sequence[ProcessHandle[WorkerReport]]:
        """The processes that work on tasks."""
        observers = self.observers
        return [worker for worker in self._fleet.workers if worker not in observers]

    @property
    def reporting(self) -> Sequence[ProcessHandle[WorkerReport]]:
        """The processes that report on tasks."""
        return [worker for worker in self._fleet.workers if not isinstance(worker, ExternalWorker)]

    @property
    def own(self) -> Sequence[ProcessHandle[WorkerReport]]:
        """The built-in workers, which say themselves what they have done."""
        return [] if self._scenario.is_observed else self.reporting

    @property
    def killed(self) -> Sequence[ProcessHandle[WorkerReport]]:
        """Those of ``serving`` that a fault of the plan has ended, or is ending."""
        return [worker for worker in self.serving if worker.ends_by_plan]

    @property
    def observers(self) -> Sequence[ProcessHandle[WorkerReport]]:
        """The processes that watch external workers."""
        return self.reporting if self._scenario.is_observed else []

    def begin(self, line: TimeLine) -> None:
        """Begin the run: an observer watches from now on, workers serve unless they wait for full
        queues."""
        with_run = self._scenario.worker_start == "with-run"
        for worker in self._fleet.workers if with_run else self.observers:
            worker.send(Begin(line))
        self._are_serving = with_run

    def begin_after_fill(self, line: TimeLine) -> None:
        """Let workers serve that waited for full queues."""
        self._are_serving = True
        if self._scenario.worker_start == "after-fill":
            for worker in self._fleet.workers:
                worker.send(Begin(line))

    def no_worker_message(
        self,
        producers: Sequence[ProducerReport],
        workers: Sequence[WorkerReport],
        *,
        is_disturbed: bool = False,
    ) -> str | None:
        """A sentence once no worker has taken a task for too long, or None.

        ``is_disturbed``: a fault of the plan goes on, or has ended workers.
        """
        self._awaited.look(producers, workers, self._are_serving and not is_disturbed)
        message = self._awaited.message()
        return None if message is None else f"{message}{self._last_output()}"

    @property
    def note(self) -> str:
        """What the run waits for while no worker takes a task; empty for nothing."""
        return self._awaited.note()

    def _last_output(self) -> str:
        lines = [
            line
            for external_worker in self._fleet.external_processes
            for line in external_worker.last_lines()
        ]
        return f"; its last output: {' | '.join(lines)}" if lines else ""

    def still_held(self, counts: Mapping[str, Counts]) -> RecordWarning | None:
        """A warning where a worker that the run did not start goes on with the tasks it holds."""
        held = sum(queue_counts.active for queue_counts in counts.values())
        outlives_run = self._scenario.is_observed and self._scenario.worker_command is None
        if not held or not outlives_run:
            return None
        return RecordWarning(
            "still_held",
            f"a worker still held {held} tasks when the run cleaned up: what it writes about them "
            "later stays in the server; 'bench clean' with this record removes it",
        )

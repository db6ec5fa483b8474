"""Processes and servers of a run that do what the test says, on a clock that moves when told."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import redis

from bench.clock import FakeClock, Offset
from bench.ipc.messages import Begin, ParentMessage, StartProducer, Stop
from bench.measure.progress import Progress
from bench.measure.reports import ProducerReport, WorkerReport
from bench.redisio.end_counters import EndCounters
from bench.redisio.marker import Marker
from bench.run.cleanup import Cleanup
from bench.run.draining import DrainMonitor
from bench.run.external_worker import ExternalWorker
from bench.run.guard_monitor import ChosenGuards, GuardMonitor
from bench.run.machine_sampler import MachineSampler
from bench.run.prepare import PreparedRun
from bench.run.removal import CleanupScope
from bench.run.request import RunRequest
from bench.run.server_sampler import ServerSampler
from bench.run.start import ActiveRun
from bench.run.supervisor import RunCallbacks, Supervisor
from bench.run.workers import Workers
from bench.workload.guards import guards_of
from bench.workload.scenario import Scenario
from tests.run.values import LINE, START_US, scenario, usage

RUN = 0xABC


@dataclass
class ScriptedProcess:
    """A producer or a worker that says what the test makes it say."""

    name: str
    report: Any = None
    ends_at_stop: bool = True
    """Whether it is done as soon as it is told to stop."""
    reason: str | None = None
    cpu_s: float = 0.0
    is_done: bool = False
    ends_by_plan: bool = False
    received: list[ParentMessage] = field(default_factory=list)

    def send(self, message: ParentMessage) -> None:
        self.received.append(message)
        if isinstance(message, Stop) and self.ends_at_stop:
            done(self)

    def exit_reason(self) -> str | None:
        return self.reason

    def give_up(self, reason: str) -> None:
        self.reason = reason

    @property
    def kinds(self) -> list[type[ParentMessage]]:
        """The kinds of messages that it got."""
        return [type(message) for message in self.received]


@dataclass
class Told:
    """An external worker's process of which only its last output matters."""

    name: str
    lines: Sequence[str]

    def last_lines(self) -> list[str]:
        return list(self.lines)


class ScriptedFleet:
    """All processes of a run. ``script`` is called whenever the run listens."""

    def __init__(
        self,
        clock: FakeClock,
        producers: Sequence[ScriptedProcess] = (),
        workers: Sequence[ScriptedProcess] = (),
    ) -> None:
        self.clock = clock
        self.producers = list(producers)
        self.workers: list[Any] = list(workers)
        self.external_processes: list[Any] = []
        self.board: str | None = "/board"
        self.is_local = True
        self.started: list[ParentMessage] = []
        self.script: Callable[[int], object] = lambda after_us: None
        """Takes the time since the run's start, in µs."""

    def gather(self, scenario: Scenario, should_stop: Callable[[], bool]) -> int:
        return scenario.producers

    def start_producer(self, name: str, message: StartProducer) -> None:
        self.started.append(message)

    def start_worker(self, name: str, message: ParentMessage) -> None:
        self.started.append(message)
        self.workers.append(ScriptedProcess(name))

    def start_watcher(self) -> None:
        """Nobody watches a machine on which nothing happens."""

    def make_progress_board(self, producers: int) -> str | None:
        return self.board

    def add_external_worker(self, external_worker: ExternalWorker) -> None:
        self.external_processes.append(external_worker)
        self.workers.append(external_worker)

    def await_ready(self, should_stop: Callable[[], bool]) -> None:
        pass

    def receive(self, seconds: float) -> None:
        self.clock.advance(round(seconds * 1e6))
        self.script(self.clock.now_us() - START_US)


@dataclass
class ScriptedClient:
    """A redis client of a server with lists of given lengths."""

    lengths: dict[str, int] = field(default_factory=dict)
    is_gone: bool = False
    flags: str | None = ""
    """``notify-keyspace-events``; None where reading it is forbidden."""
    settings: dict[str, str] = field(default_factory=dict)
    """What was set by CONFIG."""
    calls: list[str] = field(default_factory=list)

    def _answer(self, name: str) -> None:
        self.calls.append(name)
        if self.is_gone:
            raise redis.exceptions.ConnectionError("gone")

    def llen(self, key: str) -> int:
        self._answer("llen")
        return self.lengths.get(key, 0)

    zcard = llen

    def zcount(self, key: str, *_: object) -> int:
        return self.llen(key)

    def execute_command(self, name: str, key: str, *_: object) -> int:
        """LLEN, ZCARD, or what a layout asks a key's length with."""
        assert name in ("LLEN", "ZCARD")
        return self.llen(key)

    def config_get(self, name: str) -> dict[str, str]:
        self._answer("config_get")
        if self.flags is None:
            raise redis.exceptions.ResponseError("NOPERM")
        return {name: self.flags}

    def config_set(self, name: str, value: str) -> None:
        self._answer("config_set")
        self.settings[name] = value


@dataclass
class ScriptedSampler:
    """Samples of a server without tasks."""

    sampled_us: list[int] = field(default_factory=list)
    samples: list[Any] = field(default_factory=list)
    backlogs: list[tuple[int, int]] = field(default_factory=list)
    backlog: tuple[int, ...] = (0,)
    states: dict[str, dict[str, int]] = field(default_factory=dict)
    commands: int = 0
    memory_limit: Any = None
    memory_bytes: int | None = None

    def sample(self, offset_us: int) -> None:
        self.sampled_us.append(offset_us)


@dataclass
class ScriptedDraining:
    """Lists that are empty from a moment on, in µs after the start."""

    clock: FakeClock
    commands: int = 0
    over_from_us: int = 0
    awaited: list[bool] = field(default_factory=list)

    def is_over(
        self,
        producers: Sequence[ProducerReport],
        workers: Sequence[WorkerReport],
        awaits_workers: bool,
        killed: Sequence[WorkerReport] = (),
        *,
        fails_over: bool = False,
    ) -> bool:
        self.awaited.append(awaits_workers)
        return self.is_empty()

    def leases(self) -> None:
        return None

    @property
    def was_empty(self) -> bool:
        return self.is_empty()

    def is_empty(self, *, with_active: bool = True) -> bool:
        return self.clock.now_us() - START_US >= self.over_from_us


@dataclass
class ScriptedCleanup:
    """What the run's cleaning up was asked for, and the problem that it meets."""

    problem: Any = None
    asked: list[tuple[object, ...]] = field(default_factory=list)

    def clean_up(self, scope: CleanupScope, now_s: int, *, keep: bool) -> Any:
        self.asked.append((scope.run, scope.sent, now_s, keep))
        return self.problem


class Scene:
    """A run that has begun, its processes, and what its caller is told and says."""

    def __init__(
        self,
        chosen: Scenario | None = None,
        *,
        producers: Sequence[ScriptedProcess] = (),
        workers: Sequence[ScriptedProcess] = (),
        board: str | None = "/board",
        **request: Any,
    ) -> None:
        self.scenario = scenario() if chosen is None else chosen
        self.clock = FakeClock(START_US)
        self.fleet = ScriptedFleet(self.clock, producers, workers)
        self.client = ScriptedClient()
        self.sampler = ScriptedSampler()
        self.draining = ScriptedDraining(self.clock)
        self.cleanup = ScriptedCleanup()
        self.should_stop = self.should_end = False
        self.shown: list[Progress] = []
        asked = RunRequest("redis://nowhere", self.scenario, "a test", **request)
        client = cast(redis.Redis, self.client)
        self.workers = Workers(self.fleet, asked, self.scenario, RUN, 0, self.clock, board)
        self.prepared = PreparedRun(
            request=asked,
            scenario=self.scenario,
            run_id=RUN,
            client=client,
            fleet=self.fleet,
            workers=self.workers,
            clock=self.clock,
            offset=Offset(0, 0.0),
            server={"product": "valkey"},
            usage_before=usage(),
            marker=Marker(client, RUN),
            cleanup=cast(Cleanup, self.cleanup),
            sampler=cast(ServerSampler, self.sampler),
            guards=GuardMonitor(
                ChosenGuards(guards_of(self.scenario.abort)),
                cast(ServerSampler, self.sampler),
                list(self.scenario.queues),
            ),
            machine=MachineSampler(self.fleet, self.workers),
            draining=cast(DrainMonitor, self.draining),
            board=None,
            counters=EndCounters(client, self.scenario.wire_layout, []),
            layout_note="",
        )
        self.workers.begin(LINE)
        self.supervisor = Supervisor(
            ActiveRun(self.prepared, LINE, "2026-01-15T09:30:00.250+00:00"),
            RunCallbacks(
                lambda progress, *_: self.shown.append(progress),
                lambda: self.should_stop,
                lambda: self.should_end,
            ),
        )

    def after(self, moment_us: int, action: Callable[[], object]) -> None:
        """Do something once, when the run listens at that moment or later."""
        earlier, done = self.fleet.script, list[bool]()

        def script(after_us: int) -> None:
            earlier(after_us)
            if after_us >= moment_us and not done:
                done.append(True)
                action()

        self.fleet.script = script

    @property
    def elapsed_s(self) -> float:
        return (self.clock.now_us() - START_US) / 1e6


def producer(**state: Any) -> ScriptedProcess:
    return ScriptedProcess("producer 0", ProducerReport(number=0, **state))


def worker(**state: Any) -> ScriptedProcess:
    return ScriptedProcess("worker 0", WorkerReport(name="worker 0", **state))


def done(process: ScriptedProcess) -> None:
    """It has sent its final report."""
    process.is_done = True
    if process.report is not None:
        process.report.final = True


def kinds(process: ScriptedProcess) -> list[type[ParentMessage]]:
    """The messages that a process got, but for the first ones to begin."""
    return [kind for kind in process.kinds if kind is not Begin]

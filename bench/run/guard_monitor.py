"""The guards of one run: which it has, whether they can be known, and when one of them holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import redis

from bench.errors import RunAborted, UsageError
from bench.measure.guards import GuardWatch, LiveValues, ServerLoad, described
from bench.measure.progress import Progress, recent_latencies
from bench.measure.reports import ProducerReport, WorkerReport
from bench.redisio import server_info
from bench.redisio.cluster.client import ClusterClient
from bench.run.server_sampler import ServerSampler
from bench.workload.comparisons import Unit
from bench.workload.guards import MEMORY_GUARD, NO_DEFAULT, Aborted, Guard, guards_of, parse_guard
from bench.workload.scenario import Scenario

_UNTOLD = "the server does not tell this user"


@dataclass(frozen=True)
class ChosenGuards:
    """The guards of a run, as they were chosen before it."""

    guards: Sequence[Guard] = ()
    note: str = ""
    """Why a guard is missing that runs have by default, as a sentence; empty where none is."""

    @property
    def expressions(self) -> tuple[str, ...]:
        """The guards as written."""
        return tuple(guard.expression for guard in self.guards)


def choose(client: redis.Redis, scenario: Scenario, *, owns_server: bool) -> ChosenGuards:
    """Returns the guards of a run, from what the server reports in ``INFO``.

    Raises UsageError for a guard whose value the server does not tell, RunAborted for one on the
    server that holds already, and redis-py's errors.
    """
    written = guards_of(scenario.abort)
    by_default = [] if owns_server or _says_of_memory(scenario) else [parse_guard(MEMORY_GUARD)]
    if not written and not by_default:
        return ChosenGuards()
    load = _load_of(info_of(client))
    for guard in written:
        _require_told(guard, load)
    note = ""
    if by_default and _value(by_default[0], load) is None:
        note = (
            f"{_UNTOLD} {_missing(by_default[0], load)}, so no guard watches it: give the user the "
            "right to read INFO, or watch the server"
        )
        by_default = []
    guards = [*by_default, *written]
    for guard in guards:
        value = _value(guard, load)
        if value is not None and guard.is_true(value) and not guard.lasts_s:
            raise RunAborted(
                f"nothing was sent, as the guard {guard.expression!r} holds before the run: "
                f"{described(guard, value, load)}: use another server, or choose another guard "
                "(--abort)"
            )
    return ChosenGuards(guards, note)


def _says_of_memory(scenario: Scenario) -> bool:
    return NO_DEFAULT in scenario.abort or any(
        guard.metric.subject.name == "redis.memory" for guard in guards_of(scenario.abort)
    )


def info_of(client: redis.Redis) -> Mapping[str, Any]:
    """What the server tells; of a cluster, what its fullest node does."""
    if isinstance(client, ClusterClient):
        nodes = [server_info.everything(node) for node in client.masters.values()]
        return server_info.fullest(nodes)
    return server_info.everything(client)


def _load_of(info: Mapping[str, Any]) -> ServerLoad:
    limit = server_info.memory_limit(info)
    return ServerLoad(
        memory_bytes=server_info.memory_bytes(info),
        memory_limit_bytes=None if limit is None else limit.size_bytes,
        memory_of="" if limit is None else limit.of,
        cpu_cores=None if server_info.cpu_s(info) is None else 0.0,
    )


def _value(guard: Guard, load: ServerLoad) -> float | None:
    """The value of a guard on the server's memory; None of any other, and where it is not told."""
    if guard.metric.subject.name != "redis.memory" or load.memory_bytes is None:
        return None
    if guard.metric.unit is Unit.BYTES:
        return load.memory_bytes
    return load.memory_bytes / load.memory_limit_bytes if load.memory_limit_bytes else None


def _require_told(guard: Guard, load: ServerLoad) -> None:
    name = guard.metric.subject.name
    is_unknown = (name == "redis.memory" and _value(guard, load) is None) or (
        name == "redis.cpu" and load.cpu_cores is None
    )
    if is_unknown:
        raise UsageError(
            f"abort: {guard.expression!r}: {_UNTOLD} {_missing(guard, load)}: write another guard, "
            "or ask as a user who may read INFO"
        )


def _missing(guard: Guard, load: ServerLoad) -> str:
    if guard.metric.subject.name == "redis.cpu":
        return "its CPU time"
    return "its memory" if load.memory_bytes is None else "a limit of its memory"


@dataclass
class GuardMonitor:
    """Reads the values of a run's guards while it lasts."""

    chosen: ChosenGuards
    sampler: ServerSampler
    queues: Sequence[str]
    _watch: GuardWatch = field(init=False)

    def __post_init__(self) -> None:
        self._watch = GuardWatch(self.chosen.guards)

    @property
    def expressions(self) -> tuple[str, ...]:
        """The guards as written."""
        return self.chosen.expressions

    def held(
        self,
        progress: Progress,
        producers: Sequence[ProducerReport],
        workers: Sequence[WorkerReport],
    ) -> Aborted | None:
        """Returns the first guard that holds now; None while none does."""
        if not self.chosen.guards:
            return None
        return self._watch.held(
            LiveValues(
                elapsed_s=progress.elapsed_s,
                is_enqueueing=progress.phase == "enqueueing",
                queues=self.queues,
                backlog=progress.backlog if self.sampler.samples else {},
                recent_e2e=recent_latencies(workers),
                producers=producers,
                workers=workers,
                server=self._load(),
            )
        )

    def _load(self) -> ServerLoad:
        if not self.sampler.samples:
            return ServerLoad()
        limit = self.sampler.memory_limit
        return ServerLoad(
            memory_bytes=self.sampler.memory_bytes,
            memory_limit_bytes=None if limit is None else limit.size_bytes,
            memory_of="" if limit is None else limit.of,
            cpu_cores=self._cpu_cores(),
        )

    def _cpu_cores(self) -> float | None:
        """CPU time per second between the last two samples; None before the second one."""
        if len(self.sampler.samples) < 2:
            return None
        before, after = self.sampler.samples[-2:]
        if before.cpu_s is None or after.cpu_s is None:
            return None
        return (after.cpu_s - before.cpu_s) * 1e6 / (after.offset_us - before.offset_us)

"""Samples of the server while a run lasts: backlog, CPU, memory."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import redis

from bench.redisio import server_info
from bench.redisio.cluster.client import ClusterClient
from bench.redisio.server_info import MemoryLimit
from bench.wire.layout_contract import Layout, QueueKey, pending_key

INTERVAL_US = 1_000_000
BACKLOG_INTERVAL_US = 50_000
"""How often the backlog alone is read in a run with faults."""


@dataclass(frozen=True)
class ServerSample:
    """The server's backlog, CPU time and memory at one moment."""

    offset_us: int
    """When it was taken, in µs after the run's start."""
    backlog: tuple[int, ...]
    """Pending tasks of each queue, in the order of the queues."""
    cpu_s: float | None
    """CPU time of the server since it was started; None where the server does not tell. After a
    restart, the sum over its processes, of each as far as it was sampled: it never goes back."""
    memory_bytes: int | None
    """None where the server does not tell."""
    main_cpu_s: float | None = None
    """CPU time of the thread that runs commands, likewise."""
    node_cpu_s: Mapping[str, float | None] = field(default_factory=dict)
    """CPU time of that thread on each node of a cluster, by address; empty without a cluster."""


@dataclass
class _OverRestarts:
    """A count that begins at zero with each process of the server, summed over all of them."""

    _process: str = ""
    _newest: float = 0.0
    _before: float = 0.0
    """What earlier processes had counted when they were sampled last."""

    def total(self, process: str, count: float | None) -> float | None:
        """The sum with the newest count of a process, by its id; None for one that is not told."""
        if count is None:
            return None
        # A server that hides its id shows a restart by a count that has gone back.
        if process != self._process or count < self._newest:
            self._before += self._newest
        self._process, self._newest = process, count
        return self._before + count


_Infos = tuple[Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]]
"""The sections of ``INFO`` on the server, its CPU and its memory."""


def _ask_info(pipeline: Any) -> None:
    for section in ("server", "cpu", "memory"):
        pipeline.info(section)


def _infos_of_nodes(client: ClusterClient) -> dict[str, _Infos]:
    """What each master of a cluster tells. Raises redis-py's errors."""
    found: dict[str, _Infos] = {}
    for name, node in client.masters.items():
        with node.pipeline(transaction=False) as pipeline:
            _ask_info(pipeline)
            server, cpu, memory = _allowed(pipeline.execute(raise_on_error=False), 3)
            found[name] = (server, cpu, memory)
    return found


@dataclass
class ServerSampler:
    """Reads samples of the server at intervals, and keeps all of them."""

    client: redis.Redis
    layout: Layout
    queues: Sequence[str]
    with_states: bool = False
    """Whether to count the ids of the other states, too."""
    samples: list[ServerSample] = field(default_factory=list)
    states: dict[str, dict[str, int]] = field(default_factory=dict)
    """Ids by queue and state in the newest sample, if they are counted."""
    backlogs: list[tuple[int, int]] = field(default_factory=list)
    """Moments, in µs after the run's start, and all pending tasks then."""
    commands: int = 0
    """Commands sent so far that the server's statistics would take for a task's."""
    memory_limit: MemoryLimit | None = None
    """What bounds the server's memory, by the newest sample; None where it does not tell. Of a
    cluster, that of the node which is fullest."""
    memory_bytes: int | None = None
    """What is used of it, likewise."""
    _cpu: dict[str, _OverRestarts] = field(default_factory=dict)
    """By node."""
    _main_cpu: dict[str, _OverRestarts] = field(default_factory=dict)

    def sample(self, offset_us: int) -> None:
        """Take a sample. A server that does not answer leaves a gap, and is no error."""
        try:
            with self.client.pipeline(transaction=False) as pipeline:
                for queue in self.queues:
                    command = pending_key(self.layout, queue).length
                    pipeline.execute_command(*command)  # type: ignore[no-untyped-call]
                places = self._places()
                for _, key in places:
                    pipeline.execute_command(*key.length)  # type: ignore[no-untyped-call]
                    self.commands += key.is_sorted_set  # LLEN is never counted as a task's
                if isinstance(self.client, ClusterClient):
                    found, nodes = pipeline.execute(), _infos_of_nodes(self.client)
                else:
                    _ask_info(pipeline)
                    replies = pipeline.execute(raise_on_error=False)
                    *found, server, cpu, memory = _allowed(replies, 3)
                    nodes = {"": (server, cpu, memory)}
        except redis.exceptions.RedisError:
            return
        lengths = tuple(int(length) for length in found[: len(self.queues)])
        fullest = server_info.fullest([each for _, _, each in nodes.values()])
        self.memory_limit = server_info.memory_limit(fullest)
        self.memory_bytes = server_info.memory_bytes(fullest)
        self._note_states(places, [int(each) for each in found[len(self.queues) :]])
        self.samples.append(self._sample(offset_us, lengths, nodes))

    def _sample(
        self, offset_us: int, lengths: tuple[int, ...], nodes: Mapping[str, _Infos]
    ) -> ServerSample:
        """The sample of the nodes of a cluster together, or of the one server."""
        cpu_s, main_cpu_s, memory_bytes = [], {}, []
        for name, (server, cpu, memory) in nodes.items():
            process = server_info.run_id(server)
            of_all = self._cpu.setdefault(name, _OverRestarts())
            of_main = self._main_cpu.setdefault(name, _OverRestarts())
            cpu_s.append(of_all.total(process, server_info.cpu_s(cpu)))
            main_cpu_s[name] = of_main.total(process, server_info.main_cpu_s(cpu))
            memory_bytes.append(server_info.memory_bytes(memory))
        return ServerSample(
            offset_us,
            lengths,
            server_info.total(cpu_s),
            server_info.whole_total(memory_bytes),
            server_info.total(main_cpu_s.values()),
            main_cpu_s if "" not in main_cpu_s else {},
        )

    def count_backlog(self, offset_us: int) -> None:
        """Count the pending tasks. A server that does not answer leaves a gap, and is no error."""
        if self.backlogs and offset_us - self.backlogs[-1][0] < BACKLOG_INTERVAL_US:
            return
        try:
            with self.client.pipeline(transaction=False) as pipeline:
                for queue in self.queues:
                    command = pending_key(self.layout, queue).length
                    pipeline.execute_command(*command)  # type: ignore[no-untyped-call]
                lengths = pipeline.execute()
        except redis.exceptions.RedisError:
            return
        self.backlogs.append((offset_us, sum(map(int, lengths))))

    def _places(self) -> list[tuple[str, QueueKey]]:
        """Queues and their keys, where the ids of all states are counted."""
        if not self.with_states:
            return []
        return [
            (queue, key)
            for queue in self.queues
            for key in self.layout.queue_keys(queue)
            if key.key != self.layout.leases(queue)  # its ids are also active
        ]

    def _note_states(self, places: Sequence[tuple[str, QueueKey]], lengths: Sequence[int]) -> None:
        self.states = {}
        for (queue, key), length in zip(places, lengths, strict=True):
            self.states.setdefault(queue, {})[key.name] = length

    @property
    def backlog(self) -> tuple[int, ...]:
        """Pending tasks of each queue in the newest sample; zeros before the first."""
        return self.samples[-1].backlog if self.samples else (0,) * len(self.queues)


def _allowed(replies: Sequence[Any], sections: int) -> Iterator[Any]:
    """Yields replies; for the last ones, to ``INFO``, an empty one where the user may not ask.

    Raises redis-py's other errors.
    """
    for index, reply in enumerate(replies, sections - len(replies)):
        if index >= 0 and isinstance(reply, redis.exceptions.NoPermissionError):
            yield {}
        elif isinstance(reply, Exception):
            raise reply
        else:
            yield reply

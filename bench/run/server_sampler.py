"""Samples of the server while a run lasts: backlog, CPU, memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import redis

from bench.redisio import server_info
from bench.wire.layout_contract import Layout, pending_key

INTERVAL_US = 1_000_000


@dataclass(frozen=True)
class ServerSample:
    """The server's backlog, CPU time and memory at one moment."""

    offset_us: int
    """When it was taken, in µs after the run's start."""
    backlog: tuple[int, ...]
    """Pending tasks of each queue, in the order of the queues."""
    cpu_s: float | None
    """CPU time of the server since it was started; None where the server does not tell."""
    memory_bytes: int | None
    """None where the server does not tell."""
    main_cpu_s: float | None = None
    """CPU time of the thread that runs commands; None where the server does not tell."""


@dataclass
class ServerSampler:
    """Reads samples of the server at intervals, and keeps all of them."""

    client: redis.Redis
    layout: Layout
    queues: Sequence[str]
    samples: list[ServerSample] = field(default_factory=list)

    def sample(self, offset_us: int) -> None:
        """Take a sample. A server that does not answer leaves a gap, and is no error."""
        try:
            with self.client.pipeline(transaction=False) as pipeline:
                for queue in self.queues:
                    command = pending_key(self.layout, queue).length
                    pipeline.execute_command(*command)  # type: ignore[no-untyped-call]
                pipeline.info("cpu")
                pipeline.info("memory")
                *backlog, cpu, memory = pipeline.execute()
        except redis.exceptions.RedisError:
            return
        lengths = tuple(int(length) for length in backlog)
        self.samples.append(
            ServerSample(
                offset_us,
                lengths,
                server_info.cpu_s(cpu),
                server_info.memory_bytes(memory),
                server_info.main_cpu_s(cpu),
            )
        )

    @property
    def backlog(self) -> tuple[int, ...]:
        """Pending tasks of each queue in the newest sample; zeros before the first."""
        return self.samples[-1].backlog if self.samples else (0,) * len(self.queues)

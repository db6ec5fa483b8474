"""Looks at the server once a second while a run lasts: backlog, CPU, memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import redis

from bench.redisio.server_info import cpu_s
from bench.wire.layout import Layout, pending_key

INTERVAL_US = 1_000_000


@dataclass(frozen=True)
class ServerSample:
    """One look; the offset is in µs after the run's start."""

    offset_us: int
    backlog: tuple[int, ...]
    """Pending tasks of each queue."""
    cpu_s: float
    memory_bytes: int


@dataclass
class ServerSampler:
    """All looks so far."""

    client: redis.Redis
    layout: Layout
    queues: Sequence[str]
    samples: list[ServerSample] = field(default_factory=list)

    def sample(self, offset_us: int) -> None:
        """Look now. A server that does not answer leaves a gap in the series, not an error."""
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
            ServerSample(offset_us, lengths, cpu_s(cpu), int(memory["used_memory"]))
        )

    @property
    def backlog(self) -> tuple[int, ...]:
        """The newest look's."""
        return self.samples[-1].backlog if self.samples else (0,) * len(self.queues)

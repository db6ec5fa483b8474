"""A run's attribution names the part that ran out of CPU time."""

import pytest

from bench.measure.bottleneck import attribute


@pytest.mark.parametrize(
    ("server", "worker", "producer", "sentence"),
    [
        (0.9, 0.2, 0.2, "server-bound: Redis used 0.90 of the core that runs its commands"),
        (0.97, 0.99, 0.99, "server-bound: Redis used 0.97 of the core that runs its commands"),
        (0.899, 0.95, 0.99, "worker-bound: each worker process used 0.95 cores; add workers"),
        (None, 0.95, 0.99, "worker-bound: each worker process used 0.95 cores; add workers"),
        (0.5, 0.5, 0.99, "generator-bound: each producer process used 0.99 cores; add producers"),
        (None, None, 0.9, "generator-bound: each producer process used 0.90 cores; add producers"),
        (0.5, 0.5, 0.5, "not CPU-bound: server, workers and producers all had spare CPU time"),
    ],
)
def test_the_first_part_without_spare_cpu_time_is_named(
    server: float | None, worker: float | None, producer: float | None, sentence: str
) -> None:
    assert attribute(server, worker, producer) == sentence

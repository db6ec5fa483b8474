"""Benchmarks of many producers that share a schedule: what each computes, without a server.

Producers share nothing but the schedule, so what one of n computes on a core of its own shows what
n of them could offer with as many cores.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from bench.errors import BenchError
from tests.benchmarks.arms import Tree
from tests.benchmarks.figures import Figure, Measurement

PRODUCERS = (1, 2, 4, 8, 16, 32)
_PER_S = 100_000
"""Tasks a second of each producer."""
_SCRIPT = Path(__file__).with_name("null_sink.py")


def _costs(kind: str, producers: int, tree: Tree) -> Mapping[str, float]:
    done = tree.run_python(str(_SCRIPT), kind, str(producers), str(_PER_S))
    if done.returncode != 0:
        raise BenchError(f"{tree.label}: {_SCRIPT.name}: {done.stderr.strip().splitlines()[-1]}")
    costs: dict[str, float] = json.loads(done.stdout)
    return costs


def _shared(kind: str, producers: int) -> Measurement:
    name = f"{producers} producer{'s' * (producers > 1)}, {kind}"
    return Measurement(
        lambda tree: _costs(kind, producers, tree),
        [
            Figure(
                f"{name}: schedule, CPU per own task", lambda it: it["schedule_ns"], ".0f", "ns"
            ),
            Figure("… with queues and payloads", lambda it: it["feed_ns"], ".0f", "ns"),
            Figure("… with frames", lambda it: it["frames_ns"], ".0f", "ns"),
            Figure(
                "… all of them, a core each, null sink",
                lambda it: producers / it["frames_ns"] * 1e3,
                ".1f",
                "million tasks/s",
            ),
        ],
    )


SHARED_SCHEDULE = tuple(
    _shared(kind, producers) for kind in ("constant", "poisson") for producers in PRODUCERS
)

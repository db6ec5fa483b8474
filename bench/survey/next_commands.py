"""The commands to type next, as they fit a drafted scenario. Pure."""

import math
import shlex
from collections.abc import Sequence

from bench.secrets import URL_VARIABLE
from bench.workload.quantities import plain
from bench.workload.scenario import Scenario
from bench.workload.scenario_fields import MAX_CONCURRENCY

_STEPS_MS = (10, 20, 50, 100, 200, 500)
_TIMES_OF_SERVICE = 5


def next_commands(file: str, scenario: Scenario, *, url_is_set: bool) -> Sequence[str]:
    """Returns three command lines: a run, a search for the capacity, and a comparison.

    Where the variable of the server's URL is set, they are written so that they run on a server of
    their own: the one that was read may be in production.
    """
    bench = f"env -u {URL_VARIABLE} bench" if url_is_set else "bench"
    shown = shlex.quote(file if "/" in file or file.endswith(".toml") else f"./{file}")
    slots = scenario.concurrency
    levels = sorted({max(slots // 2, 1), slots, min(slots * 2, MAX_CONCURRENCY)})
    objective = shlex.quote(f"e2e.p99 < {_objective(scenario.service_time.mean)}")
    more = min(slots * 2, MAX_CONCURRENCY)
    arms = (
        ("--prefetch 1", "--prefetch 16")
        if slots == more or not scenario.service_time.mean
        else (f"--concurrency {slots}", f"--concurrency {more}")
    )
    return (
        f"{bench} run {shown}",
        f"{bench} capacity {shown} --slots {','.join(map(str, levels))} --slo {objective}",
        f"{bench} ab {shown} --a {shlex.quote(arms[0])} --b {shlex.quote(arms[1])}",
    )


def _objective(service_s: float) -> str:
    """A round time of some five times that of a task; 50 ms where that is not known."""
    wanted_ms = service_s * _TIMES_OF_SERVICE * 1000 or 50.0
    step = next((each for each in _STEPS_MS if each >= wanted_ms), None)
    return f"{step}ms" if step else f"{plain(math.ceil(wanted_ms / 1000))}s"

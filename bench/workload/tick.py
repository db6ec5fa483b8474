"""How exactly an open loop can keep a schedule: what is due within a tick is sent together."""

from bench.workload.scenario import Scenario

TICK_US = 300
"""Least time between two buffers: tasks due in between go out together."""
FAST_TICK_US = 500
"""Least time between two buffers at high rates: half the work for the same rate."""
FAST_PER_S = 20_000
"""The peak rate of one producer from which on the longer tick applies."""


def tick_us(scenario: Scenario) -> int:
    """Returns the tick of each of the scenario's producers that is a process of its own, in µs."""
    return FAST_TICK_US if scenario.peak_per_s / scenario.producers > FAST_PER_S else TICK_US

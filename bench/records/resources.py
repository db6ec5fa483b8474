"""What a run and its server used, as the run record has it."""

import msgspec

from bench.measure.bottleneck import MachineUse
from bench.measure.server_commands import ServerCommands


class NodeCosts(msgspec.Struct, frozen=True, kw_only=True):
    """What the tasks of a run cost one node of a cluster, divided by all tasks of the run; None
    where that could not be measured."""

    node: str
    """Host and port."""
    cpu_us_per_task: float | None = None
    commands_per_task: float | None = None
    memory_bytes_per_task: float | None = None


class Resources(msgspec.Struct, frozen=True, kw_only=True):
    """CPU, memory and network that the run used; None where that could not be measured."""

    generator_cpu_cores: float | None = None
    """Cores that the producers used."""
    worker_cpu_cores: float | None = None
    server_cpu_cores: float | None = None
    server_cpu_us_per_task: float | None = None
    server_commands_per_task: float | None = None
    server_bytes_per_task: float | None = None
    server_memory_bytes_per_task: float | None = None
    server_nodes: list[NodeCosts] = []
    """The nodes of a cluster, whose sums the figures of the server are; empty without a cluster."""
    server_commands: ServerCommands | None = None
    """What the server says of the commands that it executed; None in older records."""
    generator_loop_lag_p99_s: float | None = None
    """p99 of how late a shared event loop ran its producers; None if no event loop was shared."""
    machine: MachineUse | None = None
    """What the cores of the machine did that runs the generator; None in older records."""
    harness_memory_bytes: int | None = None
    """Sum of the peak memory of all processes of the harness; shared memory counts in each."""

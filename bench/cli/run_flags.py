"""The flags of ``bench run`` beside those of the scenario's fields."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bench.cli.arguments import WHOLE, read_flag, require_within
from bench.cli.groups import HOSTS, OF_FIELDS, OUTPUT, SERVER
from bench.cli.machine_flags import MachineFlags
from bench.cli.measuring import MeasuringFlags
from bench.cli.messages import notify
from bench.cli.metrics_flags import MetricsFlags
from bench.cli.shared_flags import SharedServerFlags
from bench.cli.topology_flags import TopologyFlags
from bench.errors import UsageError
from bench.locust import launcher
from bench.locust.launcher import LocustCluster
from bench.redisio.embedded import EmbeddedServer
from bench.redisio.own_topology import OwnTopology
from bench.wire.ids import MAX_PRODUCERS
from bench.workload import until_checks
from bench.workload.declaration import FieldGroup
from bench.workload.quantities import read_duration
from bench.workload.scenario import Scenario

_MOST_RESTARTS = 1000
"""The record of all starts holds the figures of each."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class RunFlags(SharedServerFlags, TopologyFlags, MachineFlags, MeasuringFlags, MetricsFlags):
    """Where a run takes place, and where its results go."""

    keep: Annotated[
        bool,
        Parameter(
            group=SERVER,
            help="Keep the run's keys on the server; 'bench clean RECORD' removes them.",
        ),
    ] = False
    restarts: Annotated[
        int,
        WHOLE,
        Parameter(
            group=OF_FIELDS[FieldGroup.MEASUREMENT],
            help="Repeat the run this many times, each with processes started afresh, and show how "
            "the figures differ between starts. Example: 5",
        ),
    ] = 1
    repeat: Annotated[
        int,
        WHOLE,
        Parameter(
            group=OF_FIELDS[FieldGroup.MEASUREMENT],
            help="Repeat a run with faults this many times, each with the next seed, and show the "
            "median of what each fault did. Example: 6",
        ),
    ] = 1
    dry_run: Annotated[
        bool,
        Parameter(
            group=SERVER,
            help="Write nothing on the server: show what the run would write there, what that "
            "takes, and whether it could begin. Exits with the code that the run would have.",
        ),
    ] = False
    selftest: Annotated[
        Path | None,
        Parameter(
            group=OUTPUT,
            metavar="RECORD",
            help="Attach the record of a 'bench selftest' of this machine, so that the report says "
            "what it found. Example: selftest.json",
        ),
    ] = None
    distributed: Annotated[
        bool, Parameter(group=HOSTS, help="Enqueue from Locust worker processes.")
    ] = False
    expect_workers: Annotated[
        int | None,
        WHOLE,
        Parameter(
            group=HOSTS, help="Number of Locust workers on other hosts to wait for. Example: 4"
        ),
    ] = None
    expect_workers_max_wait: Annotated[
        str,
        Parameter(
            group=HOSTS,
            metavar="DURATION",
            help="How long to wait for these workers. Example: 10m",
        ),
    ] = "5m"
    master_bind_host: Annotated[
        str,
        Parameter(
            group=HOSTS,
            metavar="ADDRESS",
            help="Address on which the Locust master listens for workers. Example: 10.0.0.5",
        ),
    ] = "127.0.0.1"
    master_bind_port: Annotated[
        int | None,
        WHOLE,
        Parameter(
            group=HOSTS,
            metavar="PORT",
            help="Port on which the Locust master listens; 5557 by default. Example: 6000",
        ),
    ] = None

    def require_possible(self, scenario: Scenario) -> None:
        """Raises UsageError for flags that cannot be combined with others, or the scenario."""
        if self.distributed and scenario.ack is not None:
            raise UsageError("ack: Locust's users do not wait for it; remove it, or --distributed")
        why = until_checks.why_none(self.runs, is_distributed=self.distributed)
        if why is not None:
            until_checks.require_none(scenario, why)
        self.require_restarts(scenario)

    def require_one_end(self, changes: Mapping[str, object]) -> None:
        """Raises UsageError for a precision that no run with these flags can end by.

        It comes before the scenario is read: that would ask for a longer run, which is no cure.
        """
        why = until_checks.why_none(self.runs, is_distributed=self.distributed)
        if why is not None and "until" in changes:
            raise UsageError(f"--until: {why}")

    def require_pinnable(self, scenario: Scenario, url: str | None) -> None:
        """Raises UsageError where the parts of the run cannot be pinned as was asked."""
        others = {"--distributed": self.distributed, **self.starts_several}
        self.require_cores(scenario, others, starts_server=url is None)

    @property
    def runs(self) -> int:
        """How many runs are made."""
        return max(self.restarts, self.repeat)

    def require_restarts(self, scenario: Scenario) -> None:
        """Raises UsageError where a number of restarts or repetitions cannot be made."""
        require_within("--restarts", self.restarts, 1, _MOST_RESTARTS)
        require_within("--repeat", self.repeat, 1, _MOST_RESTARTS)
        flag = "--repeat" if self.repeat > 1 else "--restarts"
        is_mixed = self.repeat > 1 and self.restarts > 1
        others = {"--distributed": self.distributed, "--keep": self.keep, "--restarts": is_mixed}
        other = next((name for name, is_given in others.items() if is_given), None)
        if self.runs > 1 and other is not None:
            raise UsageError(f"{flag} cannot be combined with {other}; remove one of them")
        if self.repeat > 1 and not scenario.faults:
            raise UsageError("--repeat is for runs with faults: add --faults, or use --restarts")

    def own_servers_for(
        self, scenario: Scenario
    ) -> contextlib.AbstractContextManager[EmbeddedServer | OwnTopology]:
        """Starts the servers that a run of this scenario has of its own."""
        cores = self.pinning(scenario, starts_server=True).server
        return self.own_servers(self.server_binary, self.server_config or (), scenario, cores)

    def cluster(self) -> LocustCluster | None:
        """Returns where the Locust workers are; None for a run without Locust.

        Raises UsageError for flags that do not apply.
        """
        if not self.distributed:
            if self.expect_workers is not None or self.master_bind_port is not None:
                raise UsageError("--expect-workers and --master-bind-port need --distributed")
            return None
        if self.server_config is not None:
            raise UsageError("--server-config cannot be combined with --distributed; remove one")
        if self.expect_workers is not None:
            require_within("--expect-workers", self.expect_workers, 1, MAX_PRODUCERS - 1)
        if self.master_bind_port is not None:
            require_within("--master-bind-port", self.master_bind_port, 1, 65_535)
        max_wait_s = read_flag(
            "--expect-workers-max-wait", read_duration, self.expect_workers_max_wait
        )
        if self.expect_workers is None:
            return LocustCluster(None, "127.0.0.1", launcher.free_port(), max_wait_s)
        port = self.master_bind_port or launcher.DEFAULT_PORT
        launcher.require_free(self.master_bind_host, port)
        cluster = LocustCluster(self.expect_workers, self.master_bind_host, port, max_wait_s)
        if not self.quiet:
            notify(
                f"waiting for {self.expect_workers} workers; start each with:\n"
                f"    {launcher.joining_line(cluster)}"
            )
        return cluster

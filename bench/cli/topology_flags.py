"""Flags that say which servers ``bench run`` starts for itself, and how they are started."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Parameter

from bench.cli.arguments import WHOLE, require_within
from bench.cli.groups import SERVER
from bench.errors import UsageError
from bench.faults.servers import OwnServer
from bench.faults.targets import ServerTarget
from bench.faults.topologies import OwnTopologyServer
from bench.redisio import embedded, own_topology
from bench.redisio.embedded import EmbeddedServer
from bench.redisio.own_topology import MOST_REPLICAS, OwnTopology
from bench.workload.outages import needs_persistence
from bench.workload.scenario import Scenario


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class TopologyFlags:
    """The run's own servers."""

    topology: Annotated[
        Literal["single", "replicas", "sentinel"] | None,
        Parameter(
            group=SERVER,
            metavar="single|replicas|sentinel",
            show_choices=False,
            help="Start the run's own server alone, with replicas, or with replicas and three "
            "Sentinels. Example: sentinel",
        ),
    ] = None
    replicas: Annotated[
        int | None,
        WHOLE,
        Parameter(
            group=SERVER,
            help="Number of replicas of the run's own server; 1 by default where --topology has "
            "any. Example: 2",
        ),
    ] = None

    @property
    def starts_several(self) -> dict[str, bool]:
        """Each flag by which a run starts several servers, and whether it was given."""
        return {
            "--topology": self.topology not in (None, "single"),
            "--replicas": self.replicas is not None,
        }

    def own_replicas(self, url: str | None, *, is_distributed: bool) -> int:
        """Returns how many replicas are to be started; zero for a server alone.

        Raises UsageError for flags that do not apply.
        """
        if self.topology is None and self.replicas is None:
            return 0
        name = "--replicas" if self.topology is None else "--topology"
        if url is not None:
            raise UsageError(f"{name} starts servers, but the Redis URL names one; remove one")
        if is_distributed:
            raise UsageError(f"{name} cannot be combined with --distributed; remove one of them")
        if self.replicas is not None:
            require_within("--replicas", self.replicas, 1, MOST_REPLICAS)
        if self.topology == "single" and self.replicas is not None:
            raise UsageError("--topology single has no replicas; remove it, or --replicas")
        return 0 if self.topology == "single" else self.replicas or 1

    def own_servers(
        self,
        binary: str | None,
        config: Sequence[str],
        scenario: Scenario,
        cores: tuple[int, ...] = (),
    ) -> contextlib.AbstractContextManager[EmbeddedServer | OwnTopology]:
        """The servers that are started for a run, from ``binary`` and with ``config``.

        Where faults of the scenario need it, they keep what they hold over a restart, unless
        ``config`` says something else. One alone may be given ``cores`` to use.
        """
        persistent = needs_persistence(scenario.faults)
        replicas = self.own_replicas(None, is_distributed=False)
        if not replicas:
            return embedded.running(binary, config, persistent=persistent, cores=cores)
        with_sentinels = self.topology == "sentinel"
        return own_topology.running(
            replicas,
            with_sentinels=with_sentinels,
            binary=binary,
            config=config,
            persistent=persistent,
        )


def as_target(server: EmbeddedServer | OwnTopology) -> ServerTarget:
    """The run's own server as what faults strike."""
    if isinstance(server, EmbeddedServer):
        return OwnServer(server)
    return OwnTopologyServer(server)

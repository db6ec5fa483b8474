"""Flags that say how ``bench run`` uses and watches its machine."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from bench import machine, pinning
from bench.cli.groups import OF_FIELDS
from bench.errors import UsageError
from bench.pinning import PinnedParts, Pinning
from bench.workload.declaration import FieldGroup
from bench.workload.scenario import Scenario


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class MachineFlags:
    """What a run does with the machine beside its load."""

    no_hiccups: Annotated[
        bool,
        Parameter(
            group=OF_FIELDS[FieldGroup.MEASUREMENT],
            help="Do not note, by a process that only sleeps, how late the machine lets it wake.",
        ),
    ] = False
    pin: Annotated[
        str | None,
        Parameter(
            group=OF_FIELDS[FieldGroup.MEASUREMENT],
            metavar="CORES",
            help="Give the server, each producer and each worker a core of its own; without a "
            "value, or with auto, those that come first. Example: server=0,producers=1-2,workers=3",
        ),
    ] = None

    def require_cores(
        self, scenario: Scenario, others: Mapping[str, bool], *, starts_server: bool
    ) -> None:
        """Raises UsageError where ``--pin`` cannot be done, or not beside one of the other flags,
        of which is said whether they were given."""
        other = next((name for name, is_given in others.items() if is_given), None)
        if self.pin is not None and other is not None:
            raise UsageError(f"--pin cannot be combined with {other}; remove one of them")
        self.pinning(scenario, starts_server=starts_server)

    def pinning(self, scenario: Scenario, *, starts_server: bool) -> Pinning:
        """Returns the cores of each part of a run; all of them without ``--pin``.

        Raises UsageError where there are too few, or not those that are named.
        """
        if self.pin is None:
            return Pinning()
        if sys.platform != "linux":
            raise UsageError("--pin: this system lets no program choose its cores: leave it out")
        starts_workers = scenario.workers if not scenario.external_workers else 0
        parts = PinnedParts(int(starts_server), scenario.producers, starts_workers)
        try:
            return pinning.read(self.pin, machine.usable(), parts)
        except UsageError as error:
            raise UsageError(f"--pin: {error}") from None

"""Flags that say how ``bench run`` uses and watches its machine."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from bench.cli.groups import OF_FIELDS
from bench.workload.declaration import FieldGroup


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

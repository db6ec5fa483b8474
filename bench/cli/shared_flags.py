"""The flags that say what runs may do on a server of others."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from bench.cli.groups import OF_FIELDS, SERVER
from bench.workload.declaration import FieldGroup


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class SharedServerFlags:
    """What runs may do on a server of others."""

    allow_shared: Annotated[
        bool,
        Parameter(
            group=SERVER,
            help="Use queues that already hold tasks; the workers will run those, too.",
        ),
    ] = False
    faults_on_shared: Annotated[
        bool,
        Parameter(
            group=OF_FIELDS[FieldGroup.FAULTS],
            help="Let faults disturb a server of others, as far as its own commands can: its "
            "other users notice.",
        ),
    ] = False

"""What a field of a scenario says of itself, in one place beside the field."""

from dataclasses import KW_ONLY, dataclass
from enum import Enum, Flag, auto
from typing import Literal

from bench.workload.value_type import ValueType

WorkerKind = Literal["built-in", "external"]


class FieldGroup(Enum):
    """The heading that a field stands under, in helps and in the documentation."""

    LOAD = "Load"
    WORKERS = "Workers"
    MEASUREMENT = "Measurement"
    FAULTS = "Faults"


class FrontEnd(Flag):
    """Where a field can be set beside TOML files and the flags of ``bench run``, which have all."""

    NONE = 0
    WORKER = auto()
    """Flags of ``bench worker``."""
    LOCUST = auto()
    """Options of Locust."""


@dataclass(frozen=True, eq=False)
class Declared:
    """Everything about a field but its name, its type and its default, which the struct has."""

    type: ValueType
    help: str
    """One sentence for all front ends and the documentation."""
    example: str | None = None
    """A value as written on a command line, where the help does not name them all."""
    _: KW_ONLY
    group: FieldGroup
    also: FrontEnd = FrontEnd.NONE
    applies_to: WorkerKind | None = None
    """The only kind of worker that the field has an effect on; None for both."""
    replaces: tuple[str, ...] = ()
    """Fields that no longer hold where this one is set on top of a scenario."""
    short: str | None = None
    """The flag's short form, such as ``-r``, for the few fields that are set most often."""
    without: str | None = None
    """What holds where nothing is written, where the default does not say it."""

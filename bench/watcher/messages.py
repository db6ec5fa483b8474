"""The messages between a run and the process that watches its machine."""

import msgspec

from bench.measure.canary import Canary
from bench.measure.hiccups import HiccupReport
from bench.measure.window import TimeLine


class TimeCanary(msgspec.Struct, frozen=True, tag="time"):
    """Asks for a canary that takes about so long."""

    seconds: float


class BeginTrace(msgspec.Struct, frozen=True, tag="begin"):
    """Begins the hiccup trace of a run on a time line."""

    line: TimeLine
    offset_us: int
    """From the host's monotonic clock to the run's clock."""


class EndTrace(msgspec.Struct, frozen=True, tag="end"):
    """Ends the trace, and asks for its report."""


class CanaryTimed(msgspec.Struct, frozen=True, tag="timed"):
    """The canary that was asked for."""

    canary: Canary


ToWatcher = TimeCanary | BeginTrace | EndTrace
FromWatcher = CanaryTimed | HiccupReport

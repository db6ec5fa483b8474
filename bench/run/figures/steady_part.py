"""What all figures of a run are made from: its steady part, and the account of its tasks."""

from dataclasses import dataclass

from bench.measure.summary import LatencyTable, WarmupCut
from bench.run.figures.accounting import Account
from bench.run.figures.fault_outcomes import FaultReport
from bench.run.figures.rates import Window


@dataclass(frozen=True)
class SteadyPart:
    """The steady part of a run."""

    cut: WarmupCut
    """Where it begins."""
    window: Window
    """From there until the end of enqueueing."""
    accounted: Account
    """What became of the tasks, of the whole run."""
    histograms: LatencyTable
    faults: FaultReport
    """What faults explain, of the whole run."""

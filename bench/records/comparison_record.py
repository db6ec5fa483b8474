"""The comparison record: the result of comparing two sets of runs, as one JSON file.

``bench compare`` and ``bench ab`` write it; every report of a comparison reads nothing else.

History of the format:

    runqy-bench-gate/1   the first
"""

from pathlib import Path
from typing import Annotated

import msgspec

from bench.records import formats

FORMAT = "runqy-bench-gate/1"
FILE_IN_JOB = "gate.json"
"""Name of the record in the folder of a job of 'bench ab'."""

DecisionName = Annotated[
    str, msgspec.Meta(pattern="^(regression|improvement|no worse|inconclusive)$")
]
"""What the pairs of one metric, or of all gated ones, prove."""


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two sides of a comparison."""

    label: str
    what: str
    """What distinguishes this side: the flags of an arm, a revision, or the files read."""
    runs: int
    verdicts: dict[str, int]
    """Number of runs by verdict, including runs that the comparison left out."""
    revision: str
    """Commit of the measured code, with ``+`` for uncommitted changes; or its version."""
    server: str


class GateRow(msgspec.Struct, frozen=True, kw_only=True):
    """The result for one metric. ``base`` and ``candidate`` are medians over the pairs, in the
    units of the run record. Changes are fractions of the base, positive if it got worse."""

    metric: str
    base: float | None
    candidate: float | None
    change: float | None = None
    """None if some run lacks the metric."""
    low: float | None = None
    high: float | None = None
    """Ends of the confidence interval; None where too few pairs leave it open."""
    p: float | None = None
    """p-value, corrected over all gated metrics (Holm); None for a metric that is only shown."""
    margin: float
    floor: float | None = None
    """Noise floor: the change that noise alone produced; None if it was not measured."""
    is_gated: bool
    decision: DecisionName
    pairs_needed: int | None = None
    """If inconclusive: number of pairs that would probably decide; None if no number would."""


class GateRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One comparison. ``decision`` is the worst of the gated rows; a fault outranks all of them.

    ``faults`` name lost and duplicated tasks and loads that were not sustained: correctness comes
    before speed. ``notes`` hold what else a reader must know.
    """

    format: str = FORMAT
    made_at: str
    duration_s: float | None
    """Time that the measurements took; None if the runs already existed."""
    command: str
    title: str
    base: Side
    candidate: Side
    pairs: int
    """Number of pairs compared."""
    pairs_left_out: int
    """Number of pairs left out because one of their runs is invalid."""
    noise_pairs: int
    """Number of pairs that compare the base with itself."""
    alpha: float
    confidence: float
    rows: list[GateRow]
    faults: list[str]
    notes: list[str]
    machine: str
    drift: float | None
    """Range of the base's own runs in the first gated metric, as a fraction of the smallest."""
    decision: DecisionName
    exit_code: Annotated[int, msgspec.Meta(ge=0, le=255)]


def encode(gate: GateRecord) -> bytes:
    """Returns the record as indented JSON, ending in a newline."""
    return formats.encode(gate)


def load(path: Path) -> GateRecord:
    """Reads a comparison record. Raises RecordError for any other file or format version."""
    return formats.load(path, GateRecord, FORMAT, "a comparison's record")

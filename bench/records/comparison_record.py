"""The gate's record: what a comparison of runs came to, as one JSON file.

``bench compare`` and ``bench ab`` make one alike, and every report of a comparison reads nothing
else.

History of the format:

    runqy-bench-gate/1   the first
"""

from pathlib import Path

import msgspec

from bench.records import formats

FORMAT = "runqy-bench-gate/1"


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two that are compared."""

    label: str
    what: str
    """How it differs: an arm's flags, a revision, or the files it was read from."""
    runs: int
    verdicts: dict[str, int]
    """How many of its runs came to which verdict, those that were not used included."""
    revision: str
    """The commit that measured, with ``+`` where the checkout had changes; or a version."""
    server: str


class GateRow(msgspec.Struct, frozen=True, kw_only=True):
    """One metric. Base and candidate are medians over the pairs, in the run records' units; changes
    are shares of the base, positive where the candidate is worse."""

    metric: str
    base: float | None
    candidate: float | None
    change: float | None = None
    """None where a side lacks the figure in some run."""
    low: float | None = None
    high: float | None = None
    """The interval's ends; None where so few pairs leave it open."""
    p: float | None = None
    """Corrected for all gated metrics (Holm); None for one that is only shown."""
    margin: float
    floor: float | None = None
    """What noise alone was seen to do, where that was measured."""
    is_gated: bool
    decision: str
    pairs_needed: int | None = None
    """Where it is inconclusive: how many pairs would probably decide, None where none would."""


class GateRecord(msgspec.Struct, frozen=True, kw_only=True):
    """All of a comparison. ``decision`` is the worst of the gated rows; a fault is worse than any.

    ``faults`` are tasks lost or doubled and loads that were not held, in words: correctness comes
    before speed. ``notes`` are what a reader must know besides.
    """

    format: str = FORMAT
    made_at: str
    duration_s: float | None
    """How long the measuring took; None where the runs were there already."""
    command: str
    title: str
    base: Side
    candidate: Side
    pairs: int
    """Pairs that were compared."""
    pairs_left_out: int
    """Pairs with a run that must not be quoted."""
    noise_pairs: int
    """Pairs of the base with itself."""
    alpha: float
    confidence: float
    rows: list[GateRow]
    faults: list[str]
    notes: list[str]
    machine: str
    drift: float | None
    """How far apart the base's own runs lie in the first gated metric, as a share of the least."""
    decision: str
    exit_code: int


def encode(gate: GateRecord) -> bytes:
    """As JSON text that people can read too."""
    return formats.encode(gate)


def load(path: Path) -> GateRecord:
    """Read one. Raises RecordError when the file is none, or of another version."""
    return formats.load(path, GateRecord, FORMAT, "a comparison's record")

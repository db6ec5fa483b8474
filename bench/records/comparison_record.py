"""The comparison record: the result of comparing two sets of runs, as one JSON file.

``bench compare`` and ``bench ab`` write it; every report of a comparison reads nothing else.

History of the format:

    runqy-bench-gate/1   the first; the changes in it are positive where the candidate is worse
    runqy-bench-gate/2   ``paired_change``, ``low`` and ``high`` are changes of the figure itself
"""

from pathlib import Path
from typing import Annotated

import msgspec

from bench.errors import RecordError, UsageError
from bench.records import formats
from bench.workload.metrics import parse_metric

FORMAT = "runqy-bench-gate/2"
_FIRST_FORMAT = "runqy-bench-gate/1"
FORMATS = (FORMAT, _FIRST_FORMAT)
"""Every format that is read."""
_WHAT = "a comparison's record"
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
    units of the run record. A change is that of the candidate's figure against the base's, as a
    fraction of the base's: positive where the candidate's figure is higher, be that better (a rate)
    or worse (a latency)."""

    metric: str
    base: float | None
    candidate: float | None
    paired_change: float | None = None
    """Estimate from the ratios within the pairs (Hodges and Lehmann's), which decides. The medians
    of the two sides may differ by another amount. None if some run lacks the metric."""
    low: float | None = None
    """Lower end of the paired change's confidence interval; None where too few pairs leave it
    open."""
    high: float | None = None
    """Upper end of the interval; None where it is open."""
    p: float | None = None
    """p-value, corrected over all gated metrics (Hochberg) and for the interim analyses of a job;
    None for a metric that is only shown."""
    margin: float
    floor: float | None = None
    """Noise floor: the change that noise alone produced; None if it was not measured."""
    is_gated: bool
    decision: DecisionName
    pairs_needed: int | None = None
    """If inconclusive: number of pairs that would probably decide; None if no number would."""

    @property
    def difference(self) -> float | None:
        """Difference of the two medians as a fraction of the base's; None without medians."""
        if self.base is None or self.candidate is None or self.base <= 0:
            return None
        return self.candidate / self.base - 1


class Disagreement(msgspec.Struct, frozen=True, kw_only=True):
    """The two canaries of a pair's runs that are furthest apart: how long the same work took at two
    moments."""

    work: str
    """``spin``, ``memory`` or ``loopback``, each at its fastest; or ``round``, all three in turn on
    average."""
    fastest_s: float
    fastest: str
    """When it took so long: ``before the first run``, ``after the second run``."""
    slowest_s: float
    slowest: str

    @property
    def share(self) -> float:
        """By how much longer it took at the slower moment, as a share; 0 where nothing is known."""
        return self.slowest_s / self.fastest_s - 1 if self.fastest_s > 0 else 0.0


class VoidPair(msgspec.Struct, frozen=True, kw_only=True):
    """A pair of valid runs that was not compared, because its canaries disagree."""

    number: int
    """From 1, in the order in which the pairs were measured."""
    is_noise: bool
    """Whether it is a pair of the base with itself."""
    canaries: Disagreement


class Stopping(msgspec.Struct, frozen=True, kw_only=True):
    """How many pairs a job planned, after how many its decision was looked for, and which were
    void."""

    planned: int
    analyses: list[int]
    """Numbers of compared pairs at which it could end; one for a fixed plan. Analyses that were not
    reached are left out."""
    stopped_after: int | None = None
    """Number of compared pairs at which the decision was plain; None if it never was before the
    end."""
    void: list[VoidPair] = []
    """Pairs of both phases that were left out because their canaries disagree."""


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
    """Number of pairs of the base with itself that the noise was computed from."""
    stopping: Stopping | None = None
    """The plan of a job and where it ended; None for existing runs and in earlier records."""
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
    data = formats.read(path)
    if formats.written_format(path, data, _WHAT) != _FIRST_FORMAT:
        return formats.load_data(path, data, GateRecord, FORMAT, _WHAT)
    first = formats.load_data(path, data, _FirstGateRecord, _FIRST_FORMAT, _WHAT)
    values = {name: getattr(first, name) for name in GateRecord.__struct_fields__}
    with formats.naming(path):
        rows = [_converted(row) for row in first.rows]
    return GateRecord(**{**values, "format": FORMAT, "rows": rows})


Interval = tuple[float | None, float | None, float | None]
"""A change between the ends of its confidence interval, lowest first; None where unknown."""


def figure_changes(higher_is_better: bool, degradation: Interval) -> Interval:
    """Returns the changes of a figure, given by how much worse the candidate is.

    Where lower is better they are the same. Where higher is better, a figure that is worse by 25%
    is lower by 20%, and the ends of the interval change places.
    """
    if not higher_is_better:
        return degradation
    low, change, high = (None if each is None else 1 / (1 + each) - 1 for each in degradation)
    return high, change, low


class _FirstGateRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the first format, whose changes are positive where the candidate is worse."""

    metric: str
    base: float | None
    candidate: float | None
    change: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    margin: float
    floor: float | None = None
    is_gated: bool
    decision: DecisionName
    pairs_needed: int | None = None


class _FirstGateRecord(GateRecord, frozen=True, kw_only=True):
    """A record of the first format."""

    rows: list[_FirstGateRow]  # type: ignore[assignment]


def _converted(row: _FirstGateRow) -> GateRow:
    degradation = (row.low, row.change, row.high)
    if any(each is not None and each <= -1 for each in degradation):
        raise RecordError(f"not {_WHAT}: a change of {row.metric} is below −100%")
    try:
        higher_is_better = parse_metric(row.metric).higher_is_better
    except UsageError as error:
        raise RecordError(f"not {_WHAT}: {error}") from None
    low, change, high = figure_changes(higher_is_better, degradation)
    values = {
        name: getattr(row, name)
        for name in GateRow.__struct_fields__
        if name not in ("paired_change", "low", "high")
    }
    return GateRow(**values, paired_change=change, low=low, high=high)

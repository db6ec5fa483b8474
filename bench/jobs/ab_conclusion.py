"""What the pairs of an A/B job show: at an interim analysis, and when it has ended."""

from collections.abc import Sequence
from pathlib import Path

from bench.analysis import gate, sequential
from bench.analysis.compare import Comparison, Criteria, Pair, compare, noise_floors, usable
from bench.analysis.sequential import Analyses
from bench.errors import MeasurementError
from bench.jobs.ab_plan import most_made_up_for
from bench.jobs.ab_state import NOISE, PAIR, Job, pairs_of
from bench.jobs.arms import Arm
from bench.records.comparison_record import GateRecord, Side, Stopping
from bench.records.run_record import RunRecord
from bench.units import format_duration
from bench.workload.metrics import parse_metric


def so_far(folder: Path, job: Job) -> Comparison | None:
    """The comparison of the pairs made so far, at the analyses that they allow; None before the
    first pair."""
    pairs = pairs_of(folder, job, PAIR)
    return _compared(folder, job, pairs, is_complete=False) if pairs else None


def analyses_of(job: Job) -> Analyses:
    """The analyses of a job with a plan: a single one, at its end, where it may not stop early."""
    pairs = job.plan.pairs if job.plan else 1
    return sequential.planned(pairs) if job.stops_early else sequential.once(pairs)


def conclude(folder: Path, job: Job) -> GateRecord:
    """The decision from all pairs. Raises MeasurementError when most of them are invalid."""
    pairs = pairs_of(folder, job, PAIR)
    comparison = _compared(folder, job, pairs, is_complete=True)
    if not comparison.faults and comparison.left_out > len(pairs) / 2:
        verdicts = sorted({each.verdict for each in job.done if each.verdict != "valid"})
        raise MeasurementError(
            f"only {comparison.pairs} of {len(pairs)} pairs are valid ({', '.join(verdicts)}): "
            f"'bench report' shows why, for the records in {folder}"
        )
    base, candidate = job.arms
    return gate.assemble(
        comparison,
        (
            _side(base, [before for before, _ in pairs]),
            _side(candidate, [after for _, after in pairs]),
        ),
        pairs,
        job.command,
        noise_pairs=len(usable(pairs_of(folder, job, NOISE), job.voids)),
        duration_s=sum(each.seconds for each in job.done),
        notes=[*_cut_short(job, len(pairs)), *_not_made_up_for(job, comparison)],
        stopping=_stopping(job, comparison.pairs),
    )


def _stopping(job: Job, pairs: int) -> Stopping | None:
    if job.plan is None:
        return None
    return Stopping(
        planned=job.plan.pairs,
        analyses=[count for count in analyses_of(job).ended_at(pairs).counts if count <= pairs],
        stopped_after=job.stopped_after,
        void=list(job.void),
    )


def _side(arm: Arm, records: Sequence[RunRecord]) -> Side:
    return gate.side(arm.label, arm.what, records, arm.revision.short if arm.revision else None)


def _cut_short(job: Job, pairs: int) -> list[str]:
    """A note where the budget ended before the planned pairs were made."""
    planned = job.plan.pairs if job.plan else pairs
    if pairs >= planned or job.stopped_after is not None:
        return []
    return [
        f"{pairs} of {planned} planned pairs were measured: the runs became longer, and the budget "
        f"of {format_duration(job.budget_s)} ended"
    ]


def _not_made_up_for(job: Job, comparison: Comparison) -> list[str]:
    """A note where so many pairs are void that fewer were compared than planned."""
    planned = job.plan.pairs if job.plan else comparison.pairs
    made = comparison.pairs + comparison.void + comparison.left_out
    if not comparison.void or comparison.pairs >= planned or job.stopped_after is not None:
        return []
    if made < planned:  # the budget ended, which has a note of its own
        return []
    return [
        f"the machine changed in {comparison.void} of {made} pairs, so {comparison.pairs} of "
        f"{planned} planned pairs were compared; a job measures at most "
        f"{planned + most_made_up_for(planned)}: repeat it when less else runs on the machine"
    ]


def _compared(folder: Path, job: Job, pairs: Sequence[Pair], is_complete: bool) -> Comparison:
    gated = [parse_metric(name) for name in job.gated]
    shown = [parse_metric(name) for name in job.shown]
    planned = job.plan.pairs if job.plan else 1
    analyses = analyses_of(job)
    # A job that stopped early keeps the margin of its plan. One that could not be finished has less
    # to show: noise moves the estimate of fewer pairs further.
    if is_complete and job.stopped_after is None:
        planned = min(planned, len(pairs))
        analyses = analyses.ended_at(len(usable(pairs, job.voids)))
    floors = noise_floors(pairs_of(folder, job, NOISE), [*gated, *shown], planned, job.voids)
    return compare(pairs, Criteria(gated, shown, job.margin, floors, analyses, job.voids))

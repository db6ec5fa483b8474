"""The progress of a job with two arms: the current pair, the time left, and the result so far."""

import contextlib
from collections.abc import Iterator

from bench import units
from bench.analysis.compare import Comparison
from bench.analysis.rule import Decision
from bench.jobs.ab_conclusion import analyses_of
from bench.jobs.ab_job import AbProgress, OnStep
from bench.jobs.ab_state import NOISE, Job
from bench.reports.figures import counted, share
from bench.reports.gate import text
from bench.reports.status_line import status_line


def opening(job: Job, folder: str) -> str:
    """Returns what the job is going to measure, and how long that will take."""
    gated = f"decided by {', '.join(job.gated)} with a margin of {share(job.margin)}"
    if job.plan is None:
        begin = f"the first run shows how many pairs fit into {units.format_duration(job.budget_s)}"
    else:
        shorter = job.plan.duration_s
        cut = f", cut to {units.format_duration(shorter)} of load" if shorter is not None else ""
        begin = (
            f"{counted(job.plan.noise_pairs, 'base-versus-base pair')} for the noise, then "
            f"{counted(job.plan.pairs, 'pair')}{_early(job)}: {counted(job.plan.runs, 'run')} of "
            f"about {units.format_duration(job.plan.run_s)}{cut}; "
            f"about {units.format_duration(job.plan.estimate_s)} in all"
        )
    made = f", {counted(len(job.done), 'run')} already made" if job.done else ""
    return f"{begin}{made}; {gated}; saved in {folder}"


def _early(job: Job) -> str:
    """Returns at which pairs the job may end early; nothing for a fixed plan."""
    early = analyses_of(job).counts[:-1]
    after = " or ".join(map(str, early))
    return f" (fewer if the decision is plain after {after})" if early else ""


@contextlib.contextmanager
def ab_view(is_quiet: bool) -> Iterator[OnStep]:
    """Yields a function that shows each new state of the job on standard error.

    With ``is_quiet`` the function does nothing.
    """
    with status_line(is_quiet) as show:
        yield lambda progress: show(state_line(progress))


def state_line(progress: AbProgress) -> str:
    """Returns the progress of a job as one line."""
    step, plan = progress.step, progress.job.plan
    kind = "noise pair" if step.phase == NOISE else "pair"
    planned = 0 if plan is None else plan.noise_pairs if step.phase == NOISE else plan.pairs
    # Pairs beyond the planned ones replace those that are void or have a run that is not valid.
    of = "" if not planned else f" of {planned}" if step.number <= planned else " (replacement)"
    place = f"{kind} {step.number}{of}, {'first' if step.place == 0 else 'second'} run ({step.arm})"
    parts = [place if progress.run_began else "all runs are done"]
    if progress.job.void:
        parts.append(f"{counted(len(progress.job.void), 'pair')} void")
    if progress.seconds_left is not None and progress.run_began:
        at_most = "at most " if progress.job.stops_early else ""
        parts.append(f"{at_most}{units.format_duration(progress.seconds_left)} left")
    if progress.comparison is not None:
        parts += _result_so_far(progress.comparison)
    return " · ".join(parts)


def _result_so_far(comparison: Comparison) -> list[str]:
    changes = [
        f"{row.metric} paired change {text.paired_change(row)}"
        for row in comparison.rows
        if row.is_gated
    ]
    decision = comparison.decision
    return [*changes, "undecided" if decision is Decision.INCONCLUSIVE else f"so far {decision}"]

"""A job of two arms while it lasts: which pair, how long still, and how it stands."""

import contextlib
from collections.abc import Iterator

from bench import units
from bench.analysis.compare import Comparison
from bench.analysis.rule import Decision
from bench.jobs.ab_job import NOISE, AbProgress, Job, OnStep
from bench.reports.figures import share
from bench.reports.gate import text
from bench.reports.status import status_line


def opening(job: Job, folder: str) -> str:
    """What the job is going to do, and how long that will take."""
    gated = f"decided by {', '.join(job.gated)} with a margin of {share(job.margin)}"
    if job.plan is None:
        begin = f"the first run tells how many pairs fit {units.format_duration(job.budget_s)}"
    else:
        shorter = job.plan.duration_s
        cut = f", cut to {units.format_duration(shorter)} of load" if shorter is not None else ""
        begin = (
            f"noise pairs of the base with itself: {job.plan.noise_pairs}; pairs of both: "
            f"{job.plan.pairs}; "
            f"{job.plan.runs} runs of about {units.format_duration(job.plan.run_s)}{cut}; "
            f"about {units.format_duration(job.plan.estimate_s)}"
        )
    made = f", of which {len(job.done)} there already" if job.done else ""
    return f"{begin}{made}; {gated}; saved in {folder}"


@contextlib.contextmanager
def ab_view(is_quiet: bool) -> Iterator[OnStep]:
    """What to call with each new situation. Everything goes to standard error."""
    with status_line(is_quiet) as show:
        yield lambda situation: show(state_line(situation))


def state_line(situation: AbProgress) -> str:
    """One situation as one line."""
    step, plan = situation.step, situation.job.plan
    kind = "noise pair" if step.phase == NOISE else "pair"
    of = "" if plan is None else f" of {plan.noise_pairs if step.phase == NOISE else plan.pairs}"
    place = f"{kind} {step.number}{of}, {'first' if step.place == 0 else 'second'} run ({step.arm})"
    parts = [place if situation.run_began else "all runs are made"]
    if situation.seconds_left is not None and situation.run_began:
        parts.append(f"{units.format_duration(situation.seconds_left)} left")
    if situation.comparison is not None:
        parts += _standing(situation.comparison)
    return " · ".join(parts)


def _standing(comparison: Comparison) -> list[str]:
    said = [f"{row.metric} {text.change(row)}" for row in comparison.rows if row.is_gated]
    decision = comparison.decision
    return [*said, "undecided" if decision is Decision.INCONCLUSIVE else f"so far {decision}"]

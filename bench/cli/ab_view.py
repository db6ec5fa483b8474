"""A job of two arms while it lasts: which pair, how long still, and how it stands."""

import contextlib
import sys
from collections.abc import Iterator

from rich.console import Console
from rich.live import Live
from rich.text import Text

from bench import units
from bench.analysis.compare import Comparison
from bench.analysis.rule import Decision
from bench.jobs.ab_job import NOISE, Job, Situation, Watch
from bench.reports.figures import share
from bench.reports.gate import words


def opening(job: Job, folder: str) -> str:
    """What the job is going to do, and how long that will take."""
    gated = f"decided by {', '.join(job.gated)} with a margin of {share(job.margin)}"
    if job.plan is None:
        begin = f"the first run tells how many pairs fit {units.format_duration(job.budget_s)}"
    else:
        shorter = job.plan.duration_s
        cut = f", cut to {units.format_duration(shorter)} of load" if shorter is not None else ""
        begin = (
            f"{job.plan.noise_pairs} pairs of the base with itself, then {job.plan.pairs} of both: "
            f"{job.plan.runs} runs of about {units.format_duration(job.plan.run_s)}{cut}; "
            f"about {units.format_duration(job.plan.estimate_s)}"
        )
    made = f", {len(job.done)} runs are there already" if job.done else ""
    return f"{begin}{made}; {gated}; saved in {folder}"


@contextlib.contextmanager
def ab_view(is_quiet: bool) -> Iterator[Watch]:
    """What to call with each new situation. Everything goes to standard error."""
    if is_quiet:
        yield lambda _: None
        return
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _plain_lines()
        return
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        yield lambda situation: live.update(Text(state_line(situation)))


def _plain_lines() -> Watch:
    last = ""

    def show(situation: Situation) -> None:
        nonlocal last
        line = state_line(situation)
        if line != last:
            last = line
            sys.stderr.write(line + "\n")
            sys.stderr.flush()

    return show


def state_line(situation: Situation) -> str:
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
    said = [f"{row.metric} {words.change(row)}" for row in comparison.rows if row.is_gated]
    decision = comparison.decision
    return [*said, "undecided" if decision is Decision.INCONCLUSIVE else f"so far {decision}"]

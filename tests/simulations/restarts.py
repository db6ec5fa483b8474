"""How often the interval of the spread between starts holds the true one, and what is concluded.

A start settles on a level of its own, and each run's figure has an error, whose size the run itself
estimates with six degrees of freedom, as ``bench.measure.confidence`` does.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench.analysis.restarts import Answer, between_starts, judge
from bench.measure.confidence import FREEDOM
from bench.records.restarts_record import RestartsRecord, Spread, StartedRun
from bench.records.run_record import RunRecord
from tests.records.fixtures import example_record

ERROR = 0.02
"""Standard error of the figure of one run, as a share."""
_RARE = 8
Draws = npt.NDArray[np.float64]
Shape = Callable[[np.random.Generator, int], Draws]


def _normal(random: np.random.Generator, starts: int) -> Draws:
    return random.normal(0, 1, starts)


def _two_modes(random: np.random.Generator, starts: int) -> Draws:
    """Half of the starts settle on one level, half on another."""
    return random.choice([-1.0, 1.0], starts)


def _rare(random: np.random.Generator, starts: int) -> Draws:
    """One start in eight settles on another level; the standard deviation is one."""
    share = 1 / _RARE
    drawn: Draws = (random.random(starts) < share) / np.sqrt(share * (1 - share))
    return drawn


SHAPES: Mapping[str, Shape] = {
    "normal": _normal,
    "two levels, drawn evenly": _two_modes,
    "one start in eight differs": _rare,
}


@dataclass(frozen=True)
class SpreadCase:
    """What is simulated."""

    shape: str
    between: float
    """Standard deviation between starts, as a share."""
    starts: int


@dataclass(frozen=True)
class SpreadOutcome:
    """Shares of all trials."""

    covered: float
    """In which the interval holds the true spread."""
    answers: Mapping[Answer, float]


def simulate(case: SpreadCase, trials: int, seed: int = 1) -> SpreadOutcome:
    """Returns what these trials found."""
    random = np.random.default_rng([seed, case.starts, round(case.between * 1000)])
    draw, covered = SHAPES[case.shape], 0
    answers: Counter[Answer] = Counter()
    run = example_record()
    for _ in range(trials):
        logs = case.between * draw(random, case.starts)
        values = np.exp(logs + random.normal(0, ERROR, case.starts))
        estimated = ERROR**2 * random.chisquare(FREEDOM, case.starts) / FREEDOM
        error = float(np.sqrt(estimated.mean()))
        between, low, high = between_starts(values, error)
        assert low is not None
        assert high is not None
        covered += low <= case.between <= high
        spread = Spread(
            metric="e2e.p99",
            values=values.tolist(),
            between=between,
            between_low=low,
            between_high=high,
            error=error,
        )
        answers[judge(_record(run, spread)).answer] += 1
    shares = {each: count / trials for each, count in answers.items()}
    return SpreadOutcome(covered / trials, shares)


def _record(run: RunRecord, spread: Spread) -> RestartsRecord:
    return RestartsRecord(
        started_at=run.started_at,
        duration_s=1.0,
        command=run.command,
        starts=len(spread.values),
        is_complete=True,
        scenario=run.scenario,
        environment={},
        server={},
        runs=[StartedRun(file="", verdict="valid")] * len(spread.values),
        spreads=[spread],
    )


CASES = [
    *(
        SpreadCase("normal", between, starts)
        for between in (0.0, 0.02, 0.05, 0.18)
        for starts in (3, 5, 10)
    ),
    *(SpreadCase(shape, 0.18, starts) for shape in (*SHAPES,)[1:] for starts in (3, 5, 10)),
]


def table(trials: int) -> str:
    """Returns the table of coverage and conclusions as Markdown."""
    heading = (
        "| starts differ | between | starts | interval holds it | not enough | enough | open |"
    )
    lines = [
        heading,
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for case in CASES:
        found = simulate(case, trials)
        shares = [
            found.answers.get(each, 0.0)
            for each in (Answer.DIFFERENT, Answer.ALIKE, Answer.UNPROVEN)
        ]
        cells = [
            case.shape,
            f"{case.between:.0%}",
            str(case.starts),
            *(f"{each:.1%}" for each in (found.covered, *shares)),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)

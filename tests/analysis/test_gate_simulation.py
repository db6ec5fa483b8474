"""The gate's error rates on simulated machines: a small share of the table in docs/comparing.md.

The bounds are those that the page states, with room for the smaller number of trials.
"""

from collections.abc import Callable

import numpy as np
import pytest

from bench.analysis import rule, sequential
from bench.analysis.rule import Decision
from bench.arrays import Floats
from tests.simulations import gate
from tests.simulations.gate import GateCase, Measured

TEN = sequential.planned(10)
TrialCount = Callable[[int, int], int]
_HAPPENS = {
    "alarm": lambda made: made.alarm,
    "passed": lambda made: made.passed,
    "better": lambda made: made.better,
    "pairs": lambda made: made.pairs,
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "what", "least", "most"),
    [
        (GateCase("quiet, no change", [0, 0], gate.QUIET), "pairs", 5, 5.5),
        (GateCase("quiet, no change", [0, 0], gate.QUIET), "passed", 0.97, 1),
        (GateCase("quiet, plain", [0.2, 0.2], gate.QUIET), "pairs", 5, 5.1),
        (GateCase("no change", [0]), "alarm", 0, 0.01),
        (GateCase("no change", [0, 0]), "alarm", 0, 0.01),
        (GateCase("at the margin", [0.05]), "alarm", 0, 0.05),
        (GateCase("at the margin", [0.05, 0.05]), "alarm", 0, 0.05),
        (GateCase("quiet, at the margin", [0.05, 0.05], gate.QUIET), "alarm", 0.01, 0.05),
        (GateCase("opposed metrics", [0.05, 0.05], gate.OPPOSED), "alarm", 0, 0.05),
        (GateCase("restarts", [0.05], gate.RESTARTS), "alarm", 0, 0.05),
        (GateCase("plain", [0.2]), "alarm", 0.95, 1),
        (GateCase("plain", [0.2, 0.2]), "alarm", 0.95, 1),
        (GateCase("one of two", [0.2, 0]), "alarm", 0.95, 1),
        (GateCase("restarts", [0.2], gate.RESTARTS), "alarm", 0.95, 1),
        (GateCase("plainly better", [-0.2]), "better", 0.95, 1),
        (GateCase("one of two better", [-0.2, 0]), "better", 0.6, 1),
        (GateCase("void pairs", [0], gate.DISTURBED, voids=True), "alarm", 0, 0.01),
        (GateCase("void pairs", [0.05], gate.DISTURBED, voids=True), "alarm", 0, 0.05),
        (GateCase("void pairs", [0.2], gate.DISTURBED, voids=True), "alarm", 0.95, 1),
        (GateCase("void by chance", [0.05], gate.MISLED, voids=True), "alarm", 0, 0.05),
        (GateCase("void by chance", [0.2], gate.MISLED, voids=True), "alarm", 0.95, 1),
    ],
    ids=lambda value: value.name if isinstance(value, GateCase) else None,
)
def test_error_rates_and_length(
    case: GateCase, what: str, least: float, most: float, trial_count: TrialCount
) -> None:
    trials = trial_count(400, 4000)
    room = 2.5 * np.sqrt(0.05 * 0.95 / trials) if what != "pairs" else 0.0
    assert least - room <= _HAPPENS[what](gate.outcome(case, TEN, trials)) <= most + room


def test_voids_are_what_makes_a_disturbed_machine_usable() -> None:
    case = GateCase("void pairs", [0.2], gate.DISTURBED, voids=True)
    kept = gate.outcome(GateCase("kept", [0.2], gate.DISTURBED), TEN, 100)
    assert gate.outcome(case, TEN, 100).alarm > kept.alarm + 0.2


@pytest.mark.parametrize("worse", [[0.0], [0.05, 0.1], [-0.15, 0.0], [0.2, 0.2]])
def test_the_simulation_decides_as_the_rule_does(worse: list[float]) -> None:
    generator = np.random.default_rng(1)
    ratios = np.log1p(worse) + 0.04 * generator.standard_t(3, (12, 10, len(worse)))
    margins = np.full((12, len(worse)), 0.05)
    made = np.tile(np.arange(1.0, 11.0), (12, 1))
    found = gate.decide(Measured(ratios, margins, made), TEN)
    for job, (alarm, passed, better, pairs) in zip(ratios, found.tolist(), strict=True):
        decided, after = _by_the_rule(job)
        assert pairs == after
        assert alarm == (Decision.REGRESSION in decided)
        assert passed == (set(decided) <= {Decision.NO_WORSE, Decision.IMPROVEMENT})
        assert better == (not alarm and Decision.IMPROVEMENT in decided)


def _by_the_rule(job: Floats) -> tuple[list[Decision], int]:
    """Decisions on a job (pairs, metrics), and after how many pairs."""
    for count in TEN.counts:
        family = [(ratios[:count], rule.MARGIN) for ratios in job.T]
        made = rule.decide_together(family, TEN)
        if rule.is_plain(made):
            return [each.decision for each in made], count
    return [each.decision for each in made], TEN.counts[-1]

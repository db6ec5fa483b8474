"""The rule of the gate, against brute force and against a simulated machine of known faults."""

import functools
import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis import rule
from bench.analysis.rule import Decision
from tests.analysis import noise

MARGIN = rule.MARGIN


@pytest.mark.parametrize(("higher_is_better", "sign"), [(False, 1), (True, -1)])
def test_positive_is_worse(higher_is_better: bool, sign: int) -> None:
    ratios = rule.log_ratios([1.0, 2.0], [1.1, 2.2], higher_is_better)
    assert ratios == pytest.approx([sign * math.log(1.1)] * 2)


def test_a_value_of_zero_has_no_ratio() -> None:
    with pytest.raises(ValueError, match="above zero"):
        rule.log_ratios([1.0], [0.0], False)


@pytest.mark.parametrize(
    ("worse", "decision"),
    [
        (0.20, Decision.REGRESSION),
        (-0.20, Decision.IMPROVEMENT),
        (0.0, Decision.NO_WORSE),
        (0.05, Decision.INCONCLUSIVE),
    ],
)
def test_quiet_pairs_decide(worse: float, decision: Decision) -> None:
    ratios = math.log1p(worse) + np.linspace(-0.01, 0.01, 8)
    assert rule.decide(rule.change(ratios, MARGIN), MARGIN) is decision


@pytest.mark.parametrize(
    ("given_p", "corrected"),
    [
        ([], []),
        ([0.03], [0.03]),
        ([0.01, 0.04], [0.02, 0.04]),
        ([0.03, 0.04], [0.04, 0.04]),
        ([0.04, 0.01, 0.03], [0.04, 0.03, 0.04]),
        ([0.6, 0.7], [0.7, 0.7]),
    ],
)
def test_hochberg(given_p: list[float], corrected: list[float]) -> None:
    assert rule.hochberg(given_p) == pytest.approx(corrected)


@given(p_values=st.lists(st.floats(0, 1), max_size=6))
def test_hochberg_keeps_the_order_and_never_lowers(p_values: list[float]) -> None:
    corrected = rule.hochberg(p_values)
    assert all(after >= before for before, after in zip(p_values, corrected, strict=True))
    for one, other in itertools.combinations(range(len(p_values)), 2):
        if p_values[one] <= p_values[other]:
            assert corrected[one] <= corrected[other]


def test_pairs_to_decide_grow_with_the_noise_and_the_nearness_of_the_margin() -> None:
    def needed(centre: float, spread: float) -> int | None:
        ratios = centre + spread * np.linspace(-1, 1, 8)
        return rule.pairs_to_decide(rule.change(ratios, MARGIN), MARGIN)

    near, far = needed(0.04, 0.05), needed(0.02, 0.05)
    assert near is not None
    assert far is not None
    assert near > far > 8
    assert needed(math.log(1.05), 0.05) is None


def test_too_few_pairs_leave_the_interval_of_the_change_open() -> None:
    changed = rule.change(np.array([0.1, 0.2]), MARGIN)
    assert (changed.low, changed.high) == (-math.inf, math.inf)
    assert changed.estimate == pytest.approx(math.expm1(0.15))


@pytest.mark.parametrize(("metrics", "pairs"), [(1, 5), (2, 6), (3, 6), (4, 7)])
def test_the_fewest_pairs_that_can_prove_a_change_of_one_metric(metrics: int, pairs: int) -> None:
    """One fewer, and even pairs that all point the same way do not."""

    def proves(count: int) -> bool:
        worse, same = 1.0 + np.arange(count) / 1000, np.arange(count) / 1000
        family = [(worse, MARGIN)] + [(same, MARGIN)] * (metrics - 1)
        return rule.decide_together(family)[0].decision is Decision.REGRESSION

    assert rule.fewest_pairs(metrics) == pairs
    assert proves(pairs)
    assert not proves(pairs - 1)


def test_metrics_are_decided_together() -> None:
    """Five pairs alike have p 1/32: enough for two metrics that both change, not for one of two."""
    worse, same = 0.2 + np.arange(5) / 1000, np.arange(5) / 1000
    both = rule.decide_together([(worse, MARGIN), (worse, MARGIN)])
    assert [each.change.p_worse for each in both] == pytest.approx([1 / 32, 1 / 32])
    assert {each.decision for each in both} == {Decision.REGRESSION}
    one = rule.decide_together([(worse, MARGIN), (same, MARGIN)])
    assert [each.change.p_worse for each in one] == pytest.approx([1 / 16, 1.0])
    assert [each.decision for each in one] == [Decision.INCONCLUSIVE, Decision.NO_WORSE]
    better = rule.decide_together([(-worse, MARGIN), (same, MARGIN)])
    assert Decision.IMPROVEMENT not in {each.decision for each in better}


@pytest.mark.parametrize(
    ("changes", "is_plain"),
    [
        ([0.2], True),
        ([0.0], True),
        ([0.05], False),
        ([0.2, 0.05], False),
        ([0.2, 0.2], True),
        ([0.0, 0.0], True),
        ([-0.2, -0.2], True),
        ([-0.2, 0.0], False),
    ],
)
def test_a_job_is_plain_when_its_decision_can_no_longer_change(
    changes: list[float], is_plain: bool
) -> None:
    """One of two metrics that seems to be better is not proven to be by five pairs, and is worth
    the others; one of two that seems to be worse is not proven either."""
    quiet = np.linspace(-0.01, 0.01, 5)
    family = [(quiet + math.log1p(each), MARGIN) for each in changes]
    assert rule.is_plain(rule.decide_together(family)) is is_plain
    assert not rule.is_plain([])


def test_the_noise_floor_is_what_noise_exceeds_in_one_job_of_twenty() -> None:
    """For normal noise, on either given side."""
    generator = np.random.default_rng(4)
    trials, pairs, exceeded = 4000, 10, 0
    for _ in range(trials):
        alone = generator.normal(0, 0.05, 3)
        estimate = float(np.mean(generator.normal(0, 0.05, pairs)))
        exceeded += estimate > math.log1p(rule.noise_floor(alone, pairs))
    assert exceeded / trials == pytest.approx(0.05, abs=0.012)


# Chances in percent over seeded trials of whole jobs (tests/analysis/noise.py), with the margins
# that follow from their noise. They stand in docs/comparing.md.
TRIALS = 2000
TABLE = [
    # pairs, metrics, truly worse by, what happens, at least, at most
    (6, 1, 0.0, "alarm", 0.0, 1.0),
    (6, 2, MARGIN, "alarm", 0.0, 5.0),
    (10, 1, 0.0, "alarm", 0.0, 1.0),
    (10, 2, 0.0, "alarm", 0.0, 1.0),
    (10, 1, MARGIN, "alarm", 0.0, 5.0),
    (10, 2, MARGIN, "alarm", 0.0, 5.0),
    (10, 1, 0.15, "alarm", 95.0, 100.0),
    (10, 2, 0.15, "alarm", 95.0, 100.0),
    (10, 1, 0.20, "alarm", 95.0, 100.0),
    (10, 2, 0.20, "alarm", 95.0, 100.0),
    (10, 1, 0.20, "passed", 0.0, 1.0),
    (10, 1, 0.0, "passed", 75.0, 100.0),
    (10, 1, -0.20, "better", 95.0, 100.0),
]
HAPPENS = {
    "alarm": lambda decisions: Decision.REGRESSION in decisions,
    "passed": lambda decisions: set(decisions) <= {Decision.NO_WORSE, Decision.IMPROVEMENT},
    "better": lambda decisions: Decision.IMPROVEMENT in decisions,
}


@functools.cache
def decisions(pairs: int, metrics: int, worse: float) -> list[list[Decision]]:
    """What whole jobs decide, where every metric is truly worse by so much."""
    generator = np.random.default_rng(20)
    return [noise.job(generator, pairs, [worse] * metrics) for _ in range(TRIALS)]


@pytest.mark.slow
@pytest.mark.parametrize(("pairs", "metrics", "worse", "what", "least", "most"), TABLE)
def test_error_rates_on_a_drifting_machine_with_heavy_tails(
    pairs: int, metrics: int, worse: float, what: str, least: float, most: float
) -> None:
    hits = sum(map(HAPPENS[what], decisions(pairs, metrics, worse)))
    assert least <= hits / TRIALS * 100 <= most


def test_taking_turns_is_what_makes_it_so() -> None:
    """The same rule on blocks (all runs of the base first) cries wolf where nothing changed."""
    generator = np.random.default_rng(20)
    alarms = 0
    for _ in range(500):
        decided = rule.decide_together([(noise.blocks(generator, 10, 0.0), MARGIN)])
        alarms += decided[0].decision is Decision.REGRESSION
    assert alarms / 500 > 0.04

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

MARGIN, ALPHA, CONFIDENCE = rule.MARGIN, rule.ALPHA, rule.CONFIDENCE
RATIOS = st.lists(st.floats(-1, 1), min_size=1, max_size=9)


def p_by_force(values: list[float]) -> float:
    """Share of all signs whose rank sum is no smaller; ranks of ties averaged, zeros half each."""
    magnitudes = [abs(value) for value in values]
    if not any(magnitudes):
        return 1.0
    ranks = [
        sum(other < own for other in magnitudes) + (magnitudes.count(own) + 1) / 2
        for own in magnitudes
    ]
    fixed = sum(rank / 2 for rank, value in zip(ranks, values, strict=True) if value == 0)
    free = [(rank, value > 0) for rank, value in zip(ranks, values, strict=True) if value != 0]
    observed = fixed + sum(rank for rank, positive in free if positive)
    signs = np.array(list(itertools.product((False, True), repeat=len(free))))
    sums = fixed + signs @ np.array([rank for rank, _ in free])
    return float(np.mean(sums >= observed - 1e-9))


@given(values=RATIOS)
def test_p_is_exact_at_small_n(values: list[float]) -> None:
    assert rule.p_greater(np.array(values)) == pytest.approx(p_by_force(values))


@given(values=st.lists(st.sampled_from([-0.2, -0.1, 0.0, 0.1, 0.2]), min_size=1, max_size=8))
def test_p_is_exact_with_ties_and_zeros(values: list[float]) -> None:
    assert rule.p_greater(np.array(values)) == pytest.approx(p_by_force(values))


@pytest.mark.parametrize(
    ("pairs", "least"), [(4, 1 / 16), (5, 1 / 32), (7, 1 / 128), (10, 1 / 1024)]
)
def test_the_least_possible_p_is_that_of_all_signs_alike(pairs: int, least: float) -> None:
    assert rule.p_greater(np.arange(1, pairs + 1) / 100) == pytest.approx(least)


@given(values=st.lists(st.floats(-1, 1), min_size=6, max_size=10, unique=True))
def test_the_interval_is_all_shifts_that_no_exact_test_refutes(values: list[float]) -> None:
    """By its definition, just inside and just outside of both ends."""
    ratios = np.array(values)
    low, high = rule.interval(ratios, CONFIDENCE)
    tail, bit = (1 - CONFIDENCE) / 2, 1e-7
    averages = np.sort([(a + b) / 2 for a, b in itertools.combinations_with_replacement(values, 2)])
    if np.diff(averages).min(initial=1) < 1e-6:
        return  # ends of several averages at once
    assert rule.p_greater(ratios - (low - bit)) <= tail + 1e-12
    assert rule.p_greater(ratios - (low + bit)) > tail
    assert rule.p_greater((high + bit) - ratios) <= tail + 1e-12
    assert rule.p_greater((high - bit) - ratios) > tail


def test_too_few_pairs_have_no_end() -> None:
    assert rule.interval(np.array([0.1, 0.2, 0.3, 0.4]), CONFIDENCE) == (-math.inf, math.inf)
    assert math.isfinite(rule.interval(np.arange(5) / 10, CONFIDENCE)[0])


@given(values=st.lists(st.floats(-1, 1), min_size=1, max_size=9), by=st.floats(-1, 1))
def test_the_estimate_moves_with_the_values(values: list[float], by: float) -> None:
    ratios = np.array(values)
    assert rule.estimate(ratios + by) == pytest.approx(rule.estimate(ratios) + by)
    assert rule.estimate(-ratios) == pytest.approx(-rule.estimate(ratios))


def test_a_wild_pair_does_not_move_the_estimate_far() -> None:
    assert rule.estimate(np.array([0.01, 0.02, 0.01, 0.02, 9.0])) < 0.05


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
        ([0.04, 0.01, 0.03], [0.06, 0.03, 0.06]),
        ([0.6, 0.7], [1.0, 1.0]),
    ],
)
def test_holm(given_p: list[float], corrected: list[float]) -> None:
    assert rule.holm(given_p) == pytest.approx(corrected)


@given(p_values=st.lists(st.floats(0, 1), max_size=6))
def test_holm_keeps_the_order_and_never_lowers(p_values: list[float]) -> None:
    corrected = rule.holm(p_values)
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
def test_the_fewest_pairs_that_can_prove_anything(metrics: int, pairs: int) -> None:
    """One fewer, and even pairs that all point the same way do not."""

    def proves(count: int) -> bool:
        quiet = 1.0 + np.arange(count) / 1000
        decided = rule.decide_together([(quiet, MARGIN)] * metrics)
        return all(each.decision is Decision.REGRESSION for each in decided)

    assert rule.fewest_pairs(metrics) == pairs
    assert proves(pairs)
    assert not proves(pairs - 1)


def test_metrics_are_decided_together() -> None:
    """Five pairs alike have p 1/32 each; two such metrics together prove nothing."""
    worse = 0.2 + np.arange(5) / 1000
    assert [each.decision for each in rule.decide_together([(worse, MARGIN)])] == [
        Decision.REGRESSION
    ]
    both = rule.decide_together([(worse, MARGIN), (worse, MARGIN)])
    assert [each.change.p_worse for each in both] == pytest.approx([1 / 16, 1 / 16])
    assert {each.decision for each in both} == {Decision.INCONCLUSIVE}
    better = rule.decide_together([(-worse, MARGIN), (-worse, MARGIN)])
    assert Decision.IMPROVEMENT not in {each.decision for each in better}


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

"""A pair is void where its canaries disagree, and for no other reason."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis import compare, metric_values, voids
from bench.analysis.compare import Criteria, Pair
from bench.analysis.rule import Decision
from bench.analysis.voids import LEAST_S, MOST_APART
from bench.measure.canary import Canaries, Canary
from bench.records.run_record import RunRecord
from tests.analysis import test_compare
from tests.measure.test_canary import canary

ROUNDS = 200


def whole(seconds: float = 0.5, **factors: float) -> Canary:
    """A canary whose fastest times are the usual ones times a factor each."""
    return msgspec.structs.replace(canary(**factors), took_s=seconds, rounds=ROUNDS)


def slowed(factor: float) -> Canary:
    """A canary that made fewer rounds in its time."""
    return msgspec.structs.replace(whole(), rounds=round(ROUNDS / factor))


def watched(record: RunRecord, before: Canary, after: Canary | None) -> RunRecord:
    return msgspec.structs.replace(record, canary=Canaries(before, after))


def pair(*canaries: Canary) -> Pair:
    """Two runs of equal figures with these canaries, in the order of time."""
    first, second = test_compare.run(0), test_compare.run(1)
    return watched(first, *canaries[:2]), watched(second, *canaries[2:])


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("work", ["spin", "memory", "loopback"])
def test_each_canary_of_a_pair_counts(work: str, place: int) -> None:
    within, beyond = 1 + 0.9 * MOST_APART[work], 1 + 1.1 * MOST_APART[work]
    for factor, is_void in ((within, False), (beyond, True)):
        canaries = [whole() for _ in range(4)]
        canaries[place] = whole(**{work: factor})
        found = voids.disagreement(*pair(*canaries))
        assert (found is not None) == is_void
    assert found is not None
    assert found.work == work
    moment, run = ("before", "after")[place % 2], ("first", "second")[place // 2]
    assert found.slowest == f"{moment} the {run} run"
    assert found.share == pytest.approx(1.1 * MOST_APART[work])


def test_a_canary_that_hardly_got_to_run_makes_a_pair_void() -> None:
    """Its fastest times are as usual: something else had the core most of the time."""
    slow = slowed(1 + 1.1 * MOST_APART["round"])
    found = voids.disagreement(*pair(whole(), whole(), slow, whole()))
    assert found is not None
    assert (found.work, found.slowest) == ("round", "before the second run")
    busy = slowed(1 + 0.9 * MOST_APART["round"])
    assert voids.disagreement(*pair(whole(), whole(), busy, whole())) is None


def test_the_candidate_may_have_run_first() -> None:
    one, other = pair(whole(), whole(), whole(spin=3.0), whole())
    assert voids.disagreement(other, one) == voids.disagreement(one, other)


def test_what_disagrees_by_more_is_told() -> None:
    apart = voids.disagreement(*pair(whole(), whole(spin=2.0), whole(loopback=9.0), whole()))
    assert apart is not None
    assert (apart.work, apart.slowest) == ("loopback", "before the second run")


def test_short_and_missing_canaries_and_earlier_records_make_no_pair_void() -> None:
    short = whole(0.9 * LEAST_S, spin=9.0)
    assert voids.disagreement(*pair(whole(), short, short, whole())) is None
    base, candidate = test_compare.run(0), test_compare.run(1)
    assert base.canary is None
    assert voids.disagreement(base, watched(candidate, whole(), whole(spin=9.0))) is not None
    assert voids.disagreement(base, watched(candidate, whole(), None)) is None
    assert voids.disagreement(base, candidate) is None


@given(st.floats(0.1, 10.0), st.floats(0.1, 10.0), st.booleans())
def test_the_figures_that_are_compared_have_no_part_in_it(
    base: float, candidate: float, is_apart: bool
) -> None:
    second = whole(spin=2.0) if is_apart else whole()
    found = voids.disagreement(
        watched(test_compare.run(0, base), whole(), whole()),
        watched(test_compare.run(1, candidate), second, whole()),
    )
    assert (found is not None) == is_apart


def _with_void(count: int) -> list[Pair]:
    """Eight pairs of equal arms, and so many whose candidate is half as long again, on a machine
    that became slower."""
    base, candidate = test_compare.pairs(0.0)
    slow_base, slow = test_compare.pairs(0.5)
    fine = zip(base, candidate, strict=True)
    disturbed = list(zip(slow_base, slow, strict=True))[:count]
    return [
        *((watched(a, whole(), whole()), watched(b, whole(), whole())) for a, b in fine),
        *(
            (watched(a, whole(), whole()), watched(b, whole(), whole(spin=2.0)))
            for a, b in disturbed
        ),
    ]


def test_void_pairs_are_left_out_of_figures_and_noise_only_where_they_are_asked_to() -> None:
    gated = metric_values.gated_by_default(test_compare.EXAMPLE.scenario)
    made = _with_void(3)
    without = compare.compare(made, Criteria(gated, voids=True))
    assert (without.pairs, without.void, without.left_out) == (8, 3, 0)
    assert without.decision is Decision.NO_WORSE
    whole_job = compare.compare(made, Criteria(gated))
    assert (whole_job.pairs, whole_job.void) == (11, 0)
    floors = [compare.noise_floors(made, gated, 10, each)["e2e.p99"] for each in (True, False)]
    assert floors[0] < floors[1] / 2


def test_lost_tasks_count_in_void_pairs_too() -> None:
    base, candidate = _with_void(1)[-1]
    counts = msgspec.structs.replace(candidate.counts, lost=3)
    lossy = (base, msgspec.structs.replace(candidate, counts=counts))
    gated = metric_values.gated_by_default(base.scenario)
    found = compare.compare([*_with_void(0), lossy], Criteria(gated, voids=True))
    assert found.void == 1
    assert found.decision is Decision.REGRESSION


def test_without_any_pair_to_compare_a_job_is_inconclusive_and_says_how_many_it_needs() -> None:
    gated = metric_values.gated_by_default(test_compare.EXAMPLE.scenario)
    found = compare.compare(_with_void(3)[8:], Criteria(gated, voids=True))
    assert (found.pairs, found.void, found.decision) == (0, 3, Decision.INCONCLUSIVE)
    assert all(row.pairs_needed == 6 for row in found.rows if row.is_gated)

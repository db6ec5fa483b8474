"""Two canaries disagree where the machine has changed, and only there."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.measure.canary import LEAST_ROUNDS, MOST_APART, Canary, Timing, changes, disagreement

USUAL = {"spin": 1e-3, "memory": 5e-4, "loopback": 8e-6}


def canary(median: float = 1.0, **factors: float) -> Canary:
    """A canary whose fastest times are the usual ones times a factor each."""
    timings = {
        kind: Timing(usual * factors.get(kind, 1.0), usual * factors.get(kind, 1.0) * median)
        for kind, usual in USUAL.items()
    }
    return Canary(**timings, rounds=LEAST_ROUNDS, took_s=0.5)


@pytest.mark.parametrize("kind", USUAL)
def test_one_kind_of_work_that_takes_longer_is_enough(kind: str) -> None:
    within, beyond = 1 + 0.9 * MOST_APART[kind], 1 + 1.1 * MOST_APART[kind]
    assert disagreement(canary(), canary(**{kind: within})) == []
    (found,) = disagreement(canary(), canary(**{kind: beyond}))
    assert found.kind == kind
    assert found.share == pytest.approx(beyond - 1)
    (found,) = disagreement(canary(**{kind: beyond}), canary())
    assert found.share < 0


def test_a_busy_moment_that_spares_one_round_is_no_change() -> None:
    """Medians that are many times as long do not count: other programs do that to them."""
    assert disagreement(canary(), canary(median=20.0)) == []


@given(st.dictionaries(st.sampled_from(list(USUAL)), st.floats(0.25, 4.0)))
def test_it_does_not_depend_on_which_came_first(factors: dict[str, float]) -> None:
    one, other = canary(), canary(**factors)
    assert [each.kind for each in disagreement(one, other)] == [
        each.kind for each in disagreement(other, one)
    ]
    assert disagreement(one, one) == []


def test_a_change_is_a_share_of_the_first_time() -> None:
    shares = {each.kind: each.share for each in changes(canary(), canary(spin=2.0, memory=0.5))}
    assert shares == pytest.approx({"spin": 1.0, "memory": -0.5, "loopback": 0.0})
    nothing = msgspec.structs.replace(canary(), spin=Timing(0.0, 0.0))
    assert changes(nothing, canary())[0].share == 0.0


def test_canaries_that_are_too_short_to_tell_do_not_disagree() -> None:
    short = msgspec.structs.replace(canary(spin=3.0), rounds=LEAST_ROUNDS - 1)
    assert disagreement(canary(), short) == disagreement(short, canary()) == []

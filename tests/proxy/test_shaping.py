"""When bytes leave a network: as much later as was asked, and never out of order."""

import statistics
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.proxy.shaping import Shaper
from bench.workload.faults import Network

ENTERED_S = 100.0


def shaper(network: Network, own_cost_s: float = 0.0) -> Shaper:
    return Shaper(network, own_cost_s, Random(7))


def leaving(shaped: Shaper, count: int, now_s: float = ENTERED_S) -> list[tuple[float, int]]:
    return list(shaped.leaving(now_s, count))


NETWORKS = st.builds(
    Network,
    round_trip_s=st.floats(0, 0.5),
    jitter_s=st.floats(0, 0.5),
    bytes_per_s=st.none() | st.floats(100, 1e9),
)


@given(
    st.lists(st.tuples(NETWORKS, st.floats(0, 0.1), st.integers(0, 100_000)), min_size=1),
    st.floats(0, 0.001),
)
def test_bytes_never_overtake_nor_leave_before_they_entered_and_none_is_lost(
    steps: list[tuple[Network, float, int]], own_cost_s: float
) -> None:
    """Whatever the network becomes in between."""
    shaped, now_s, last_s = shaper(steps[0][0]), ENTERED_S, 0.0
    for network, pause_s, count in steps:
        shaped.change(network, own_cost_s)
        now_s += pause_s
        pieces = leaving(shaped, count, now_s)
        assert sum(size for _, size in pieces) == count
        for leaves_s, _ in pieces:
            assert leaves_s >= max(now_s, last_s)
            last_s = leaves_s


def test_each_direction_is_delayed_by_half_of_the_round_trip() -> None:
    assert leaving(shaper(Network(round_trip_s=0.010)), 5) == [(ENTERED_S + 0.005, 5)]


def test_what_the_proxy_costs_itself_is_part_of_the_delay() -> None:
    costly = shaper(Network(round_trip_s=0.010), own_cost_s=0.002)
    assert leaving(costly, 5)[0][0] == pytest.approx(ENTERED_S + 0.004)
    assert leaving(shaper(Network(round_trip_s=0.001), own_cost_s=0.002), 5) == [(ENTERED_S, 5)]


def test_jitter_is_evenly_distributed_around_the_delay() -> None:
    network = Network(round_trip_s=0.010, jitter_s=0.004)
    shaped = shaper(network)
    late_s = [leaving(shaped, 1, now_s=float(at))[0][0] - at for at in range(4000)]
    assert 0.003 <= min(late_s) < 0.0031
    assert 0.0069 < max(late_s) <= 0.0070001
    quarters = statistics.quantiles(late_s, n=4)
    assert quarters == pytest.approx([0.004, 0.005, 0.006], abs=0.0002)


def test_the_bandwidth_says_when_the_last_byte_leaves() -> None:
    """And a later byte waits for its turn."""
    shaped = shaper(Network(bytes_per_s=1e6, round_trip_s=0.020))
    pieces = leaving(shaped, 50_000)
    assert pieces[-1][0] == pytest.approx(ENTERED_S + 0.050 + 0.010)
    assert max(size for _, size in pieces) <= 1448
    assert leaving(shaped, 1000, ENTERED_S + 0.001)[-1][0] == pytest.approx(ENTERED_S + 0.061)


def test_a_connection_takes_a_round_trip_to_be_opened() -> None:
    shaped = shaper(Network(round_trip_s=0.010))
    shaped.open(ENTERED_S)
    assert leaving(shaped, 1)[0][0] == pytest.approx(ENTERED_S + 0.015)
    direct = shaper(Network())
    direct.open(ENTERED_S)
    assert direct.passes_at_once
    assert leaving(direct, 1) == [(ENTERED_S, 1)]


@pytest.mark.parametrize(
    "network", [Network(), Network(round_trip_s=10.0), Network(bytes_per_s=1e12, round_trip_s=10.0)]
)
def test_what_a_connection_holds_has_a_bound(network: Network) -> None:
    assert shaper(network).most_held_bytes <= 4 << 20

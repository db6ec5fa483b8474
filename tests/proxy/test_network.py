"""What is told of a network: medians, and how far off they may be."""

import pytest

from bench.measure.network import NetworkUse, RoundTrips
from bench.workload.faults import Network


def test_round_trips_are_summarised() -> None:
    trips = RoundTrips.of([0.003, 0.001, 0.002, 0.005, 0.004])
    assert (trips.count, trips.p50_s, trips.p99_s) == (5, 0.003, 0.005)
    assert trips.p50_error_s == pytest.approx(1.57 * 0.002 / 5**0.5)
    assert RoundTrips.of([0.001]).p50_error_s == 0.0


def test_what_is_added_is_the_difference_of_the_medians() -> None:
    direct = RoundTrips.of([0.001, 0.001, 0.001])
    use = NetworkUse(asked=Network(), direct=direct, through=RoundTrips.of([0.003] * 9))
    assert use.added_s == pytest.approx(0.002)
    assert use.added_error_s == 0.0


def test_what_was_not_measured_is_not_told() -> None:
    use = NetworkUse(asked=Network(is_black_hole=True))
    assert use.added_s is None
    assert use.added_error_s is None

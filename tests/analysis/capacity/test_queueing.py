"""The queue's formulas, against a published table, a simulation, and a conservation law."""

import heapq
import math
from collections.abc import Callable

import ciw
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

from bench.analysis.capacity.queueing import (
    Queue,
    ServiceTimes,
    erlang_c,
    priority_waits_s,
    service_of,
)
from bench.arrays import Floats
from bench.measure.histogram import Histogram

EXPONENTIAL = ServiceTimes(
    -0.002 * np.log1p(-(np.arange(4000) + 0.5) / 4000), np.full(4000, 1 / 4000)
)
SIMULATED_S = 30.0
CONSTANT = ServiceTimes(np.array([0.002]), np.array([1.0]))


@pytest.mark.parametrize(
    ("servers", "chance"),
    [
        (1, 0.0),
        (2, 0.3333),
        (3, 0.4444),
        (4, 0.5094),
        (5, 0.5541),
        (6, 0.5875),
        (7, 0.6138),
        (8, 0.6353),
        (9, 0.6533),
        (10, 0.6687),
    ],
)
def test_erlang_c_against_the_published_table(servers: int, chance: float) -> None:
    """Of servers one more than the erlangs offered (Cooper, "Introduction to Queueing Theory")."""
    assert erlang_c(servers, servers - 1) == pytest.approx(chance, abs=5e-5)


@pytest.mark.parametrize(("servers", "offered", "chance"), [(1, 0.5, 0.5), (2, 1.0, 1 / 3)])
def test_erlang_c_in_closed_form(servers: int, offered: float, chance: float) -> None:
    assert erlang_c(servers, offered) == pytest.approx(chance)


def test_erlang_c_of_an_overload_is_certain_and_of_many_servers_finite() -> None:
    assert erlang_c(3, 3.0) == 1.0
    assert 0 < erlang_c(10_000, 9_900.0) < 1


@pytest.mark.parametrize("percent", [1.0, 50.0, 99.0, 99.9])
@pytest.mark.parametrize(("servers", "rate_per_s"), [(1, 250.0), (1, 499.0), (4, 1500.0)])
def test_a_percentile_is_where_scipy_finds_it(
    percent: float, servers: int, rate_per_s: float
) -> None:
    queue = Queue(servers, rate_per_s, EXPONENTIAL, floor_s=0.0001)
    expected = brentq(lambda s: queue.exceeds(s) - (1 - percent / 100), 0.0, 100.0, xtol=1e-12)
    assert queue.percentile_s(percent) == pytest.approx(expected, abs=2e-9)


def test_one_exponential_server_in_closed_form() -> None:
    """M/M/1: the time in the system is exponential with rate μ - λ."""
    queue = Queue(1, 400.0, EXPONENTIAL)
    assert queue.utilisation == pytest.approx(0.8, rel=0.01)
    assert queue.mean_wait_s == pytest.approx(0.8 / 100, rel=0.02)
    assert queue.percentile_s(99) == pytest.approx(math.log(100) / 100, rel=0.05)


def test_constant_service_waits_half_as_long() -> None:
    """M/D/1, by Pollaczek and Khinchine."""
    random, clockwork = Queue(1, 400.0, EXPONENTIAL), Queue(1, 400.0, CONSTANT)
    assert clockwork.mean_wait_s == pytest.approx(random.mean_wait_s / 2, rel=0.02)


def by_ciw(servers: int, rate: float) -> Floats:
    """How long tasks take (seconds) over half a minute, as Ciw simulates it."""
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(rate)],
        service_distributions=[ciw.dists.Exponential(500.0)],
        number_of_servers=[servers],
    )
    ciw.seed(3)
    simulation = ciw.Simulation(network)
    simulation.simulate_until_max_time(SIMULATED_S)
    return np.array(
        [each.waiting_time + each.service_time for each in simulation.get_all_records()]
    )


def by_hand(servers: int, rate: float) -> Floats:
    """How long tasks take (seconds) over half a minute: each goes to the server that is free
    first."""
    generator = np.random.default_rng(3)
    count = int(SIMULATED_S * rate)
    arrivals_s = np.cumsum(generator.exponential(1 / rate, count)).tolist()
    free_s = [0.0] * servers
    took_s = []
    for arrived_s, service_s in zip(arrivals_s, generator.exponential(0.002, count), strict=True):
        done_s = max(arrived_s, free_s[0]) + service_s
        heapq.heapreplace(free_s, done_s)
        took_s.append(done_s - arrived_s)
    return np.array(took_s)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("servers", "rate", "simulated"),
    [
        (2, 700.0, by_ciw),
        (2, 700.0, by_hand),
        (4, 1600.0, by_hand),
        (8, 3600.0, by_hand),
    ],
)
def test_the_percentiles_are_those_of_a_simulation(
    servers: int, rate: float, simulated: Callable[[int, float], Floats]
) -> None:
    """M/M/c at 70, 80 and 90%."""
    took_s = simulated(servers, rate)[2000:]
    queue = Queue(servers, rate, EXPONENTIAL)
    assert queue.percentile_s(50) == pytest.approx(float(np.percentile(took_s, 50)), rel=0.10)
    assert queue.percentile_s(99) == pytest.approx(float(np.percentile(took_s, 99)), rel=0.15)


@given(
    servers=st.integers(1, 20),
    load=st.floats(0.05, 0.95),
    weights=st.lists(st.floats(0.1, 10), min_size=1, max_size=5),
)
def test_priorities_conserve_the_mean_wait(servers: int, load: float, weights: list[float]) -> None:
    """Kleinrock: what the first gain, the others lose, weighted by their shares of the work."""
    queue = Queue(servers, load * servers / EXPONENTIAL.mean_s, EXPONENTIAL)
    shares = [weight / sum(weights) for weight in weights]
    waits = priority_waits_s(queue, shares)
    together = sum(share * wait for share, wait in zip(shares, waits, strict=True))
    assert together == pytest.approx(queue.mean_wait_s, rel=1e-6)
    assert waits == sorted(waits)


def test_an_overload_keeps_only_the_lowest_waiting_for_good() -> None:
    queue = Queue(1, 1.5 / EXPONENTIAL.mean_s, EXPONENTIAL)
    high, low = priority_waits_s(queue, [0.5, 0.5])
    assert math.isfinite(high)
    assert low == math.inf
    assert queue.percentile_s(50) == math.inf


def test_the_service_is_that_of_the_histogram() -> None:
    histogram = Histogram()
    histogram.record(1000, 3)
    histogram.record(9000, 1)
    service = service_of(histogram)
    assert service.mean_s == pytest.approx(0.003, rel=1e-3)
    assert service.variation == pytest.approx((3 * 1 + 81) / 4 / 9 - 1, rel=1e-2)
    assert service.scaled_to(0.006).mean_s == pytest.approx(0.006)
    assert service.scaled_to(0.006).variation == pytest.approx(service.variation)
    with pytest.raises(ValueError, match="no service times"):
        service_of(Histogram())

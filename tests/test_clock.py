"""The run's time line, and how a host finds its place on it."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.clock import Clock, FakeClock, RunClock, Sample, estimate_offset, host_identity

MICROSECONDS = st.integers(min_value=0, max_value=10**16)
TRIPS = st.integers(min_value=0, max_value=10**6)


@pytest.mark.parametrize("offset_us", [0, 1, -1, 1_700_000_000_000_000])
def test_the_run_clock_is_the_monotonic_clock_plus_its_offset(offset_us: int) -> None:
    before_us = time.monotonic_ns() // 1000
    now_us = RunClock(offset_us).now_us()
    after_us = time.monotonic_ns() // 1000
    assert before_us + offset_us <= now_us <= after_us + offset_us


def test_the_run_clock_never_goes_backwards() -> None:
    clock = RunClock(5)
    readings = [clock.now_us() for _ in range(1000)]
    assert readings == sorted(readings)


def test_the_fake_clock_moves_only_when_told() -> None:
    fake = FakeClock(10)
    clock: Clock = fake
    assert [clock.now_us(), clock.now_us()] == [10, 10]
    fake.advance(5)
    assert clock.now_us() == 15


@pytest.mark.parametrize(
    ("samples", "offset_us", "error_us"),
    [
        ([Sample(100, 1000, 100)], 900, 0.5),
        ([Sample(100, 1000, 101)], 900, 1.0),
        ([Sample(100, 1000, 110)], 895, 5.5),
        ([Sample(100, 1000, 300), Sample(400, 1310, 410)], 905, 5.5),
        ([Sample(400, 1310, 410), Sample(100, 1000, 300)], 905, 5.5),
        ([Sample(5000, 100, 5002)], -4901, 1.5),
    ],
)
def test_the_offset_comes_from_the_midpoint_of_the_shortest_round_trip(
    samples: list[Sample], offset_us: int, error_us: float
) -> None:
    estimate = estimate_offset(iter(samples))
    assert (estimate.offset_us, estimate.error_us) == (offset_us, error_us)


@given(
    offset_us=st.integers(min_value=-(10**16), max_value=10**16),
    trips=st.lists(st.tuples(MICROSECONDS, TRIPS, TRIPS), min_size=1, max_size=20),
)
def test_the_offset_is_off_by_no_more_than_its_error(
    offset_us: int, trips: list[tuple[int, int, int]]
) -> None:
    """However the round trip splits into there and back: half of it, and half a microsecond."""
    samples = [
        Sample(before_us, before_us + there + offset_us, before_us + there + back)
        for before_us, there, back in trips
    ]
    estimate = estimate_offset(samples)
    assert abs(estimate.offset_us - offset_us) <= estimate.error_us
    assert estimate.error_us == (min(there + back for _, there, back in trips) + 1) / 2


def test_two_processes_of_one_host_have_one_identity() -> None:
    program = "from bench.clock import host_identity; print(host_identity())"
    other = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert other.stdout.strip() == host_identity()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux names its boot")
def test_a_linux_host_has_an_identity() -> None:
    assert host_identity() != ""


def test_processes_in_different_time_namespaces_are_not_on_one_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The monotonic clock of a time namespace may be shifted, while the boot id is the same."""
    namespaces = iter(["time:[1]", "time:[1]", "time:[2]"])
    monkeypatch.setattr(Path, "readlink", lambda _: next(namespaces))
    same, also, other = host_identity(), host_identity(), host_identity()
    assert same == also != other

"""The distribution of sampled payload sizes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.survey.sizes import size_origin, size_written
from bench.workload.distribution import Distribution
from bench.workload.payload import MAX_SIZE, MIN_SIZE
from bench.workload.quantities import PAYLOAD_SIZE


@pytest.mark.parametrize(
    ("sizes", "written"),
    [
        ([300, 300, 300], "300B"),
        ([2, 2], f"{MIN_SIZE}B"),
        ([1000, 1001, 999], "1000B"),
        ([100, 10_000], "lognormal:5050B,2.3"),
        ([MAX_SIZE * 2], f"{MAX_SIZE}B"),
    ],
)
def test_equal_sizes_are_a_constant_and_others_lognormal(sizes: list[int], written: str) -> None:
    assert size_written(sizes) == written


@given(st.lists(st.integers(0, 2 * MAX_SIZE), min_size=1, max_size=50))
def test_every_sample_is_a_size_that_a_scenario_may_have_and_keeps_its_mean(
    sizes: list[int],
) -> None:
    mean = min(max(sum(sizes) / len(sizes), MIN_SIZE), MAX_SIZE)
    read = PAYLOAD_SIZE.read(size_written(sizes))
    assert isinstance(read, Distribution)
    assert read.mean == pytest.approx(mean, abs=0.5)


def test_the_origin_says_how_many_and_how_large() -> None:
    assert size_origin([100] * 99 + [5_000]) == (
        "sampled: 100 tasks, p50 100 B, p99 100 B, largest 5.00 kB"
    )

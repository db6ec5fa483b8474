"""Which levels a sweep has: lists, ranges, combinations, and what is refused."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import UsageError
from bench.workload.fields import FIELDS
from bench.workload.sweep_levels import (
    combinations,
    parse_levels,
    parse_rates,
    require_distinct,
    spaced,
)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("rate=1000/s..4000/s/4", ("1000/s", "2000/s", "3000/s", "4000/s")),
        ("rate=1000..20000/s/3", ("1000/s", "10500/s", "20000/s")),
        ("rate=600/min,20/s", ("600/min", "20/s")),
        ("prefetch=1, 8,64", ("1", "8", "64")),
        ("concurrency=1..16/4", ("1", "6", "11", "16")),
        ("payload-size=100B,10kB", ("100B", "10kB")),
        ("--payload_size=100B,10kB", ("100B", "10kB")),
        ("service_time=lognormal:2ms,1;exp:2ms", ("lognormal:2ms,1", "exp:2ms")),
        ("queues=a_b=1,a_c=2;a_b=2,a_c=1", ("a_b=1,a_c=2", "a_b=2,a_c=1")),
        ("stages=1s@100/s..200/s;2s@100/s", ("1s@100/s..200/s", "2s@100/s")),
        ("duplicate_check=true,false", ("true", "false")),
    ],
)
def test_a_field_has_the_values_of_a_list_or_a_range(text: str, values: tuple[str, ...]) -> None:
    swept = parse_levels(text)
    assert swept.values == values
    assert swept.field is FIELDS[swept.name]
    for value in swept.values:
        swept.field.read(swept.written(value))


def test_a_geometric_range_has_equal_ratios() -> None:
    assert parse_levels("rate=100/s..1600/s/5", "geometric").values == (
        *("100/s", "200/s", "400/s", "800/s", "1600/s"),
    )
    assert parse_levels("prefetch=1..64/4", "geometric").values == ("1", "4", "16", "64")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prefetch", "'prefetch' gives no values: write for example --levels prefetch=1,8,64"),
        ("prefetch= ", "gives no values"),
        ("prefetsh=1,2", "there is no field 'prefetsh': did you mean 'prefetch'?"),
        ("prefetch=1,x", "prefetch: expected a whole number, got 'x'"),
        ("prefetch=0,1", "prefetch: 0 is out of range"),
        ("prefetch=1,8,1", "prefetch: 1 and 1 are the same; give it once"),
        ("rate=1000/s,1k/s", "rate: 1000/s and 1k/s are the same"),
        ("rate=1000/s..2000/s", "does not say how many values: write for example 1000/s..20000/s"),
        ("rate=2000/s..1000/s/3", "rate: a range goes from a lower value to a higher one"),
        ("rate=1000/s..2000/s/1", "rate: a range has from 2 to 100 values, not 1"),
        ("rate=1000/s..2000/s/101", "rate: a range has from 2 to 100 values, not 101"),
        ("rate=x..2000/s/3", "rate: 'x' is not a rate"),
        ("rate=max,1000/s", "rate: max is a closed loop, which offers no rate"),
        ("prefetch=1..4/9", "prefetch: '1..4/9' has only 4 whole numbers; ask for fewer"),
        ("payload_size=100B..1kB/3", "payload_size: a range is for rates and whole numbers"),
        ("seed=1,2", "seed: --repeat draws each repetition by another one"),
        ("slo=lost == 0", "slo: objectives are the same for all levels"),
        ("faults=1s kill worker", "faults: a sweep shows latency when nothing disturbs it"),
        (f"prefetch={','.join(map(str, range(1, 102)))}", "prefetch has 101 values; 100 are the"),
    ],
)
def test_what_is_no_level_is_refused_with_its_cure(text: str, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_levels(text)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("text", ["1000/s", "max", "5k/s"])
def test_a_single_rate_is_no_level(text: str) -> None:
    assert parse_rates(text) is None


def test_the_values_of_the_last_field_change_first() -> None:
    swept = [parse_levels("prefetch=1,8"), parse_levels("rate=10/s,20/s")]
    assert combinations(swept) == [
        {"prefetch": "1", "rate": "10/s"},
        {"prefetch": "1", "rate": "20/s"},
        {"prefetch": "8", "rate": "10/s"},
        {"prefetch": "8", "rate": "20/s"},
    ]
    with pytest.raises(UsageError, match="the levels of rate are given twice"):
        require_distinct([*swept, swept[1]])


@given(
    low=st.floats(1e-3, 1e6),
    ratio=st.floats(1.0001, 1e4),
    count=st.integers(2, 100),
    spacing=st.sampled_from(["linear", "geometric"]),
)
def test_a_range_keeps_its_ends_and_ascends(
    low: float, ratio: float, count: int, spacing: str
) -> None:
    high = low * ratio
    numbers = spaced(low, high, count, spacing)  # type: ignore[arg-type]
    assert (numbers[0], numbers[-1], len(numbers)) == (low, high, count)
    assert all(lower < higher for lower, higher in pairwise(numbers))
    shares = [index / (count - 1) for index in range(count)]
    if spacing == "geometric":
        exact = [low * ratio**share for share in shares]
    else:
        exact = [low + (high - low) * share for share in shares]
    assert all(abs(each / true - 1) <= 0.005 for each, true in zip(numbers, exact, strict=True))

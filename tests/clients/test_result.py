"""The one line that a program prints: what is read from it, and what is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.clients.result import ClientResult, LatencyBuckets, decode, encode, highest_equivalent
from bench.measure import histogram

GOOD: dict[str, object] = {
    "client": "go-seed",
    "tasks": 5,
    "elapsed_s": 0.5,
    "cpu_s": 0.25,
    "latency_us": [[0, 1], [2047, 2], [2049, 1], [4_099, 1]],
}


def written(**changes: object) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


def test_a_good_line_is_read_into_a_histogram() -> None:
    line = decode(written(), "go-seed", 5)
    assert (line.elapsed_s, line.cpu_s) == (0.5, 0.25)
    counted = line.histogram()
    assert (counted.count, counted.min_us, counted.max_us) == (5, 0, 4099)
    assert counted.percentile_us(50) == 2047


def test_what_else_a_program_or_its_interpreter_prints_is_passed_over() -> None:
    assert decode(b"sitecustomize\n" + written() + b"\nbye\n", "go-seed", 5).tasks == 5


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (b"", "printed 0 result lines"),
        (b"connected\n", "printed 0 result lines"),
        (written() + b"\n" + written(), "printed 2 result lines"),
        (written()[:-1], "cannot be read"),
        (b"{}", "cannot be read"),
        (b"{\xff}", "cannot be read"),
        (written(client="go-pipelined"), "5 tasks of go-pipelined"),
        (written(tasks=4), "4 tasks of go-seed"),
        (written(tasks="5"), "$.tasks"),
        (written(tasks=0), "$.tasks"),
        (written(elapsed_s=0), "$.elapsed_s"),
        (written(elapsed_s=None), "$.elapsed_s"),
        (written(cpu_s=-0.1), "$.cpu_s"),
        (written(latency_us=[[1, 4]]), "4 latencies for 5 tasks"),
        (written(latency_us=[[1, 5, 6]]), "$.latency_us[0]"),
        (written(latency_us=[[-1, 5]]), "$.latency_us[0][0]"),
        (written(latency_us=[[1.5, 5]]), "$.latency_us[0][0]"),
        (written(latency_us=[[1, 5], [2, 0]]), "$.latency_us[1][1]"),
        (written(latency_us=[[2048, 5]]), "2048 µs, which ends no bucket"),
        (written(warmup_s=1), "warmup_s"),
        (json.dumps({key: GOOD[key] for key in GOOD if key != "cpu_s"}).encode(), "cpu_s"),
    ],
)
def test_anything_else_is_refused_with_what_is_wrong(text: bytes, part: str) -> None:
    with pytest.raises(ValueError, match=r"^its? ") as refused:
        decode(text, "go-seed", 5)
    assert part in str(refused.value)


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (0, 0),
        (1, 1),
        (2047, 2047),
        (2048, 2049),
        (2049, 2049),
        (4095, 4095),
        (4096, 4099),
        (1_000_000, 1_000_447),
        (3_600_000_000, 3_600_809_983),
    ],
)
def test_a_value_is_kept_to_its_eleven_highest_bits(value: int, kept: int) -> None:
    assert highest_equivalent(value) == kept


@given(st.integers(0, 2**53))
def test_a_kept_value_is_never_too_small_and_less_than_a_thousandth_too_large(value: int) -> None:
    kept = highest_equivalent(value)
    assert value <= kept <= value * 1.001
    assert highest_equivalent(kept) == kept


@given(st.integers(0, histogram.HIGHEST_US))
def test_it_is_the_value_that_the_histogram_counts_in_the_same_place(value: int) -> None:
    counted = histogram.Histogram()
    counted.record(value)
    index = counted.filled().start
    assert highest_equivalent(value) == histogram.highest_equivalent(index or 0)


@given(st.lists(st.integers(0, 10**13), min_size=1, max_size=50))
def test_what_was_counted_comes_back_from_the_line(nanoseconds: list[int]) -> None:
    latencies = LatencyBuckets()
    for each in nanoseconds:
        latencies.record(each)
    line = ClientResult(
        client="bench",
        tasks=len(nanoseconds),
        elapsed_s=1.0,
        cpu_s=0.0,
        latency_us=latencies.pairs(),
    )
    read = decode(encode(line), "bench", len(nanoseconds))
    assert read == line
    counted = read.histogram()
    assert counted.count == len(nanoseconds)
    assert counted.max_us * 1000 >= max(nanoseconds)

"""Histograms against the reference implementation, and against a sorted list."""

import gc
import math
import mmap
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given
from hypothesis import strategies as st

from bench.measure import histogram
from bench.measure.histogram import HIGHEST_US, Histogram, decode, merged, unpack

VECTOR_FROM = histogram._VECTOR_FROM
EDGES = [0, 1, 2, HIGHEST_US - 1, HIGHEST_US] + [
    (1 << bits) + offset for bits in range(10, 32) for offset in (-1, 0, 1)
]
IN_RANGE = (
    st.integers(0, 5000)
    | st.integers(0, HIGHEST_US)
    | st.sampled_from([edge for edge in EDGES if edge <= HIGHEST_US])
)
ANY = IN_RANGE | st.integers(-(10**9), -1) | st.integers(HIGHEST_US + 1, 10**13)
SIZES = (0, 1, VECTOR_FROM - 1, VECTOR_FROM, VECTOR_FROM + 1, 3 * VECTOR_FROM)
PERCENTS = ("0.001", "1", "10", "50", "90", "95", "99", "99.9", "99.99", "100")


def lists(values: st.SearchStrategy[int]) -> st.SearchStrategy[list[int]]:
    """Lists on both sides of the length from which on vectors are used."""
    return st.sampled_from(SIZES).flatmap(lambda size: st.lists(values, min_size=size, max_size=80))


def of(values: Sequence[int]) -> Histogram:
    made = Histogram()
    made.record_many(np.array(values, np.int64))
    return made


def reference(values: Sequence[int]) -> HdrHistogram:
    made = HdrHistogram(1, HIGHEST_US, histogram.SIGNIFICANT_DIGITS)
    for value in values:
        assert made.record_value(value)
    return made


def counts_of(theirs: HdrHistogram) -> list[int]:
    return [int(count) for count in theirs.counts][: histogram._LENGTH]


def everything(each: Histogram) -> dict[str, object]:
    """All that a histogram holds."""
    public = [name for name in Histogram.__slots__ if not name.startswith("_")]
    slots = {name: getattr(each, name) for name in public}
    return {**slots, "counts": each.counts.tolist()}


def nearest_rank(values: Sequence[int], percent: str) -> int:
    rank = math.ceil(Fraction(percent) * len(values) / 100)
    return sorted(values)[max(rank, 1) - 1]


@given(lists(IN_RANGE))
def test_values_in_range_are_counted_where_the_reference_counts_them(values: list[int]) -> None:
    assert of(values).counts.tolist() == counts_of(reference(values))


@given(st.lists(st.tuples(IN_RANGE, st.integers(1, 10**6)), max_size=20))
def test_a_value_counted_many_times_is_counted_where_the_reference_counts_it(
    values: list[tuple[int, int]],
) -> None:
    ours, theirs = Histogram(), HdrHistogram(1, HIGHEST_US, histogram.SIGNIFICANT_DIGITS)
    for value, count in values:
        ours.record(value, count)
        theirs.record_value(value, count)
    assert ours.counts.tolist() == counts_of(theirs)
    assert ours.count == sum(count for _, count in values)


@given(IN_RANGE)
def test_a_value_is_told_apart_to_three_digits(value: int) -> None:
    index = int(np.flatnonzero(of([value]).counts)[0])
    assert value <= histogram.highest_equivalent(index) <= value + value // 1000


def test_the_places_of_a_histogram_cover_the_range_without_gap_or_overlap() -> None:
    tops = [histogram.highest_equivalent(index) for index in range(histogram._LENGTH)]
    assert tops[0] == 0
    assert tops[-1] >= HIGHEST_US
    for index, (below, top) in enumerate(pairwise(tops), start=1):
        assert histogram._index(below + 1) == histogram._index(min(top, HIGHEST_US)) == index


@given(values=lists(ANY))
def test_one_by_one_and_all_at_once_are_the_same(values: list[int]) -> None:
    """Both sides of the vector threshold, and values of any kind."""
    singly = Histogram()
    for value in values:
        singly.record(value)
    assert everything(of(values)) == everything(singly)


@given(values=lists(IN_RANGE).filter(bool), percent=st.sampled_from(PERCENTS))
def test_a_percentile_is_the_nearest_rank_to_three_digits(values: list[int], percent: str) -> None:
    """Never below the sample of that rank, and never above the exact maximum."""
    exact = nearest_rank(values, percent)
    found = of(values).percentile_us(float(percent))
    assert found is not None
    assert exact <= found <= min(exact + exact // 1000, max(values))


@given(values=lists(IN_RANGE).filter(bool), percent=st.floats(0.01, 100))
def test_a_percentile_is_that_of_the_reference_but_for_the_exact_maximum(
    values: list[int], percent: float
) -> None:
    theirs = reference(values)
    rank = percent * len(values) / 100
    if abs(rank - round(rank)) < 1e-6 or abs(rank % 1 - 0.5) < 1e-6:
        return  # the reference rounds half a rank where we do not
    at = math.ceil(rank) / len(values) * 100
    expected = min(int(theirs.get_value_at_percentile(at)), max(values))
    assert of(values).percentile_us(percent) == expected


@given(values=lists(ANY).filter(bool), percent=st.sampled_from(PERCENTS))
def test_values_out_of_range_take_part_in_percentiles_at_their_end_of_the_scale(
    values: list[int], percent: str
) -> None:
    exact = nearest_rank(values, percent)
    found = of(values).percentile_us(float(percent))
    if exact < 0:
        assert found == min(values)
    elif exact > HIGHEST_US:
        assert found == max(values)
    else:
        assert found is not None
        assert exact <= found <= min(exact + exact // 1000, max(values))


@given(lists(ANY).filter(bool))
def test_no_value_is_dropped_or_bent(values: list[int]) -> None:
    """Minimum, maximum and mean are exact; what is out of range is counted beside the rest."""
    made = of(values)
    assert made.negative == sum(value < 0 for value in values)
    assert made.overflow == sum(value > HIGHEST_US for value in values)
    assert made.recorded == int(made.counts.sum())
    assert made.count == made.recorded + made.negative + made.overflow == len(values)
    assert (made.min_us, made.max_us) == (min(values), max(values))
    assert made.mean_us() == sum(values) / len(values)


def test_without_samples_there_is_no_percentile_and_no_mean() -> None:
    empty = Histogram()
    assert (empty.count, empty.percentile_us(50), empty.mean_us()) == (0, None, None)


@pytest.mark.slow
@given(lists(ANY))
def test_the_reference_reads_what_is_encoded(values: list[int]) -> None:
    """The samples that are in range: the encoding has no place for others."""
    inside = [value for value in values if 0 <= value <= HIGHEST_US]
    theirs = HdrHistogram.decode(of(values).encode().encode())
    assert counts_of(theirs) == counts_of(reference(inside))
    assert theirs.get_total_count() == len(inside)
    if inside:
        expected = reference(inside)
        for percent in (50, 90, 99, 99.9, 100):
            found = theirs.get_value_at_percentile(percent)
            assert found == expected.get_value_at_percentile(percent)


@given(lists(IN_RANGE))
def test_what_the_reference_encodes_is_read(values: list[int]) -> None:
    """Counts exactly; extremes and mean to three digits."""
    read = decode(reference(values).encode().decode())
    assert read.counts.tolist() == of(values).counts.tolist()
    assert read.count == len(values)
    if values:
        assert min(values) <= read.min_us <= min(values) * 1.001
        assert max(values) <= read.max_us <= max(values) * 1.001
        assert sum(values) <= read.sum_us <= sum(values) * 1.001


@given(lists(ANY))
def test_a_packed_histogram_is_unpacked_as_it_was(values: list[int]) -> None:
    made = of(values)
    assert everything(unpack(made.pack())) == everything(made)


@given(
    values=st.lists(st.tuples(ANY, st.integers(0, 3)), max_size=120),
    crosses=st.booleans(),
)
def test_merged_parts_are_one_histogram_that_was_fed_everything(
    values: list[tuple[int, int]], crosses: bool
) -> None:
    """However the samples were dealt to processes: the percentiles are those of a single one."""
    parts = [of([value for value, part in values if part == each]) for each in range(4)]
    if crosses:
        parts = [unpack(part.pack()) for part in parts]
    whole = of([value for value, _ in values])
    together = merged(parts)
    assert everything(together) == everything(whole)
    for percent in PERCENTS:
        assert together.percentile_us(float(percent)) == whole.percentile_us(float(percent))


def test_merging_leaves_the_other_histogram_alone() -> None:
    first, second = of([1, 2]), of([3])
    before = everything(second)
    first.merge(second)
    first.record(4)
    assert everything(second) == before


GOOD = of([5, 70_000, 70_001, HIGHEST_US]).encode()


@pytest.mark.parametrize(
    "encoded",
    [
        "",
        "nonsense",
        "é",
        "HISTFAAA",
        GOOD[:10],
        GOOD[: len(GOOD) // 2],
        GOOD[:-8],
        GOOD[:40] + "AAAA" + GOOD[44:],
    ],
)
def test_a_damaged_encoding_is_refused(encoded: str) -> None:
    with pytest.raises(ValueError, match="not a histogram in HdrHistogram V2 encoding"):
        decode(encoded)


@pytest.mark.parametrize(("highest_us", "digits"), [(HIGHEST_US, 2), (HIGHEST_US // 2, 3)])
def test_an_encoding_of_another_range_or_precision_is_refused(highest_us: int, digits: int) -> None:
    other = HdrHistogram(1, highest_us, digits).encode().decode()
    with pytest.raises(ValueError, match="range or precision is not 1 µs to 1 h at 3 digits"):
        decode(other)


def test_decoding_leaves_nothing_for_the_garbage_collector() -> None:
    """The package's own objects hold each other, and a run decodes some a second."""
    text = Histogram().encode()
    gc.collect()
    gc.disable()
    try:
        before = sum(isinstance(each, HdrHistogram) for each in gc.get_objects())
        decode(text)
        assert sum(isinstance(each, HdrHistogram) for each in gc.get_objects()) == before
    finally:
        gc.enable()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="asks Linux for the memory used")
def test_a_histogram_that_is_gone_gives_its_memory_back_whatever_else_stays() -> None:
    """A long run makes thousands that live for a moment beside a few that stay."""

    def resident_bytes() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE

    before = resident_bytes()
    kept = []
    for number in range(1600):
        each = Histogram()
        each.counts[:] = 1
        if number % 16 == 0:
            kept.append(each)
    size = kept[0].counts.nbytes
    assert resident_bytes() - before < 2 * len(kept) * size


def test_the_filled_range_follows_what_is_recorded_after_it_was_asked_for() -> None:
    found = of([])
    assert found.filled() == slice(0)
    for value_us, expected in ((5, slice(5, 6)), (9, slice(5, 10)), (2, slice(2, 10))):
        found.record(value_us)
        assert found.filled() == expected
    found.merge(of([20]))
    assert found.filled() == slice(2, 21)


@given(lists(ANY))
def test_samples_by_value_are_all_those_within_the_range(values: list[int]) -> None:
    indices = [histogram._index(value) for value in values if 0 <= value <= HIGHEST_US]
    expected = Counter(histogram.highest_equivalent(index) for index in sorted(indices))
    assert list(of(values).by_value().items()) == list(expected.items())

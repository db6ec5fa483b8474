"""A set of numbers at a bit each, against Python's own sets."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.measure import bits
from bench.measure.bits import Bits

VECTOR_FROM = bits._VECTOR_FROM
# Past a few bytes, past the smallest size in bytes, and far past what was reserved.
NUMBERS = st.integers(0, 40) | st.integers(0, 20_000) | st.integers(0, 10**6)
SIZES = (0, 1, VECTOR_FROM - 1, VECTOR_FROM, 3 * VECTOR_FROM)
LISTS = st.sampled_from(SIZES).flatmap(
    lambda size: st.lists(NUMBERS, min_size=size, max_size=4 * VECTOR_FROM)
)
RANGES = st.tuples(NUMBERS, st.integers(-3, 300)).map(lambda each: (each[0], each[0] + each[1]))


def of(numbers: list[int]) -> Bits:
    made = Bits()
    made.add(np.array(numbers, np.int64))
    return made


def numbers_in(made: Bits, stop: int = 10**6 + 400) -> set[int]:
    return set(np.flatnonzero(made.flags(0, stop)).tolist())


def repeats(held: set[int], numbers: list[int]) -> list[int]:
    """Those that were in already or came twice, in order."""
    seen, repeated = set(held), []
    for number in numbers:
        if number in seen:
            repeated.append(number)
        seen.add(number)
    return repeated


@given(st.lists(LISTS, max_size=5))
def test_numbers_that_were_in_already_or_came_twice_are_returned(batches: list[list[int]]) -> None:
    """Both sides of the vector threshold; everything else is new, and in from then on."""
    made, model = Bits(), set[int]()
    for numbers in batches:
        assert made.add(np.array(numbers, np.int64)).tolist() == repeats(model, numbers)
        model |= set(numbers)
        assert len(made) == len(model)
        assert numbers_in(made) == model


STEPS = st.one_of(
    st.tuples(st.just("add"), LISTS),
    st.tuples(st.just("merge"), LISTS),
    st.tuples(st.just("range"), RANGES),
    st.tuples(st.just("repack"), st.none()),
)


@given(st.lists(STEPS, max_size=12))
def test_any_steps_leave_the_same_numbers_as_in_a_set(steps: list[tuple[str, object]]) -> None:
    made, model = Bits(), set[int]()
    for step, argument in steps:
        match step, argument:
            case "add", list(numbers):
                made.add(np.array(numbers, np.int64))
                model |= set(numbers)
            case "merge", list(numbers):
                made.merge(of(numbers))
                model |= set(numbers)
            case "range", (int(start), int(stop)):
                made.add_range(start, stop)
                model |= set(range(start, stop))
            case _:
                made = Bits(made.pack())
    assert len(made) == len(model)
    assert numbers_in(made) == model


@pytest.mark.parametrize("start", [0, 1, 7, 8, 9, 8191, 8192])
@pytest.mark.parametrize("length", [-1, 0, 1, 2, 7, 8, 9, 15, 16, 17, 64, 8192])
def test_a_range_is_all_its_numbers_and_no_other(start: int, length: int) -> None:
    made = Bits()
    made.add_range(start, start + length)
    assert numbers_in(made) == set(range(start, start + length))


@given(numbers=LISTS, start=NUMBERS, length=st.integers(0, 500))
def test_flags_say_of_each_number_whether_it_is_in(
    numbers: list[int], start: int, length: int
) -> None:
    """Of any stretch, inside what was ever added or past it."""
    flags = of(numbers).flags(start, start + length)
    assert flags.tolist() == [number in numbers for number in range(start, start + length)]


@given(first=LISTS, second=LISTS)
def test_merging_leaves_the_other_set_alone(first: list[int], second: list[int]) -> None:
    made, other = of(first), of(second)
    made.merge(other)
    made.add(np.array([0, 1, 2], np.int64))
    assert numbers_in(other) == set(second)


@given(LISTS)
def test_a_set_made_from_packed_bytes_can_grow(numbers: list[int]) -> None:
    made = Bits(of(numbers).pack())
    made.add(np.array([3, 2 * 10**6], np.int64))
    assert numbers_in(made, 2 * 10**6 + 1) == {*numbers, 3, 2 * 10**6}


def test_a_new_set_is_empty() -> None:
    assert len(Bits()) == len(Bits(Bits().pack())) == 0
    assert not Bits().flags(0, 100).any()


def test_a_run_of_tasks_costs_a_bit_each_at_the_most() -> None:
    """A million tasks that all came back are a few bytes on the way, too."""
    made = Bits()
    for start in range(0, 10**6, 1000):
        made.add(np.arange(start, start + 1000))
    assert made._bytes.nbytes <= 10**6 / 8 * 1.5
    assert len(made.pack()) < 2000


@given(st.lists(NUMBERS, max_size=40), st.integers(0, 10**6 + 400))
def test_a_packed_set_is_read_back_if_all_its_numbers_are_below_the_bound(
    numbers: list[int], below: int
) -> None:
    packed = of(numbers).pack()
    assert numbers_in(Bits(packed)) == {*numbers}
    if max(numbers, default=-1) < below:
        assert numbers_in(Bits(packed, below)) == {*numbers}
    else:
        with pytest.raises(ValueError, match="holds others"):
            Bits(packed, below)


@pytest.mark.parametrize("damaged", [b"garbage", of([5]).pack()[:-3], of([5]).pack() + b"x"])
@pytest.mark.parametrize("below", [None, 100])
def test_what_is_no_packed_set_is_an_error(damaged: bytes, below: int | None) -> None:
    with pytest.raises(ValueError, match="not a set of numbers"):
        Bits(damaged, below)

"""How many slots a rate needs, and what is said of slots that have no time left."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.measure.slots import BUSY_SLOTS, SlotUse, needs_clause, slots_sentence


def use(needed: float, rate: float = 1000.0, **changes: int) -> SlotUse:
    return SlotUse(busy=0.99, offered_per_s=rate, needed=needed, **changes)


@pytest.mark.parametrize(
    ("slots", "sentence"),
    [
        (
            use(5.0),
            "bound by slots: the worker's one slot was busy 99% of the time; 1,000/s needs "
            "at least 5 slots (busy 100%), and 6 to keep them below 90%: set --concurrency 6, or "
            "--workers 6",
        ),
        (
            use(5.2, workers=2, concurrency=2),
            "bound by slots: the 4 slots of the workers were busy 99% of the time; 1,000/s needs "
            "at least 6 slots (busy 87%): set --concurrency 3, or --workers 3",
        ),
        # More slots than tasks that it takes would have nothing to serve.
        (use(5.0, prefetch=4), "set --concurrency 6 --prefetch 6, or --workers 6"),
        (use(5.0, prefetch=64), "set --concurrency 6, or --workers 6"),
        (use(5.0, prefetch=2, concurrency=8), "worker's 2 slots were"),
        (use(5.0, prefetch=2, concurrency=8), "set --prefetch 6, or --workers 3"),
        (use(5.0, rate=0.0), "of the time; raise --concurrency, or add workers"),
        (SlotUse(busy=1.02), "one slot was busy 100% of the time; raise"),
    ],
)
def test_slots_without_time_left_say_how_many_the_offered_rate_needs(
    slots: SlotUse, sentence: str
) -> None:
    assert sentence in slots_sentence(slots)


def test_where_it_is_not_known_how_long_a_task_holds_a_slot_no_number_is_claimed() -> None:
    assert needs_clause(SlotUse(offered_per_s=100.0)) == ""


@given(st.floats(0.001, 1e4), st.integers(1, 16), st.integers(1, 64))
def test_the_slots_that_are_named_can_serve_the_rate(
    needed: float, workers: int, concurrency: int
) -> None:
    said = slots_sentence(use(needed, workers=workers, concurrency=concurrency))
    least = re.search(r"at least ([0-9,]+) slots? \(busy ([0-9]+)%\)", said)
    assert least is not None
    slots = int(least[1].replace(",", ""))
    assert slots >= needed - 1e-5
    assert slots - 1 < max(needed, 1e-5)
    more = re.search(r"--workers ([0-9]+)", said)
    assert more is not None
    assert needed / (int(more[1]) * concurrency) < BUSY_SLOTS + 1e-5
    each = re.search(r"--concurrency ([0-9]+)", said)
    if each is not None:
        assert needed / (int(each[1]) * workers) < BUSY_SLOTS + 1e-5
    assert math.isfinite(needed)

"""Memory of kept and of queued tasks: rate × time × bytes, and what is left."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis.capacity.memory import MemoryDemand, memory_notes, plan_memory

DEMAND = MemoryDemand(
    rate_per_s=100.0,
    busiest=1.0,
    backlog=1_000,
    keep_s=60.0,
    queued_bytes=400.0,
    kept_bytes=500.0,
    memory_bytes=10_000_000,
)


def test_kept_tasks_and_the_backlog_are_added_up() -> None:
    plan = plan_memory(DEMAND)
    assert plan.kept_tasks == 6_000
    assert plan.kept_bytes == 3_000_000
    assert plan.backlog_bytes == 400_000
    assert plan.kept_share == pytest.approx(0.3)
    assert plan.longest_keep_s == pytest.approx(200)
    assert plan.longest_keep_with_backlog_s == pytest.approx(192)
    assert DEMAND.full_at == 17_500
    assert DEMAND.full_s == pytest.approx(175)


def test_the_busiest_server_decides_what_fits() -> None:
    half = replace(DEMAND, busiest=0.5)
    plan = plan_memory(half)
    assert (plan.kept_bytes, plan.backlog_bytes) == (3_000_000, 400_000)
    assert plan.kept_share == pytest.approx(0.15)
    assert plan.longest_keep_s == pytest.approx(400)
    assert half.full_at == 21_250
    assert half.full_s == pytest.approx(425)


def test_what_the_record_does_not_show_is_none() -> None:
    unknown = replace(DEMAND, queued_bytes=None, kept_bytes=None)
    plan = plan_memory(unknown)
    assert plan.kept_tasks == 6_000
    assert plan.kept_bytes is plan.backlog_bytes is plan.kept_share is plan.longest_keep_s is None
    assert unknown.full_at is unknown.full_s is None
    assert "add --kept-bytes" in next(memory_notes(unknown, plan))
    assert plan_memory(replace(DEMAND, memory_bytes=None)).kept_share is None


@pytest.mark.parametrize(
    ("keep_s", "backlog", "said"),
    [
        (60.0, 1_000, None),
        (0.0, 1_000, None),
        (200.0, 1, "kept tasks alone fill the memory of a server; keep them for at most 3.3 min,"),
        (100.0, 20_000, "does not fit beside the kept tasks; keep them for at most 40.0 s,"),
        (60.0, 30_000, "a backlog of 30,000 tasks alone fills the memory of a server"),
        (0.0, 30_000, "a backlog of 30,000 tasks alone fills the memory of a server"),
    ],
)
def test_what_does_not_fit_is_said(keep_s: float, backlog: int, said: str | None) -> None:
    demand = replace(DEMAND, keep_s=keep_s, backlog=backlog)
    notes = list(memory_notes(demand, plan_memory(demand)))
    assert len(notes) == (said is not None)
    assert said is None or said in notes[0]


@given(st.floats(1, 1e5), st.floats(0.1, 1), st.integers(1, 10**6), st.floats(1, 1e5))
def test_tasks_kept_for_the_longest_time_leave_room_for_the_backlog_alone(
    rate_per_s: float, busiest: float, backlog: int, bytes_each: float
) -> None:
    demand = replace(
        DEMAND, rate_per_s=rate_per_s, busiest=busiest, backlog=backlog, kept_bytes=bytes_each
    )
    longest = plan_memory(demand).longest_keep_with_backlog_s
    assert longest is not None
    full_at = replace(demand, keep_s=longest).full_at
    assert full_at is not None
    if longest:
        assert full_at == pytest.approx(backlog * busiest, rel=1e-6, abs=1)
    else:
        assert full_at <= backlog * busiest

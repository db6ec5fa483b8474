"""Where the latency of the tasks around a percentile went."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.measure import breakdown as measured
from bench.measure.breakdown import (
    LEAST_TASKS,
    PARTS,
    BreakdownRecorder,
    LatencyBreakdown,
    LatencyPart,
    bucket_of,
    lowest_us,
)
from bench.measure.window import SliceMask


def recorded(
    parts_us: dict[LatencyPart, list[int]], masks: tuple[SliceMask, ...] = (SliceMask(0),)
) -> BreakdownRecorder:
    tasks = len(next(iter(parts_us.values())))
    columns = [np.array(parts_us.get(part, [0] * tasks), np.int64) for part in PARTS]
    recorder = BreakdownRecorder()
    recorder.record(sum(columns, np.zeros(tasks, np.int64)), columns, masks)
    return recorder


def split(recorder: BreakdownRecorder, first_slice: int = 0, **values_s: float) -> LatencyBreakdown:
    return measured.breakdown(recorder.packed(), first_slice, values_s)


def test_the_slow_tasks_are_split_by_what_made_them_slow_and_not_the_others() -> None:
    """Most tasks are in service all the time; the slow ones waited, which the mean would hide."""
    waits, services = [0] * 990 + [9_000] * 20, [1_000] * 990 + [100] * 20
    recorder = recorded({LatencyPart.SLOT_WAIT: waits, LatencyPart.SERVICE_TIME: services})
    found = split(recorder, p50=0.001, p99=0.0091)
    fast, slow = found.percentiles
    assert found.unknown == ""
    assert (fast.tasks, slow.tasks) == (990, 20)
    assert fast.parts_s["service_time"] == pytest.approx(0.001)
    assert fast.parts_s["slot_wait"] == 0
    assert slow.parts_s["service_time"] == pytest.approx(0.0001)
    assert slow.parts_s["slot_wait"] == pytest.approx(0.009)
    assert slow.from_s <= 0.0091 < slow.to_s


@given(
    st.lists(
        st.lists(st.integers(0, 1_000_000), min_size=len(PARTS), max_size=len(PARTS)),
        min_size=1,
        max_size=30,
    )
)
def test_the_parts_add_up_to_the_mean_latency_of_the_tasks_they_describe(
    tasks: list[list[int]],
) -> None:
    columns = dict(zip(PARTS, np.array(tasks, np.int64).T.tolist(), strict=True))
    totals = np.array(tasks, np.int64).sum(axis=1)
    median_s = float(np.sort(totals)[(len(totals) - 1) // 2]) / 1e6
    found = split(recorded(columns), p50=median_s)
    for each in found.percentiles:
        inside = totals[
            (bucket_of(totals) >= bucket_of(np.array([round(each.from_s * 1e6 + 1e-6)]))[0] - 1)
            & (totals < each.to_s * 1e6)
        ]
        assert each.tasks >= LEAST_TASKS
        assert len(inside) >= each.tasks
        mean_s = sum(each.parts_s.values())
        assert each.from_s - 1e-6 <= mean_s <= each.to_s
    assert bool(found.percentiles) != bool(found.unknown)


def test_too_few_tasks_around_a_percentile_are_not_described() -> None:
    recorder = recorded({LatencyPart.COMMANDS: [1_000] * 50 + [80_000] * (LEAST_TASKS - 1)})
    found = split(recorder, p50=0.001, p99=0.08)
    assert [each.percentile for each in found.percentiles] == ["p50"]
    assert found.unknown == "fewer than 10 tasks lie around p99"


def test_the_warm_up_is_left_out() -> None:
    is_warm = np.arange(40) >= 20
    masks = (SliceMask(0, ~is_warm), SliceMask(1, is_warm))
    values = [1_000] * 20 + [1_010] * 20
    recorder = recorded({LatencyPart.DELIVERY: values}, masks)
    (found,) = split(recorder, first_slice=1, p50=0.00101).percentiles
    assert found.tasks == 20
    assert found.parts_s["delivery"] == pytest.approx(0.00101)


def test_every_latency_has_a_bucket_and_lies_in_it() -> None:
    values = np.array([-5, 0, 1, 2, 999, 1_000, 3_600_000_000, 1 << 40], np.int64)
    buckets = bucket_of(values)
    assert buckets.tolist()[:3] == [0, 0, 0]
    assert buckets[-1] == measured.BUCKETS - 1
    for value, bucket in zip(values.tolist()[3:7], buckets.tolist()[3:7], strict=True):
        assert lowest_us(bucket) <= value < lowest_us(bucket + 1)

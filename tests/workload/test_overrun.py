"""When an open loop gives up what it has not sent."""

import math

import pytest

from bench.workload.overrun import ON_TIME_US, Overrun
from bench.workload.resolve import resolve


def overrun(**fields: object) -> Overrun:
    return Overrun.of(resolve({"queues": {"inference_default": 1}, **fields}))


@pytest.mark.parametrize(
    ("fields", "end_us"),
    [
        ({"rate": 1000, "duration": "3s"}, 3_000_000),
        ({"rate": 1000, "tasks": 500}, 500_000),
        ({"rate": 1000, "duration": "3s", "tasks": 500}, 500_000),
        ({"stages": "1s@10/s,2s@10/s..100/s"}, 3_000_000),
        ({"rate": "max", "duration": "3s"}, math.inf),
        ({"rate": "max", "tasks": 500}, math.inf),
    ],
)
def test_enqueueing_may_go_on_for_so_long_after_its_planned_end(
    fields: dict[str, object], end_us: float
) -> None:
    assert overrun(**fields, overrun="2s") == Overrun(end_us, 2_000_000)


@pytest.mark.parametrize(
    ("now_us", "due_us", "is_over"),
    [
        (1_499_999, 0, False),
        (1_500_000, 0, True),
        (1_500_000, 999_999, True),
        # Random arrivals of a number of tasks may last longer than planned.
        (1_500_000, 1_200_000, False),
        (1_699_999, 1_200_000, False),
        (1_700_000, 1_200_000, True),
    ],
)
def test_a_task_is_given_up_once_both_it_and_the_planned_end_are_that_long_ago(
    now_us: int, due_us: int, is_over: bool
) -> None:
    bound = overrun(rate=1000, duration="1s", overrun="500ms")
    assert bound.is_over(now_us, due_us) is is_over


def test_a_task_that_is_sent_at_once_is_not_late_without_an_overrun() -> None:
    bound = overrun(rate=1000, duration="1s", overrun="0s")
    assert not bound.is_over(1_000_000 + ON_TIME_US - 1, 999_000)
    assert bound.is_over(1_000_000 + ON_TIME_US, 999_000)

"""Shares of the load and priorities: two settings of the same sub-queues."""

import pytest

from bench.errors import ScenarioError
from bench.measure.priorities import ordered_pairs
from bench.worker.process import settings_of
from bench.workload import library
from bench.workload.override import override
from bench.workload.resolve import resolve
from bench.workload.scenario import Scenario

SHARES = {"critical": 1, "default": 2, "low": 7}
ASYNQ = {"critical": 6.0, "default": 3.0, "low": 1.0}


def scenario(**fields: object) -> Scenario:
    written = {"queues": SHARES, "layout": "asynq", "rate": 500, "tasks": 400, **fields}
    return resolve(written)


@pytest.mark.parametrize("written", [ASYNQ, "critical=6,default=3,low=1"])
def test_workers_serve_by_priorities_and_the_load_is_shared_by_queues(written: object) -> None:
    chosen = scenario(priority="weighted", priorities=written)
    assert settings_of(chosen).queues == ASYNQ
    assert chosen.queues == SHARES


@pytest.mark.parametrize(
    ("count", "weights"), [(1, [1]), (2, [3, 1]), (3, [6, 3, 1]), (5, [15, 10, 6, 3, 1])]
)
def test_weighted_without_priorities_follows_the_order_and_is_in_the_scenario(
    count: int, weights: list[int]
) -> None:
    queues = {f"q{number}": 9 for number in range(count)}
    chosen = scenario(queues=queues, priority="weighted")
    assert chosen.priorities == dict(zip(queues, weights, strict=True))


def test_strict_without_priorities_has_none_but_the_order() -> None:
    assert scenario().priorities is None


@pytest.mark.parametrize("priority", ["strict", "weighted"])
def test_priorities_decide_which_sub_queue_is_the_highest(priority: str) -> None:
    chosen = scenario(priority=priority, priorities={"low": 5, "critical": 1, "default": 1})
    assert chosen.queues == {"low": 7, "critical": 1, "default": 2}
    assert list(chosen.queues) == list(chosen.priorities or ()) == ["low", "critical", "default"]


def test_records_from_before_there_were_priorities_served_by_shares() -> None:
    earlier = Scenario(queues={"a_x": 1.0, "a_y": 3.0}, priority="weighted")
    assert settings_of(earlier).queues == {"a_x": 1.0, "a_y": 3.0}


@pytest.mark.parametrize(
    ("priorities", "message"),
    [
        ({"critical": 6, "low": 1}, "priorities: 'default' has none; give each of the queues one"),
        ({**ASYNQ, "lwo": 1}, "priorities: no queue 'lwo': did you mean 'low'?"),
        ({**ASYNQ, "low": 0}, "priorities: the weight of 'low' must be positive, not 0"),
    ],
)
def test_priorities_name_each_queue_and_no_other(
    priorities: dict[str, float], message: str
) -> None:
    with pytest.raises(ScenarioError) as caught:
        scenario(priorities=priorities)
    assert message in str(caught.value)


def test_other_queues_take_the_priorities_of_a_file_with_them() -> None:
    _, written = library.load("priority")
    assert resolve(override(written, {"queues": "a_x=1,a_y=2"})).priorities is None


def test_another_layout_renames_the_queues_of_priorities_too() -> None:
    _, written = library.load("priority")
    chosen = resolve(override(written, {"layout": "runqy-server", "priority": "weighted"}))
    assert list(chosen.priorities or ()) == list(chosen.queues)
    assert next(iter(chosen.queues)) == "inference.high"


@pytest.mark.parametrize(
    ("shares", "weights", "pairs"),
    [
        ((1, 2, 7), None, {("a", "b"), ("a", "c"), ("b", "c")}),
        ((1, 2, 7), (6, 3, 1), {("a", "b"), ("a", "c"), ("b", "c")}),
        ((1, 2, 1), (6, 3, 1), {("a", "b"), ("a", "c")}),  # b has twice the load of c
        ((7, 2, 1), (6, 3, 1), set()),
        ((1, 1, 1), (3, 2, 1), {("a", "c"), ("b", "c")}),  # 3 is not clearly more than 2
        ((1, 1, 1), (1, 1, 1), set()),
    ],
)
def test_weighted_judges_only_the_pairs_that_weights_and_shares_put_in_order(
    shares: tuple[int, ...], weights: tuple[int, ...] | None, pairs: set[tuple[str, str]]
) -> None:
    fields = {} if weights is None else {"priorities": dict(zip("abc", weights, strict=True))}
    kind = "strict" if weights is None else "weighted"
    chosen = scenario(queues=dict(zip("abc", shares, strict=True)), priority=kind, **fields)
    assert ordered_pairs(chosen) == pairs

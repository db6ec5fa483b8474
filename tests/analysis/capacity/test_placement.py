"""Placements: each queue on one server, and no server over its limit."""

import math
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis.capacity.placement import (
    MOST_SERVERS,
    Placement,
    place_queues,
    placement_notes,
    servers_for,
)

WEIGHTS = st.dictionaries(
    st.sampled_from(["a", "b", "a_1", "high", "default", "low", "a_1_1"]),
    st.floats(0.01, 100),
    min_size=1,
)


def placed(weights: Mapping[str, float], rate_per_s: float, limit_per_s: float) -> Placement:
    placement = place_queues(weights, rate_per_s, limit_per_s)
    assert placement is not None
    return placement


def names(placement: Placement) -> list[list[str]]:
    return [[queue.name for queue in server.queues] for server in placement.servers]


@pytest.mark.parametrize(
    ("weights", "rate_per_s", "servers", "splits"),
    [
        ({"only": 1}, 50, [["only"]], {}),
        ({"only": 1}, 100, [["only"]], {}),
        ({"only": 3}, 150, [["only_1"], ["only_2"]], {"only": 2}),
        ({"high": 1, "low": 3}, 100, [["low", "high"]], {}),
        ({"high": 34, "low": 12, "mid": 54}, 180, [["mid"], ["high", "low"]], {}),
        ({"a": 1, "b": 1, "c": 1}, 180, [["a"], ["b"], ["c"]], {}),
        ({"a": 3, "b": 1}, 150, [["a_1", "b"], ["a_2"]], {"a": 2}),
        ({"a": 3, "a_1": 1}, 150, [["a_2", "a_1"], ["a_3"]], {"a": 2}),
    ],
)
def test_where_queues_go_on_servers_of_100_per_second(
    weights: dict[str, float],
    rate_per_s: float,
    servers: list[list[str]],
    splits: dict[str, int],
) -> None:
    placement = placed(weights, rate_per_s, 100)
    assert names(placement) == servers
    assert {split.queue: len(split.parts) for split in placement.splits} == splits


def test_a_packing_that_a_balanced_one_misses_is_found() -> None:
    """Shares 3, 3, 2, 2, 2 on servers of 6: the balanced assignment puts 7 on one of them."""
    placement = placed({"a": 3, "b": 3, "c": 2, "d": 2, "e": 2}, 12, 6)
    assert names(placement) == [["a", "b"], ["c", "d", "e"]]


@given(WEIGHTS, st.floats(0.1, 10_000), st.floats(100, 10_000))
def test_every_queue_is_placed_once_and_no_server_is_over_its_limit(
    weights: dict[str, float], rate_per_s: float, limit_per_s: float
) -> None:
    placement = placed(weights, rate_per_s, limit_per_s)
    split = {each.queue: each.parts for each in placement.splits}
    wanted = [part for name in weights for part in split.get(name, (name,))]
    queues = [queue for server in placement.servers for queue in server.queues]
    assert sorted(queue.name for queue in queues) == sorted(wanted)
    assert len(set(wanted)) == len(wanted)
    assert math.fsum(queue.share for queue in queues) == pytest.approx(1)
    for server in placement.servers:
        assert server.share == pytest.approx(math.fsum(queue.share for queue in server.queues))
        assert server.share * rate_per_s <= limit_per_s * (1 + 1e-6)


@given(WEIGHTS, st.floats(0.1, 10_000), st.floats(100, 10_000))
def test_servers_and_splits_are_as_few_as_the_loads_allow(
    weights: dict[str, float], rate_per_s: float, limit_per_s: float
) -> None:
    """Never fewer servers than an even load takes, and none that two neighbours could share."""
    placement = placed(weights, rate_per_s, limit_per_s)
    count = len(placement.servers)
    assert count >= placement.least_servers == servers_for(rate_per_s, limit_per_s)
    assert count >= rate_per_s / limit_per_s * (1 - 1e-6)
    assert count < 2 * rate_per_s / limit_per_s + 1
    total = math.fsum(weights.values())
    split = {each.queue: len(each.parts) for each in placement.splits}
    for name, weight in weights.items():
        load = weight / total * rate_per_s / limit_per_s
        parts = split.get(name, 1)
        assert parts >= load * (1 - 1e-6)
        assert parts == 1 or parts - 1 < load


@given(WEIGHTS, st.floats(0.001, 1000))
def test_only_the_ratios_of_weights_matter(weights: dict[str, float], factor: float) -> None:
    scaled = {name: weight * factor for name, weight in weights.items()}
    placement, again = placed(weights, 500, 200), placed(scaled, 500, 200)
    assert len(again.servers) == pytest.approx(len(placement.servers), abs=1)
    assert again.busiest * 500 <= 200 * (1 + 1e-6)


@pytest.mark.parametrize("rate_per_s", [100 * MOST_SERVERS + 1, 1e15])
def test_a_rate_for_very_many_servers_is_not_placed(rate_per_s: float) -> None:
    assert place_queues({"only": 1}, rate_per_s, 100) is None
    said = list(placement_notes(None, servers_for(rate_per_s, 100), "workers"))
    assert said[0].startswith(f"the rate takes more than {MOST_SERVERS} servers")


def test_a_note_says_that_an_even_load_would_take_fewer_servers() -> None:
    placement = placed({"a": 1, "b": 1, "c": 1}, 180, 100)
    said = list(placement_notes(placement, 3, "workers"))
    assert said[0] == (
        "2 servers sustain the load if it is spread evenly; with each queue on one server it takes "
        "3"
    )
    assert "divide the workers among the servers" in said[1]
    assert list(placement_notes(placed({"a": 1}, 50, 100), 1, "workers")) == []
    assert list(placement_notes(None, None, "workers")) == []

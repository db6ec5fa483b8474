"""From faults as written to those of one run."""

import itertools
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import UsageError
from bench.workload.fault_plan import FAULTS, resolved
from bench.workload.fault_text import parse_faults
from bench.workload.faults import Fault
from bench.workload.scenario import Scenario

RANDOM = "random 10s..50s x20 stall worker any 1s; random 5s..9s x3 network loss for 100ms"


def plan_of(
    text: str, seed: int = 1, workers: int = 4, planned_s: float | None = 60.0
) -> Sequence[Fault]:
    return resolved(parse_faults(text), seed, workers, planned_s)


def texts_of(faults: Sequence[Fault]) -> list[str]:
    return [each.text for each in faults]


@pytest.mark.parametrize(
    ("text", "texts"),
    [
        ("12s stall server 3s", ["12s stall server 3s"]),
        ("20s failover, 5s failover", ["5s failover", "20s failover"]),
        ("10s every 20s failover", ["10s failover", "30s failover", "50s failover"]),
        ("0s every 20s failover", ["0s failover", "20s failover", "40s failover"]),
        ("10s every 0.1s x2 failover", ["10s failover", "10.1s failover"]),
        (
            "10s..11s every 5s x2 network loss",
            ["10s..11s network loss", "15s..16s network loss"],
        ),
        ("20s kill worker all", ["20s kill worker all"]),
        ("1s kill worker 2, 2s start worker", ["1s kill worker 2", "2s start worker 2"]),
        ("2s start worker", ["2s start worker 5"]),
        ("2s start worker, 3s kill worker 5", ["2s start worker 5", "3s kill worker 5"]),
        (
            "1s kill worker 3, 2s kill worker 1, 3s start worker, 4s start worker all",
            ["1s kill worker 3", "2s kill worker 1", "3s start worker 3", "4s start worker 1"],
        ),
        (
            "1s kill -TERM worker 1, 2s kill worker 1",
            ["1s kill -TERM worker 1", "2s kill worker 1"],
        ),
    ],
)
def test_a_plan_becomes_faults_in_the_order_of_their_moments(text: str, texts: list[str]) -> None:
    assert texts_of(plan_of(text)) == texts


def test_moments_and_workers_are_drawn_by_the_seed() -> None:
    assert plan_of(RANDOM, seed=7) == plan_of(RANDOM, seed=7)
    assert plan_of(RANDOM, seed=7) != plan_of(RANDOM, seed=8)


@given(st.integers(0, 2**63 - 1))
def test_drawn_faults_are_between_their_moments_and_never_at_the_same_time(seed: int) -> None:
    stalls = [each for each in plan_of(RANDOM, seed) if each.of_worker]
    assert len(stalls) == 20
    assert stalls[0].at_s >= 10
    assert round(stalls[-1].ends_s, 6) <= 50
    for earlier, later in itertools.pairwise(stalls):
        assert later.at_s >= round(earlier.ends_s, 6)
    assert {each.worker for each in stalls} <= {1, 2, 3, 4}


def test_drawn_moments_are_spread_over_the_whole_time() -> None:
    drawn = [each.at_s for each in plan_of("random 10s..50s x1000 reset connections")]
    by_quarter = [sum(low <= at_s < low + 10 for at_s in drawn) for low in (10, 20, 30, 40)]
    assert sum(by_quarter) == 1000
    assert min(by_quarter) > 200


@given(st.integers(0, 1000), st.integers(1, 9))
def test_a_worker_that_was_ended_is_not_drawn_again(seed: int, workers: int) -> None:
    killed = plan_of(f"random 1s..50s x{workers} kill worker any", seed, workers)
    assert sorted(each.worker or 0 for each in killed) == list(range(1, workers + 1))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("5s kill worker 9", "'5s kill worker 9': there is no worker 9, the last one is 4"),
        ("5s stall worker 9 1s", "'5s stall worker 9 1s': there is no worker 9"),
        ("5s kill worker 1, 9s kill worker 1", "'9s kill worker 1': worker 1 is ended by then"),
        ("5s kill worker 1, 9s stall worker 1 1s", "'9s stall worker 1 1s': worker 1 is ended"),
        ("5s kill worker all, 9s kill worker all", "'9s kill worker all': no worker is left"),
        ("1s every 1s x5 kill worker any", "'5s kill worker any': no worker is left by then"),
        ("5s start worker 2", "'5s start worker 2': worker 2 is there already"),
        ("5s start worker 9", "'5s start worker 9': there are 4 workers by then"),
        ("5s start worker all", "'5s start worker all': none was ended before"),
        ("1s every 1ms failover", "'1s every 1ms failover': 59000 faults are too many"),
        ("1s every 1s x600 failover, 1s every 1s x600 failover", "1200 faults are too many"),
        ("random 1s..5s x5 stall server 1s", "'random 1s..5s x5 stall server 1s': 5 of 1s do not"),
    ],
)
def test_a_plan_that_cannot_be_is_refused_in_words(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        plan_of(text)
    assert str(caught.value).startswith(message)


def test_what_repeats_needs_an_end() -> None:
    with pytest.raises(UsageError, match="how long the run enqueues is not known: say how often"):
        plan_of("1s every 1s failover", planned_s=None)
    assert len(plan_of("1s every 1s x3 failover", planned_s=None)) == 3


@pytest.mark.parametrize(
    "text",
    [
        RANDOM,
        "10s every 5s kill worker any, 12s every 5s start worker",
        "1s kill -TERM worker all, 2s start worker all, 3s start worker, 4s kill worker 5",
        "1s restart server empty; 5s reset connections 12.5%; 9s..9.5s network 2ms±1ms 1MB/s",
        "30s fill memory; 3s..4s fill memory; 10s pause clients 250ms; 9s kill -INT worker 2",
    ],
)
def test_the_faults_of_a_record_are_a_plan_again(text: str) -> None:
    """What was drawn in one run can be written into a scenario, for whatever seed."""
    faults = plan_of(text)
    planned = FAULTS.read(FAULTS.write(faults))
    assert isinstance(planned, tuple)
    assert resolved(planned, 99, 4, 60.0) == tuple(faults)


def test_faults_and_network_are_read_back_from_a_record() -> None:
    scenario = Scenario(queues={"a_b": 1.0}, faults=tuple(plan_of(RANDOM)))
    written = msgspec.json.encode(scenario)
    assert msgspec.json.decode(written, type=Scenario) == scenario
    earlier = b'{"queues": {"a_b": 1}, "rate_per_s": 5}'
    assert msgspec.json.decode(earlier, type=Scenario).faults == ()

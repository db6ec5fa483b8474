"""One producer's tasks: each once and in order, however they are taken."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import ScenarioError
from bench.workload.distribution import Distribution
from bench.workload.feed import Feed, payloads
from bench.workload.load_fields import ArrivalKind
from bench.workload.mix import Mix
from bench.workload.payload import Filler
from bench.workload.scenario import Scenario
from bench.workload.schedule import CHUNK

QUEUES = {"inference_high": 1.0, "inference_default": 2.0, "inference_low": 1.0}
BIG = Distribution("constant", mean=20_000)
DRAWN = Distribution("lognormal", mean=200, sigma=0.5)
Taken = list[tuple[int, int, int, bytes]]


def steady(tasks: int, **fields: object) -> Scenario:
    """So many tasks, a thousand a second."""
    return Scenario(queues=QUEUES, tasks=tasks, **{"rate_per_s": 1000.0, **fields})  # type: ignore[arg-type]


def take_all(feed: Feed, sizes: list[int]) -> Taken:
    """(sequence, due, queue, body) of all tasks, taken so many at a time, in turn."""
    taken: Taken = []
    turn = 0
    while (due_us := feed.next_due_us()) is not None:
        size = sizes[turn % len(sizes)]
        batch = feed.take(size)
        assert 1 <= len(batch) <= size
        assert batch.due_us[0] == due_us
        bodies = [body if isinstance(body, bytes) else body.tobytes() for body in batch.bodies]
        columns = batch.sequence.tolist(), batch.due_us.tolist(), batch.queue.tolist(), bodies
        taken += zip(*columns, strict=True)
        turn += 1
    return taken


@given(
    tasks=st.integers(1, 200),
    producers=st.integers(1, 4),
    size=st.sampled_from([Distribution("constant", mean=64), BIG, DRAWN]),
    kind=st.sampled_from(["constant", "poisson", "max"]),
    sizes=st.lists(st.integers(1, 70), min_size=1, max_size=4),
)
def test_the_feeds_of_all_producers_hand_out_every_task_once(
    tasks: int, producers: int, size: Distribution, kind: ArrivalKind, sizes: list[int]
) -> None:
    """In order, and each with the queue and the payload of its number."""
    scenario = steady(
        tasks,
        producers=producers,
        payload_size=size,
        arrivals=kind,
        rate_per_s=None if kind == "max" else 1000.0,
    )
    queue = Mix(list(QUEUES.values()), scenario.seed).queue_of(np.arange(tasks)).tolist()
    bodies = Filler(size, scenario.seed).bodies(np.arange(tasks))
    handed_out = 0
    for producer in range(producers):
        taken = take_all(Feed(scenario, producer), sizes)
        numbers = list(range(producer, tasks, producers))
        assert [sequence for sequence, *_ in taken] == list(range(len(numbers)))
        assert [due_us for _, due_us, *_ in taken] == sorted(due_us for _, due_us, *_ in taken)
        for number, (_, _, chosen, body) in zip(numbers, taken, strict=True):
            assert chosen == queue[number]
            assert body == bytes(bodies[number])
        handed_out += len(taken)
    assert handed_out == tasks


@pytest.mark.parametrize("kind", ["constant", "poisson"])
def test_what_is_taken_does_not_depend_on_how_much_is_taken_at_a_time(kind: ArrivalKind) -> None:
    """Across blocks and chunks alike."""
    scenario = steady(2 * CHUNK + 77, arrivals=kind)
    first, second = (take_all(Feed(scenario, 0), sizes) for sizes in ([10**9], [1000, 1, 33]))
    assert first == second
    assert len(first) == 2 * CHUNK + 77


def test_a_feed_that_is_read_late_skips_no_task() -> None:
    """Everything is due long since: it still comes from the first to the last."""
    tasks = 2 * CHUNK + 5
    feed = Feed(steady(tasks), 0)
    late_us = 10**12
    sequence: list[int] = []
    while (count := feed.count_due(late_us)) > 0:
        sequence += feed.take(count).sequence.tolist()
    assert sequence == list(range(tasks))
    assert feed.next_due_us() is None


@pytest.mark.parametrize(
    ("now_us", "due"), [(-1, 0), (0, 1), (1, 1), (249_999, 1), (250_000, 2), (10**9, 4)]
)
def test_a_task_counts_as_due_from_its_very_microsecond(now_us: int, due: int) -> None:
    scenario = steady(4, rate_per_s=4.0)
    assert Feed(scenario, 0).count_due(now_us) == due
    assert Feed(scenario, 0).due_by(now_us) == due


def test_tasks_that_were_taken_are_no_longer_due() -> None:
    feed = Feed(steady(4, rate_per_s=4.0), 0)
    feed.take(1)
    assert (feed.count_due(500_000), feed.next_due_us()) == (2, 250_000)


@pytest.mark.parametrize("now_us", [0, 1_000_000, 8_191_000, 8_192_000, 10_000_000, 10**12])
def test_what_is_left_and_due_is_counted_across_blocks_and_chunks(now_us: int) -> None:
    tasks = 2 * CHUNK
    due_us = [due_us for _, due_us, _, _ in take_all(Feed(steady(tasks), 0), [10**9])]
    assert Feed(steady(tasks), 0).due_by(now_us) == sum(due <= now_us for due in due_us)


@pytest.mark.parametrize("kind", ["constant", "max"])
def test_a_producer_without_any_task_has_none_from_the_start(kind: ArrivalKind) -> None:
    rate_per_s = None if kind == "max" else 1000.0
    feed = Feed(steady(2, producers=3, arrivals=kind, rate_per_s=rate_per_s), 2)
    assert (feed.next_due_us(), feed.count_due(10**9), feed.due_by(10**9)) == (None, 0, 0)


def test_taking_after_the_last_task_is_an_error() -> None:
    feed = Feed(steady(4), 0)
    assert len(feed.take(99)) == 4
    with pytest.raises(LookupError, match="no task is left"):
        feed.take(1)


def test_a_payload_file_fills_the_payloads(tmp_path: Path) -> None:
    file = tmp_path / "lines.jsonl"
    file.write_text('{"n":0}\n{"n":1}\n', encoding="utf-8")
    taken = take_all(Feed(steady(3, payload_file=str(file)), 0), [2])
    assert [body for *_, body in taken] == [b',"n":0}', b',"n":1}', b',"n":0}']


def test_a_payload_file_that_cannot_be_used_is_an_error_of_the_scenario(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="payload_file"):
        payloads(steady(3, payload_file=str(tmp_path / "missing.jsonl")))

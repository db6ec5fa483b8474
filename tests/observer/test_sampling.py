"""Which tasks an observer traces."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.observer.sampling import NO_DUE, TaskSampler
from bench.workload.feed import Feed
from bench.workload.resolve import resolve
from bench.workload.scenario import Scenario

QUEUES = {"inference_high": 1, "inference_low": 3}


def scenario(**fields: object) -> Scenario:
    return resolve({"queues": QUEUES, "rate": 500, "tasks": 400, **fields})


@settings(max_examples=40)
@given(
    producers=st.integers(1, 4),
    share=st.sampled_from([1.0, 0.5, 0.1]),
    steps=st.lists(st.integers(0, 120), min_size=1, max_size=12),
    arrivals=st.sampled_from(["constant", "poisson"]),
)
def test_each_traced_task_is_handed_out_once_with_its_due_time_and_queue(
    producers: int, share: float, steps: list[int], arrivals: str
) -> None:
    chosen = scenario(producers=producers, arrivals=arrivals)
    for number in range(producers):
        feed = Feed(chosen, number)
        sent = []
        while feed.next_due_us() is not None:
            sent.append(feed.take(1000))
        due_us = np.concatenate([each.due_us for each in sent])
        queue = np.concatenate([each.queue for each in sent])
        expected = TaskSampler(chosen, number, share)
        found = []
        before = 0
        for step in [*steps, 10_000]:
            before += step
            part = expected.before(before)
            assert not len(part) or int(part.sequence.max()) < before
            found.append(part)
        sequence = np.concatenate([each.sequence for each in found])
        assert len(set(sequence.tolist())) == len(sequence)
        assert np.concatenate([each.due_us for each in found]).tolist() == due_us[sequence].tolist()
        assert np.concatenate([each.queue for each in found]).tolist() == queue[sequence].tolist()
        if share == 1:
            assert sequence.tolist() == list(range(len(due_us)))


def test_a_sample_has_about_its_share() -> None:
    chosen = scenario(tasks=20_000, rate=10_000)
    assert len(TaskSampler(chosen, 0, 0.1).before(20_000)) == pytest.approx(2000, rel=0.1)


def test_in_a_closed_loop_only_the_tasks_know_when_they_were_due() -> None:
    chosen = resolve({"queues": QUEUES, "rate": "max", "tasks": 50})
    assert set(TaskSampler(chosen, 0, 1.0).before(50).due_us.tolist()) == {NO_DUE}

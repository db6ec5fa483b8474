"""Samples of the server, from the replies that it gives."""

from typing import Any, cast

import pytest
import redis

from bench.layouts.runqy.layout import RUNQY
from bench.run.server_sampler import ServerSample, ServerSampler

QUEUES = ["inference_high", "inference_low"]


class Pipeline:
    """Takes any commands, and answers them with the next replies."""

    def __init__(self, replies: list[Any]) -> None:
        self._replies = replies
        self.commands: list[tuple[object, ...]] = []

    def __enter__(self) -> "Pipeline":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: self.commands.append((name, *arguments))

    def execute(self, raise_on_error: bool = True) -> Any:
        reply = self._replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply


class Client:
    def __init__(self, *replies: Any) -> None:
        self.pipe = Pipeline(list(replies))

    def pipeline(self, transaction: bool) -> Pipeline:
        assert not transaction
        return self.pipe


def sampler(*replies: Any) -> ServerSampler:
    return ServerSampler(cast(redis.Redis, Client(*replies)), RUNQY, QUEUES)


def answer(
    high: int, low: int, user_s: float, system_s: float, memory: int, process: str = "a"
) -> list[Any]:
    cpu = {"used_cpu_user": user_s, "used_cpu_sys": system_s}
    return [high, low, {"run_id": process}, cpu, {"used_memory": memory}]


def test_a_sample_holds_the_backlog_of_each_queue_and_what_the_server_uses() -> None:
    made = sampler(answer(3, 4, 1.5, 0.25, 1000), answer(5, 0, 2.0, 0.5, 2000))
    made.sample(0)
    made.sample(1_000_001)
    assert made.samples == [
        ServerSample(0, (3, 4), 1.75, 1000),
        ServerSample(1_000_001, (5, 0), 2.5, 2000),
    ]
    assert made.backlog == (5, 0)


@pytest.mark.parametrize(
    ("counts", "totals"),
    [
        ([("a", 5.0), ("a", 6.0), ("b", 0.25), ("b", 1.0)], [5.0, 6.0, 6.25, 7.0]),
        # The new process has used more by now than the old one had.
        ([("a", 0.5), ("b", 2.0)], [0.5, 2.5]),
        ([("a", 1.0), ("b", 1.0), ("c", 1.0)], [1.0, 2.0, 3.0]),
        # A server that hides its id shows a restart by its count alone.
        ([("", 5.0), ("", 1.0), ("", 2.0)], [5.0, 6.0, 7.0]),
    ],
)
def test_cpu_time_is_summed_over_the_processes_of_a_server_that_is_restarted(
    counts: list[tuple[str, float]], totals: list[float]
) -> None:
    made = sampler(*(answer(0, 0, used_s, 0.0, 1000, process) for process, used_s in counts))
    for second in range(len(counts)):
        made.sample(second * 1_000_000)
    assert [sample.cpu_s for sample in made.samples] == totals


def test_before_the_first_sample_every_backlog_is_empty() -> None:
    assert sampler().backlog == (0, 0)


@pytest.mark.parametrize(
    "error",
    [redis.exceptions.ConnectionError("gone"), redis.exceptions.ResponseError("NOPERM")],
)
def test_a_server_that_does_not_answer_leaves_a_gap(error: Exception) -> None:
    made = sampler(answer(3, 4, 0, 0, 1000), error, answer(1, 1, 0, 0, 1000))
    for second in range(3):
        made.sample(second * 1_000_000)
    assert [sample.offset_us for sample in made.samples] == [0, 2_000_000]
    assert made.backlog == (1, 1)

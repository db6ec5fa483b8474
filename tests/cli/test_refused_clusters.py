"""What cannot be done on a Redis Cluster is refused in one line, before anything is written."""

import pytest

from tests.cli.conftest import Bench
from tests.private_cluster import PrivateCluster

_RUN = ["run", "smoke", "--quiet"]
_ASYNQ = [*_RUN, "--layout", "asynq", "--queues", "a.high=1,a.low=1"]


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (_RUN, "layout runqy spreads a task's keys over several slots"),
        (["worker", "inference"], "layout runqy spreads a task's keys over several slots"),
        ([*_ASYNQ, "--distributed"], "Locust's processes keep to one server"),
        (["clients", "--tasks", "10"], "redis+cluster://"),
    ],
)
@pytest.mark.slow
def test_what_keeps_to_one_server_is_refused_on_a_cluster(
    bench: Bench,
    cluster: PrivateCluster,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    part: str,
) -> None:
    monkeypatch.setenv("BENCH_REDIS_URL", cluster.url)
    outcome = bench(*words)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.splitlines()[-1].startswith(f"bench: {part}")
    assert cluster.keys() == []


@pytest.mark.parametrize("words", [_ASYNQ, ["verify"], ["worker", "a", "--layout", "asynq"]])
@pytest.mark.slow
def test_a_server_that_is_no_node_and_a_cluster_without_slots_are_refused(
    bench: Bench,
    server_port: int,
    cluster_without_slots: PrivateCluster,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
) -> None:
    monkeypatch.setenv("BENCH_REDIS_URL", f"redis+cluster://127.0.0.1:{server_port}")
    outcome = bench(*words)
    assert outcome.code == 2
    assert outcome.err == (
        f"bench: 127.0.0.1:{server_port} is no node of a Redis Cluster: write "
        f"redis://127.0.0.1:{server_port} for a server on its own\n"
    )
    monkeypatch.setenv("BENCH_REDIS_URL", cluster_without_slots.url)
    outcome = bench(*words)
    assert outcome.code == 6
    assert "serves 16,300 of 16,384 slots" in outcome.err.splitlines()[-1]
    assert cluster_without_slots.keys() == []

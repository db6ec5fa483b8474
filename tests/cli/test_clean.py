"""``bench clean``: the server alone says how much there is to remove."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis

from bench.measure.ledger import Counts, total
from bench.records import run_record
from bench.run.removal import worker_name
from bench.wire import ids
from tests.cli.conftest import Bench
from tests.records.fixtures import RUN_ID, example_record

EXAMPLE = example_record()
RUN = int(RUN_ID, 16)
MANY = 10**12


@pytest.fixture
def client(url: str, monkeypatch: pytest.MonkeyPatch) -> redis.Redis:
    monkeypatch.setenv("BENCH_REDIS_URL", url)
    return redis.Redis.from_url(url, protocol=2)


def save(**changes: Any) -> Path:
    path = Path("record.json")
    run_record.save(msgspec.structs.replace(EXAMPLE, **changes), path)
    return path


def test_what_a_record_says_of_tasks_and_workers_costs_no_time(
    bench: Bench, client: redis.Redis
) -> None:
    """A million million of each: only what is there is looked for and removed."""
    layout = EXAMPLE.scenario.wire_layout
    task = ids.format_id(ids.TaskId(RUN, 0, MANY))
    own = layout.task("inference_high", task)
    client.hset(own, "payload", "{}")
    for number in (0, 7, MANY):
        client.hset(layout.worker(worker_name(RUN, number)), "healthy", "1")
    theirs = [layout.worker("bench-other-0"), layout.worker(f"{worker_name(RUN, 1)}x")]
    for key in theirs:
        client.hset(key, "healthy", "1")
    queues = {name: Counts(due=MANY, enqueued=MANY, completed=MANY) for name in EXAMPLE.queues}
    scenario = msgspec.structs.replace(EXAMPLE.scenario, workers=MANY)
    path = save(queues=queues, counts=total(queues.values()), scenario=scenario)
    outcome = bench("clean", str(path))
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == f"removed 1 keys of run {RUN_ID}\n"
    assert sorted(client.keys()) == sorted(key.encode() for key in theirs)


@pytest.mark.parametrize("text", ["", "x", "0a1b", "f" * 16, "-a1b2c3d4e5f607", "0A1B2C3D4E5F607"])
def test_a_record_whose_id_is_none_of_a_run_is_refused(
    bench: Bench, client: redis.Redis, text: str
) -> None:
    outcome = bench("clean", str(save(id=text)))
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert f"its id {text!r} is not that of a run" in outcome.err


def test_a_record_that_names_more_queues_than_can_be_looked_through_is_refused(
    bench: Bench, client: redis.Redis
) -> None:
    queues = {f"inference_{number}": Counts() for number in range(10_001)}
    outcome = bench("clean", str(save(queues=queues, counts=Counts())))
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert "it names 10,001 queues" in outcome.err

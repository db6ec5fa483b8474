"""From Locust's options and a user class to a scenario."""

from pathlib import Path

import pytest

from bench.errors import BenchError, ScenarioError, UsageError
from bench.locust.options import fields_of, scenario_of, setup_of
from bench.workload.scenario import Scenario


class Orders:
    queues = {"orders_high": 1, "orders_low": 3}  # noqa: RUF012 - as users write it
    rate = "2000/s"


class Refunds:
    queues = {"refunds_all": 1}  # noqa: RUF012 - as users write it


def scenario(
    options: dict[str, object] | None = None,
    fields: dict[str, object] | None = None,
    closed: bool | None = None,
    duration_s: float | None = 10.0,
) -> Scenario:
    return scenario_of(options or {}, fields or {}, closed, duration_s)


def test_without_anything_it_is_a_bounded_closed_loop_on_three_sub_queues() -> None:
    made = scenario()
    assert made.is_closed_loop
    assert list(made.queues) == ["inference_high", "inference_default", "inference_low"]
    assert made.max_backlog == 4096
    assert (made.workers, made.external_workers, made.duration_s) == (0, True, 10.0)


def test_options_win_over_the_class_and_the_class_over_the_scenario() -> None:
    fields = fields_of([Orders])
    assert scenario({"scenario": "default"}, fields).rate_per_s == 2000
    made = scenario({"scenario": "default", "rate": "500/s"}, fields)
    assert (made.rate_per_s, list(made.queues)) == (500, ["orders_high", "orders_low"])


@pytest.mark.parametrize(
    ("options", "workers", "external"),
    [
        ({}, 0, True),
        ({"enqueue_only": True}, 0, False),
        ({"start_worker": 3}, 3, False),
    ],
)
def test_who_serves(options: dict[str, object], workers: int, external: bool) -> None:
    made = scenario(options)
    assert (made.workers, made.external_workers) == (workers, external)


@pytest.mark.parametrize(
    ("closed", "options", "rate"),
    [
        (None, {}, None),
        (None, {"rate": "300/s"}, 300),
        (True, {}, None),
        (False, {}, 1000),
        (False, {"rate": "300/s"}, 300),
        (True, {"scenario": "default"}, None),
        (False, {"scenario": "enqueue-max"}, 1000),
    ],
)
def test_the_loop_is_what_the_users_can_do(
    closed: bool | None, options: dict[str, object], rate: float | None
) -> None:
    assert scenario(options, closed=closed).rate_per_s == rate


@pytest.mark.parametrize(
    ("closed", "options", "message"),
    [
        (True, {"rate": "5/s"}, "rate: these users send as fast as replies arrive"),
        (False, {"rate": "max"}, "rate: these users keep a schedule"),
        (None, {"rate": "5/s", "pipeline": "x"}, "pipeline: expected a whole number"),
        (None, {"failure_rate": "2"}, "failure_rate"),
        (None, {"store_results": "perhaps"}, "store_results: expected true or false"),
    ],
)
def test_what_does_not_go_together_is_refused(
    closed: bool | None, options: dict[str, object], message: str
) -> None:
    with pytest.raises(ScenarioError, match=message):
        scenario(options, closed=closed)


def test_a_test_without_an_end_has_no_duration() -> None:
    assert scenario({"rate": "5/s"}, duration_s=None).duration_s is None
    assert scenario({"scenario": "smoke"}, duration_s=None).duration_s == 5


def test_objectives_are_separated_by_semicolons() -> None:
    assert scenario({"slo": "e2e.p99 < 50ms; lost == 0"}).slo == ("e2e.p99 < 50ms", "lost == 0")


def test_users_of_one_test_share_a_scenario() -> None:
    with pytest.raises(UsageError, match=r"Refunds\.queues is .* another user class says"):
        fields_of([Orders, Refunds])


def test_a_scenario_file_is_relative_to_nothing_but_itself(tmp_path: Path) -> None:
    (tmp_path / "lines.jsonl").write_text('{"a": 1}\n')
    file = tmp_path / "own.toml"
    file.write_text(
        'rate = 10\nduration = "5s"\npayload_file = "lines.jsonl"\nqueues = {a_b = 1}\n'
    )
    made = scenario({"scenario": str(file)})
    assert made.payload_file == str(tmp_path / "lines.jsonl")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "no server given"),
        ({"redis_url": "redis://h:1/0", "embedded": True}, "remove one of them"),
        ({"redis_url": "redis://h:1/0", "server_binary": "redis-server"}, "remove one of them"),
    ],
)
def test_a_test_needs_one_server(options: dict[str, object], message: str) -> None:
    with pytest.raises(BenchError, match=message):
        setup_of(options)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('faults = "2s stall server 1s"', "faults: tests of Locust have none: use 'bench run'"),
        ('network = "1ms"', "network: tests of Locust have none: use 'bench run'"),
    ],
)
def test_a_scenario_with_faults_is_refused(tmp_path: Path, line: str, message: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(f'queues = {{ q_a = 1 }}\nrate = 5\nduration = "5s"\n{line}\n')
    with pytest.raises(ScenarioError, match=message):
        scenario({"scenario": str(file)})

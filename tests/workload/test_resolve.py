"""From fields as written to a scenario, or to one line on what is wrong."""

import re
from dataclasses import replace

import pytest

from bench.errors import ScenarioError
from bench.wire.frame_renderer import FrameRenderer
from bench.workload import library
from bench.workload.distribution import Distribution
from bench.workload.feed import Feed
from bench.workload.override import override
from bench.workload.resolve import parent_queue, resolve, worker_command
from bench.workload.scenario import Scenario
from bench.workload.schedule import RateStage

BASE: dict[str, object] = {
    "queues": {"inference_high": 1, "inference_low": 3},
    "rate": "100/s",
    "duration": "2s",
}
QUEUES = {"queues": {"inference_high": 1}}
STAGES = {**QUEUES, "stages": "5s@10/s"}
CLOSED = {**QUEUES, "rate": "max", "tasks": 10}


def test_fields_become_values_in_base_units() -> None:
    fields = {**BASE, "rate": "300/min", "payload_size": "1KiB", "service_time": "exp:2ms"}
    assert resolve(fields) == Scenario(
        queues={"inference_high": 1.0, "inference_low": 3.0},
        rate_per_s=5.0,
        duration_s=2.0,
        payload_size=Distribution("constant", mean=1024),
        service_time=Distribution("exp", mean=0.002),
    )


def test_what_is_not_written_has_the_default_of_the_scenario() -> None:
    assert resolve(BASE) == Scenario(
        queues={"inference_high": 1.0, "inference_low": 3.0}, rate_per_s=100, duration_s=2
    )


@pytest.mark.parametrize(
    "fields",
    [CLOSED, {**QUEUES, "arrivals": "max", "tasks": 10}, {**CLOSED, "arrivals": "max"}],
)
def test_a_closed_loop_is_written_as_rate_max_or_arrivals_max(fields: dict[str, object]) -> None:
    scenario = resolve(fields)
    assert scenario.is_closed_loop
    assert scenario.rate_per_s is None


def test_stages_give_rate_and_duration() -> None:
    scenario = resolve(STAGES)
    assert scenario.stages == (RateStage(5, 10, 10),)
    assert (scenario.rate_per_s, scenario.duration_s) == (None, None)
    assert (scenario.asked_per_s, scenario.planned_duration_s) == (10, 5)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({**BASE, "rte": 5}, "mine.toml: unknown field 'rte': did you mean 'rate'?"),
        ({**BASE, "wrkers": 5}, "mine.toml: unknown field 'wrkers': did you mean 'workers'?"),
        ({**BASE, "xyzzy": 5}, "mine.toml: unknown field 'xyzzy'"),
        (
            {**BASE, "queues": {"inference_high": 0}},
            "mine.toml: queues: the weight of 'inference_high' must be positive, not 0",
        ),
        (
            {**BASE, "queues": {"inference_high": -2}},
            "mine.toml: queues: the weight of 'inference_high' must be positive, not -2",
        ),
        (
            {**BASE, "rate": 0},
            "mine.toml: rate: the rate must be above zero; for no rate limit write max",
        ),
        (
            {**BASE, "rate": "0/s"},
            "mine.toml: rate: the rate must be above zero; for no rate limit write max",
        ),
        (
            {**BASE, "queues": {"high": 1}},
            "mine.toml: queues: 'high' is not a sub-queue: write PARENT_NAME, "
            "for example inference_high; or use layout = asynq or runqy-server, "
            "which takes any name",
        ),
        (
            {**BASE, "queues": {"_high": 1}},
            "mine.toml: queues: '_high' is not a sub-queue: write PARENT_NAME, "
            "for example inference_high; or use layout = asynq or runqy-server, "
            "which takes any name",
        ),
        (
            {**BASE, "queues": {"inference_": 1}},
            "mine.toml: queues: 'inference_' is not a sub-queue: write PARENT_NAME, "
            "for example inference_high; or use layout = asynq or runqy-server, "
            "which takes any name",
        ),
        (
            {**BASE, "queues": {"inference_high": 1, "simple_default": 1}},
            "mine.toml: queues: inference and simple are two parents; a worker serves one",
        ),
        (
            {**BASE, "queues": {}},
            "mine.toml: queues: name at least one, as in queues = {inference_high = 1}",
        ),
        (
            {"rate": 5, "duration": "5s"},
            "mine.toml: queues: name at least one, as in queues = {inference_high = 1}",
        ),
        (
            {**STAGES, "rate": "max"},
            "mine.toml: stages: a closed loop has no rate to follow; remove them, or rate = max",
        ),
        (
            {**BASE, "arrivals": "max"},
            "mine.toml: rate: arrivals = max has none; remove one of the two",
        ),
        (
            {**STAGES, "rate": 5},
            "mine.toml: rate: the stages give it already; remove one of the two",
        ),
        (
            {**STAGES, "duration": "5s"},
            "mine.toml: duration: the stages give it already; remove one of the two",
        ),
        (
            {**QUEUES, "duration": "5s"},
            "mine.toml: rate: it is missing; write tasks per second, for example 5000/s, or max",
        ),
        (
            {**QUEUES, "rate": 5},
            "mine.toml: duration: it is missing; write how long, for example 20s, or a number of "
            "tasks",
        ),
        (
            {**QUEUES, "rate": "max"},
            "mine.toml: duration: it is missing; write how long, for example 20s, or a number of "
            "tasks",
        ),
        (
            {**BASE, "max_backlog": 10},
            "mine.toml: max_backlog: only a closed loop waits for its workers; write rate = max, "
            "or remove it",
        ),
        (
            {**CLOSED, "worker_start": "after-fill", "workers": 0},
            "mine.toml: worker_start: there are no workers to start; remove it, or workers = 0",
        ),
        (
            {**BASE, "payload_file": "x.jsonl", "payload_size": "64B"},
            "mine.toml: payload_size: payload_file gives it already; remove one of the two",
        ),
        (
            {**BASE, "slo": "e2e{inference_hi}.p99 < 5ms"},
            "mine.toml: slo: 'e2e{inference_hi}.p99 < 5ms': no queue 'inference_hi': "
            "did you mean 'inference_high'?",
        ),
        (
            {**BASE, "workers": 0, "slo": "e2e.p99 < 5ms"},
            "mine.toml: slo: 'e2e.p99 < 5ms': without workers no task ends, so there is no e2e: "
            "write enqueue, or let workers serve the queues",
        ),
        (
            {**BASE, "workers": 0, "slo": "completed.rate > 5/s"},
            "mine.toml: slo: 'completed.rate > 5/s': without workers no task ends, so there is no "
            "completed.rate: write enqueue, or let workers serve the queues",
        ),
        (
            {**CLOSED, "slo": "schedule_lag.p99 < 5ms"},
            "mine.toml: slo: 'schedule_lag.p99 < 5ms': a closed loop has no schedule, so nothing "
            "is late for it; write enqueue",
        ),
        (
            {**BASE, "slo": "e2e_earliest.p99 < 5ms"},
            "mine.toml: slo: 'e2e_earliest.p99 < 5ms': it is the lower bound for an external "
            "worker's tasks; write e2e",
        ),
        (
            {**BASE, "rate": "max", "arrivals": "poisson"},
            "mine.toml: rate: max has no schedule, so arrivals cannot be poisson; remove one of "
            "the two",
        ),
        (
            {**BASE, "rate": "max", "arrivals": "constant"},
            "mine.toml: rate: max has no schedule, so arrivals cannot be constant; remove one of "
            "the two",
        ),
        (
            {**QUEUES, "stages": "5s@0/s,3s@0/s"},
            "mine.toml: stages: all their rates are zero; raise at least one",
        ),
        (
            {**BASE, "warmup": "2s"},
            "mine.toml: warmup: 2.00 s of 2.00 s leave nothing to measure; shorten it, or write "
            "auto",
        ),
        (
            {**QUEUES, "rate": "100/s", "tasks": 100, "warmup": "3s"},
            "mine.toml: warmup: 3.00 s of 1.00 s leave nothing to measure; shorten it, or write "
            "auto",
        ),
        (
            {**BASE, "payload_size": "10B"},
            "mine.toml: payload_size: 10 bytes is too small: the stamps alone take 54",
        ),
    ],
)
def test_a_bad_scenario_is_refused_in_one_line_that_names_the_field(
    fields: dict[str, object], message: str
) -> None:
    with pytest.raises(ScenarioError) as caught:
        resolve(fields, "mine.toml")
    assert str(caught.value) == message


@pytest.mark.parametrize("stages", ["5s@0/s,3s@1/s", "5s@0/s..1/s", "5s@1/s..0/s"])
def test_stages_may_be_silent_for_a_part_of_the_time(stages: str) -> None:
    assert resolve({**QUEUES, "stages": stages}).asked_per_s


@pytest.mark.parametrize(
    "changes",
    [
        {"max_backlog": 5},
        {"worker_start": "after-fill"},
        {"worker_start": "after-fill", "workers": 2},
        {"duration": "5s"},
    ],
)
def test_what_goes_together_in_a_closed_loop_is_accepted(changes: dict[str, object]) -> None:
    assert resolve({**CLOSED, **changes}).is_closed_loop


@pytest.mark.parametrize("slo", ["e2e.p99 < 5ms", "e2e{inference_low}.p99 < 5ms", "lost == 0"])
def test_an_objective_may_speak_of_all_queues_or_of_one_that_is_there(slo: str) -> None:
    assert resolve({**BASE, "slo": slo}).slo == (slo,)


@pytest.mark.parametrize("name", library.names())
def test_every_built_in_scenario_resolves(name: str) -> None:
    source, fields = library.load(name)
    scenario = resolve(fields, source)
    assert scenario.name == name
    assert parent_queue(scenario) == "inference"


CHANGES: list[dict[str, object]] = [
    {"seed": 9},
    {"tasks": 100},
    {"rate": "50/s", "duration": "2s"},
    {"rate": "max", "tasks": 100},
    {"payload_size": "1KiB"},
]
ON_TOP = [
    pytest.param(name, changes, id=f"{name}-{'+'.join(changes)}")
    for name in library.names()
    for changes in CHANGES
]


@pytest.mark.parametrize(("name", "changes"), ON_TOP)
def test_flags_fit_on_top_of_built_in_scenarios(name: str, changes: dict[str, object]) -> None:
    _, fields = library.load(name)
    scenario = resolve(override(fields, changes), name)
    kept = resolve(fields, name)
    assert scenario.queues == kept.queues
    for field, written in changes.items():
        read = resolve({**BASE, **override(BASE, {field: written})})
        attribute = {"rate": "rate_per_s", "duration": "duration_s"}.get(field, field)
        assert getattr(scenario, attribute) == getattr(read, attribute)


@pytest.mark.parametrize(
    ("queues", "parent"),
    [
        ({"inference_high": 1, "inference_low": 1}, "inference"),
        ({"simple_default": 1}, "simple"),
        ({"my_app_high": 1, "my_app_low": 1}, "my_app"),
    ],
)
def test_workers_register_for_the_parent_queue(queues: dict[str, int], parent: str) -> None:
    assert parent_queue(resolve({**BASE, "queues": queues})) == parent


STAMPS = re.compile(rb'\{"due_us":\d{16},"sent_us":\d{16}')


def send_all(fields: dict[str, object], start_us: int) -> tuple[bytes, list[int]]:
    """(the bytes of the whole workload, when each task is due after the start)."""
    scenario = resolve(fields)
    layout = scenario.wire_layout
    renderer = FrameRenderer(layout, list(scenario.queues), 1, 0, scenario.max_retry)
    feed = Feed(scenario, 0)
    sent, due_us = b"", []
    while feed.next_due_us() is not None:
        batch = feed.take(scenario.pipeline)
        due_us += batch.due_us.tolist()
        sent += renderer.render(replace(batch, due_us=batch.due_us + start_us)).stamped(
            start_us + due_us[-1]
        )
    return sent, due_us


@pytest.mark.parametrize("size", ["64B", "200B", "uniform:54B-300B", "lognormal:256B,0.8"])
@pytest.mark.parametrize("kind", ["constant", "poisson"])
def test_the_same_seed_is_the_same_workload_byte_for_byte_but_for_the_stamps(
    kind: str, size: str
) -> None:
    fields = {**BASE, "arrivals": kind, "payload_size": size, "pipeline": 32, "seed": 5}
    first, first_due_us = send_all(fields, 1_700_000_000_000_000)
    second, second_due_us = send_all(fields, 1_800_000_000_000_000)
    assert first != second
    assert STAMPS.sub(b"", first) == STAMPS.sub(b"", second)
    assert len(STAMPS.findall(first)) == len(first_due_us) > 100
    assert first_due_us == second_due_us


@pytest.mark.parametrize("kind", ["constant", "poisson"])
def test_another_seed_is_another_workload(kind: str) -> None:
    fields = {**BASE, "arrivals": kind, "payload_size": "200B"}
    first, _ = send_all({**fields, "seed": 5}, 1_700_000_000_000_000)
    second, _ = send_all({**fields, "seed": 6}, 1_700_000_000_000_000)
    assert STAMPS.sub(b"", first) != STAMPS.sub(b"", second)


@pytest.mark.parametrize(
    ("fields", "command"),
    [
        ({"queues": {"inference_high": 1, "inference_low": 1}}, "bench worker inference"),
        ({"queues": {"a_x": 1, "a_high": 2}}, "bench worker a --queues a_x,a_high"),
        (
            {"queues": {"critical": 1}, "layout": "asynq"},
            "bench worker critical --layout asynq --queues critical",
        ),
    ],
)
def test_the_command_that_starts_a_worker_serves_the_scenarios_queues(
    fields: dict[str, object], command: str
) -> None:
    assert worker_command(resolve({"rate": "max", "tasks": 1, **fields})) == command

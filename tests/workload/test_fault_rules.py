"""Which faults a run can have, and what is said of those that it cannot."""

import pytest

from bench.errors import ScenarioError, UsageError
from bench.workload import fault_rules
from bench.workload.fault_rules import ServerAbilities, require_able, required_abilities
from bench.workload.faults import FaultKind
from bench.workload.resolve import resolve
from bench.workload.scenario import Scenario

BASE: dict[str, object] = {"queues": {"a_b": 1}, "rate": 100, "duration": "60s", "workers": 4}
OWN = ServerAbilities(own_process=True, is_free=True)
EVERYTHING = ServerAbilities(own_process=True, is_free=True, replicas=True, proxy=True)


def scenario(faults: str, **fields: object) -> Scenario:
    return resolve({**BASE, **fields, "faults": faults})


REFUSED = [
    ("60s failover", {}, "'60s failover': the run enqueues for 60.0 s, and ends then"),
    ("2min failover", {}, "'120s failover': the run enqueues for 60.0 s"),
    ("12s failover", {"duration": None, "tasks": 1000}, "the run enqueues for 10.0 s"),
    ("12s kill worker 5", {}, "'12s kill worker 5': there is no worker 5, the last one is 4"),
    ("12s kill worker 1", {"workers": 0}, "with workers = 0 the run starts none that it could"),
    ("12s stall worker 1 1s", {"worker": "external"}, "give its worker_command"),
    ("12s kill worker 1", {"worker_start": "after-fill"}, "workers start when all is enqueued"),
    ("10s stall server 5s, 12s restart server", {}, "'12s restart server': '10s stall server 5s'"),
    ("10s stall server 5s, 12s stall server 5s", {}, "'12s stall server 5s': '10s stall server"),
    ("10s stall server 5s, 10s failover", {}, "'10s failover': '10s stall server 5s' is not over"),
    ("10s restart server, 10s failover", {}, "'10s failover': '10s restart server' is not over"),
    ("10s fill memory, 20s restart server", {}, "'20s restart server': '10s fill memory' is not"),
    ("10s every 5s stall server 6s", {}, "'15s stall server 6s': '10s stall server 6s' is not"),
    (
        "10s..20s network loss, 12s..13s network 1ms",
        {},
        "'12s..13s network 1ms': '10s..20s network loss' is not over by then",
    ),
    (
        "10s stall worker all 5s, 12s kill worker 1",
        {},
        "'12s kill worker 1': '10s stall worker all 5s' is not over by then",
    ),
    ("10s every 1s failover", {"rate": "max", "duration": None, "tasks": 9}, "is not known"),
]


@pytest.mark.parametrize(("faults", "fields", "message"), REFUSED)
def test_faults_that_cannot_be_are_refused_before_the_run(
    faults: str, fields: dict[str, object], message: str
) -> None:
    written = {name: each for name, each in {**BASE, **fields}.items() if each is not None}
    with pytest.raises(ScenarioError) as caught:
        resolve({**written, "faults": faults})
    said = str(caught.value)
    assert said.startswith("scenario: faults: ")
    assert message in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("faults", "fields"),
    [
        ("10s stall server 5s, 15s restart server", {}),
        ("100ms stall server 200ms, 300ms restart server", {}),
        ("10s stall server 5s, 12s kill worker 1", {}),
        ("10s stall server 5s, 12s..20s network loss", {}),
        ("10s stall worker 1 5s, 12s kill worker 2", {}),
        ("10s..20s network 5ms, 15s reset connections, 15s reset connections 50%", {}),
        ("90s failover", {"rate": "max", "duration": None, "tasks": 1000}),
        ("12s failover", {"rate": "max"}),
        ("12s kill worker 1", {"worker_command": "serve {url}"}),
        ("12s failover", {"workers": 0}),
    ],
)
def test_faults_that_can_be_are_taken(faults: str, fields: dict[str, object]) -> None:
    written = {name: each for name, each in {**BASE, **fields}.items() if each is not None}
    assert resolve({**written, "faults": faults}).faults


@pytest.mark.parametrize(
    ("slo", "fields", "message"),
    [
        (
            "recovery{restart}.time < 5s",
            {},
            "the run has no fault 'restart' that it could",
        ),
        ("lost{failover} == 0", {}, "the run has no fault 'failover'"),
        ("recovery{all}.time < 5s", {"faults": []}, "the run has no fault that it could be about"),
        ("duplicated{kil} == 0", {}, "no queue 'kil': did you mean 'kill'?"),
        (
            "lost{kill} == 0",
            {"layout": "asynq", "queues": {"kill": 1}},
            "'kill' is both a queue and a kind of fault, of which lost{kill} means the fault",
        ),
        (
            "run_again{stall} == 0",
            {"workers": 0, "faults": "9s stall server 1s"},
            "without workers no task ends, so there is no run_again",
        ),
    ],
)
def test_an_objective_about_faults_needs_such_a_fault(
    slo: str, fields: dict[str, object], message: str
) -> None:
    with pytest.raises(ScenarioError) as caught:
        resolve({**BASE, "faults": "12s kill worker 1", "slo": slo, **fields})
    assert str(caught.value).startswith(f"scenario: slo: {slo!r}: {message}")


def test_objectives_about_the_faults_of_a_run_are_taken() -> None:
    slo = ["recovery{kill}.time < 5s", "recovery{all}.time < 5s", "lost{kill} == 0", "lost == 0"]
    assert scenario("12s kill worker 1", slo=slo).slo == tuple(slo)


@pytest.mark.parametrize(
    ("fault", "server", "reason"),
    [
        ("12s stall server 1s", ServerAbilities(is_free=True), "the run has started"),
        ("12s restart server", ServerAbilities(), "the run has started"),
        ("12s fill memory", ServerAbilities(is_free=True, proxy=True), "the run has started"),
        ("12s pause clients 1s", ServerAbilities(proxy=True), "give --faults-on-shared"),
        ("12s reset connections", ServerAbilities(), "give --faults-on-shared"),
        ("12s failover", ServerAbilities(is_free=True), "no replica that could take over"),
        ("12s failover", ServerAbilities(replicas=True), "give --faults-on-shared"),
        ("12s kill server", OWN, "write restart server"),
        ("12s..13s network loss", OWN, "do not go through the run's proxy"),
    ],
)
def test_a_server_that_does_not_allow_a_fault_is_told_in_one_line(
    fault: str, server: ServerAbilities, reason: str
) -> None:
    faults = scenario(fault).faults
    with pytest.raises(UsageError) as caught:
        require_able(faults, server)
    assert str(caught.value).startswith(f"faults: {faults[0].text!r}: ")
    assert reason in str(caught.value)
    require_able(faults, EVERYTHING)


def test_a_server_of_the_run_allows_what_needs_neither_replica_nor_proxy() -> None:
    plan = "1s stall server 1s, 3s restart server, 5s pause clients 1s, 7s fill memory"
    require_able(scenario(f"{plan}, 8s reset connections").faults, OWN)


def test_faults_of_workers_need_nothing_of_the_server() -> None:
    plan = scenario("1s kill worker 1, 2s start worker, 3s stall worker 2 1s").faults
    require_able(plan, ServerAbilities())
    assert {each.kind for each in plan} == {FaultKind.KILL, FaultKind.START, FaultKind.STALL}
    assert {required_abilities(each) for each in plan} == {ServerAbilities()}


@pytest.mark.parametrize(
    ("faults", "fields", "note"),
    [
        ("12s failover", {"warmup": "10s"}, None),
        ("5s failover", {"warmup": "10s"}, "'5s failover' begins within the warm-up"),
        ("58s stall server 10s", {}, None),
        ("58s stall server 40s", {}, "lengthen drain_timeout to 38.0 s or more"),
        ("58s stall server 40s", {"drain_timeout": "1min"}, None),
    ],
)
def test_a_fault_that_may_not_show_what_it_is_meant_to_is_noted(
    faults: str, fields: dict[str, object], note: str | None
) -> None:
    said = fault_rules.notes(scenario(faults, **fields))
    assert len(said) == (note is not None)
    assert (note or "") in "".join(said)

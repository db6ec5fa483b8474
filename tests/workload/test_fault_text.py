"""Faults as they are written, and back."""

from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import UsageError
from bench.workload.fault_actions import LASTING, SIGNALS
from bench.workload.fault_text import fault_of, fault_text, parse_fault, parse_faults
from bench.workload.faults import Fault, FaultKind, Network, PlannedFault, Which
from tests.workload.test_network_text import micros, networks

MOMENTS = micros(0, 10**9)
LENGTHS = micros(1, 10**8)


@st.composite
def planned_faults(draw: st.DrawFn) -> PlannedFault:
    """Any fault that can be written."""
    kind = draw(st.sampled_from(FaultKind))
    of_worker = kind in (FaultKind.START,) or (
        kind in (FaultKind.STALL, FaultKind.KILL) and draw(st.booleans())
    )
    more: dict[str, Any] = {}
    if kind == FaultKind.KILL:
        more["signal"] = draw(st.sampled_from(SIGNALS))
    if kind == FaultKind.RESTART:
        more["keeps_data"] = draw(st.booleans())
    if kind == FaultKind.RESET:
        more["share"] = draw(st.integers(1, 1000)) / 1000
    if kind == FaultKind.NETWORK:
        more["network"] = draw(networks())
    if kind in LASTING and (kind != FaultKind.FILL or draw(st.booleans())):
        more["lasts_s"] = draw(LENGTHS)
    fault = Fault(kind=kind, at_s=draw(MOMENTS), of_worker=of_worker, **more)
    return PlannedFault(fault=fault, which=draw(whiches(fault)), **draw(repetitions(fault)))


def whiches(fault: Fault) -> st.SearchStrategy[Which]:
    if not fault.of_worker:
        return st.none()
    words: list[Which] = ["all", None if fault.kind == FaultKind.START else "any"]
    return st.integers(1, 256) | st.sampled_from(words)


def repetitions(fault: Fault) -> st.SearchStrategy[dict[str, Any]]:
    times = st.none() | st.integers(1, 1000)
    return (
        st.just({})
        | st.fixed_dictionaries({"every_s": LENGTHS, "times": times})
        | st.fixed_dictionaries(
            {
                "drawn_until_s": LENGTHS.map(lambda each: round(fault.at_s + each, 6)),
                "times": times,
            }
        )
    )


@given(planned_faults())
def test_what_is_written_of_a_fault_is_read_back_as_it_was(planned: PlannedFault) -> None:
    assert parse_fault(fault_text(planned)) == planned


@given(st.lists(planned_faults(), max_size=4))
def test_faults_are_separated_by_commas_or_semicolons(plan: list[PlannedFault]) -> None:
    texts = [fault_text(each) for each in plan]
    assert parse_faults(",".join(texts)) == parse_faults(" ;".join(texts)) == tuple(plan)


WORDS = ("12s", "1s..5s", "every", "x3", "random", "stall", "kill", "-TERM", "network", "±", "for")
MORE_WORDS = ("server", "worker", "all", "any", "1", "50%", "loss", "5ms", "reset", "1/s", "empty")


@given(st.lists(st.sampled_from([*WORDS, *MORE_WORDS]), max_size=9).map(" ".join))
def test_any_words_are_a_fault_that_can_be_written_or_are_refused(text: str) -> None:
    try:
        planned = parse_fault(text)
    except UsageError:
        return
    assert parse_fault(fault_text(planned)) == planned


def fault(kind: str, at_s: float, which: Which = None, **more: Any) -> PlannedFault:
    repeated = {
        name: more.pop(name) for name in ("every_s", "times", "drawn_until_s") if name in more
    }
    of_worker = which is not None or kind == "start"
    struck = Fault(kind=FaultKind(kind), at_s=at_s, of_worker=of_worker, **more)
    return PlannedFault(fault=struck, which=which, **repeated)


WRITTEN = [
    ("12s stall server 3s", fault("stall", 12, lasts_s=3)),
    ("12s stall server for 3s", fault("stall", 12, lasts_s=3)),
    ("12s..15s stall server", fault("stall", 12, lasts_s=3)),
    ("  1m30s   stall  worker 2  1s ", fault("stall", 90, 2, lasts_s=1)),
    ("20s kill worker 1", fault("kill", 20, 1)),
    ("20s kill -TERM worker all", fault("kill", 20, "all", signal="TERM")),
    ("20s kill -sigint worker any", fault("kill", 20, "any", signal="INT")),
    ("20s kill -9 worker 1", fault("kill", 20, 1, signal="KILL")),
    ("20s kill server", fault("kill", 20)),
    ("25s start worker", fault("start", 25)),
    ("25s start worker 2", fault("start", 25, 2)),
    ("30s restart server", fault("restart", 30)),
    ("30s restart server empty", fault("restart", 30, keeps_data=False)),
    ("30s failover", fault("failover", 30)),
    ("40s reset connections", fault("reset", 40)),
    ("40s reset connections 50%", fault("reset", 40, share=0.5)),
    ("40s reset connections 0.05", fault("reset", 40, share=0.05)),
    (
        "45s..55s network 20ms+-5ms",
        fault("network", 45, lasts_s=10, network=Network(round_trip_s=0.02, jitter_s=0.005)),
    ),
    (
        "45s .. 55s network 20ms ± 5ms",
        fault("network", 45, lasts_s=10, network=Network(round_trip_s=0.02, jitter_s=0.005)),
    ),
    (
        "45s network loss for 5s",
        fault("network", 45, lasts_s=5, network=Network(is_black_hole=True)),
    ),
    ("50s fill memory", fault("fill", 50)),
    ("50s..60s fill memory", fault("fill", 50, lasts_s=10)),
    ("500ms pause clients 2s", fault("pause", 0.5, lasts_s=2)),
    ("10s every 5s failover", fault("failover", 10, every_s=5)),
    ("10s every 5s x3 stall server 1s", fault("stall", 10, every_s=5, times=3, lasts_s=1)),
    ("10s every 5s x3 kill worker any", fault("kill", 10, "any", every_s=5, times=3)),
    ("random 10s..50s failover", fault("failover", 10, drawn_until_s=50)),
    (
        "random 10s..50s x20 kill worker any",
        fault("kill", 10, "any", drawn_until_s=50, times=20),
    ),
]


@pytest.mark.parametrize(("text", "planned"), WRITTEN)
def test_a_fault_is_read_as_it_is_meant(text: str, planned: PlannedFault) -> None:
    assert parse_fault(text) == planned
    assert parse_fault(fault_text(planned)) == planned


def test_every_kind_of_fault_can_be_written() -> None:
    assert {planned.fault.kind for _, planned in WRITTEN} == {*FaultKind}
    assert {"all", "any"} <= {planned.which for _, planned in WRITTEN}
    assert get_args(get_args(Which)[1]) == ("all", "any")


REFUSED = [
    ("stall server 3s", "it does not say when: write for example 12s stall server 3s"),
    ("-5s failover", "it does not say when"),
    ("12 failover", "'12' has no unit: write 12ms or 12s"),
    ("12s", "it does not say what is done: there are stall, pause, kill"),
    ("12s stal server 3s", "'stal' is no fault: did you mean 'stall'?"),
    ("12s stall", "it does not say to what: write stall server 3s, or stall worker 1"),
    ("12s stall servr 3s", "'servr' is not known here: did you mean 'server'?"),
    ("12s stall server", "it does not say how long: add for 3s, as in 12s stall server for 3s"),
    ("12s stall server 3", "'3' has no unit: write 3ms or 3s"),
    ("12s stall server 0s", "'0s': it must be longer than zero"),
    ("12s..15s stall server 3s", "it says twice how long"),
    ("12s stall server now 3s", "'now 3s' is not known here: write stall server 3s"),
    ("12s kill", "it does not say to what: write kill worker 1"),
    ("12s kill worker", "it does not say which worker: write worker 1, worker all, or worker any"),
    ("12s kill worker one", "'one' is no worker: write worker 1"),
    ("12s kill worker 0", "worker 0 cannot be: workers are counted from 1"),
    ("12s kill worker 1 3s", "'1 3s' is no worker"),
    ("12s kill worker 1 for 3s", "kill is over at once: remove 3s"),
    ("12s kill -TREM worker 1", "-TREM is no signal that ends a process: did you mean 'TERM'?"),
    ("12s kill -STOP worker 1", "-STOP ends no process: write stall"),
    ("12s start worker any", "any is for workers that are there: write start worker"),
    ("12s start server", "'server' is not known here"),
    ("12s restart", "it does not say to what: write restart server"),
    ("12s restart server emptied", "'emptied' is not known here: write restart server"),
    ("12s failover now", "failover takes no more words: remove 'now'"),
    ("12s reset connection", "'connection' is not known here: did you mean 'connections'?"),
    ("12s reset connections 5", "'5' has no unit: write 5% for a percentage"),
    ("12s pause clients", "it does not say how long: add for 3s, as in 12s pause clients for 3s"),
    ("12s network loss", "it does not say how long: add for 3s, as in 12s network loss for 3s"),
    ("12s..15s network", "say what the network is like"),
    ("12s fill disk", "'disk' is not known here: write fill memory"),
    ("10s..50s kill worker any", "kill is over at once and takes one moment; for one that"),
    ("50s..10s network loss", "its end is not after its begin"),
    ("10s x3 failover", "x3 needs to know when: write 10s every 5s x3, or random 10s..50s x3"),
    ("10s every failover", "every needs a duration"),
    ("10s every 0s failover", "it must be longer than zero"),
    ("10s every 5s x0 failover", "x0 is out of range: it must be from x1 to x1000"),
    ("10s every 5s x2000 failover", "x2000 is out of range"),
    ("random 10s x3 failover", "random needs two moments"),
    ("random 10s..50s every 5s failover", "its moments are either random or every so often"),
    ("rndom 10s..50s failover", "'rndom' is no moment: did you mean 'random'?"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_what_is_no_fault_is_refused_in_words(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_fault(text)
    assert str(caught.value).startswith(f"{text!r}: {message}")


@pytest.mark.parametrize(
    ("at", "do", "lasts", "text"),
    [
        ("12s", "stall server", "3s", "12s stall server 3s"),
        ("12s..15s", "stall server", None, "12s stall server 3s"),
        ("12s", "stall server 3s", None, "12s stall server 3s"),
        ("45s", "network loss", "5s", "45s..50s network loss"),
        ("10s every 5s x3", "network 20ms", "1s", "10s every 5s x3 network 20ms for 1s"),
        ("random 10s..50s x20", "kill worker any", None, "random 10s..50s x20 kill worker any"),
    ],
)
def test_a_table_says_the_same_as_a_text(at: str, do: str, lasts: str | None, text: str) -> None:
    assert fault_of(at, do, lasts) == parse_fault(text)


@pytest.mark.parametrize(
    ("at", "do", "lasts", "message"),
    [
        ("12s stall", "server 3s", None, "'server 3s': at: 'stall' is no part of a moment"),
        ("12s", "stall server 3s", "3s", "'stall server 3s': lasts: do says already how long"),
        ("12s", "failover", "3s", "'failover': failover is over at once: remove 3s"),
        ("soon", "failover", None, "'failover': it does not say when"),
    ],
)
def test_a_table_that_says_something_else_is_refused(
    at: str, do: str, lasts: str | None, message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        fault_of(at, do, lasts)
    assert str(caught.value).startswith(message)


def test_a_plan_names_the_fault_that_cannot_be_read() -> None:
    with pytest.raises(UsageError, match=r"^'13s stal server 1s': 'stal' is no fault"):
        parse_faults("12s stall server 3s, 13s stal server 1s")


def test_a_planned_fault_has_neither_worker_nor_text_yet() -> None:
    """The seed may decide them, and ``fault_text`` makes the text of whatever was decided."""
    for _, planned in WRITTEN:
        assert planned.fault == msgspec.structs.replace(planned.fault, worker=None, text="")

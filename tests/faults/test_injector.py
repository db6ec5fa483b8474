"""The injector: each fault at its moment, undone whatever happens, and told where it was not."""

import random
import signal
import threading
import time
from dataclasses import dataclass, field

import pytest

from bench.errors import ServerUnreachable
from bench.faults.injector import Injector
from bench.faults.targets import FaultFailed, FaultTargets
from bench.workload.fault_rules import ServerAbilities
from bench.workload.faults import Fault, FaultKind, Network


@dataclass
class Struck:
    """A server, workers and a network that note what is done to them."""

    began_s: float = field(default_factory=time.monotonic)
    done: list[str] = field(default_factory=list)
    fails: Exception | None = None
    is_up: bool = True
    comes_back: threading.Event = field(default_factory=threading.Event)
    abilities: ServerAbilities = field(default_factory=ServerAbilities)

    def now_us(self) -> int:
        return round((time.monotonic() - self.began_s) * 1e6)

    def note(self, what: str) -> None:
        if self.fails is not None:
            raise self.fails
        self.done.append(what)

    def stall(self, number: int | None = None) -> None:
        self.note("stall" if number is None else f"stall {number}")

    def resume(self, number: int | None = None) -> None:
        self.note("resume" if number is None else f"resume {number}")

    def kill(self, number: int | signal.Signals | None, with_signal: object = None) -> None:
        self.note(f"kill {number}")

    def restart(self, *, keeps_data: bool) -> None:
        self.note("restart" if keeps_data else "restart empty")
        assert self.comes_back.wait(20)

    def failover(self) -> None:
        self.note("failover")

    def pause(self, seconds: float) -> None:
        self.note("pause")

    def fill(self) -> None:
        self.note("fill")

    def make_room(self) -> None:
        self.note("make room")

    def reset_connections(self, share: float, draw: random.Random) -> int:
        self.note(f"reset {share} {draw.random()}")
        return 1

    def start(self, number: int | None) -> None:
        self.note(f"start {number}")

    def set_network(self, network: Network) -> None:
        self.note(f"network {network.round_trip_s}")

    def reset(self, share: float) -> int:
        self.note(f"network reset {share}")
        return 1


class SlowToUndo(Struck):
    """Undoing takes a while, as where a machine is busy."""

    def note(self, what: str) -> None:
        if what in ("resume", "make room", "network 0.0"):
            time.sleep(0.05)
        super().note(what)


def injector(struck: Struck, *faults: Fault, with_network: bool = False, seed: int = 1) -> Injector:
    network = struck if with_network else None
    return Injector(faults, FaultTargets(struck, struck, network), struck.now_us, seed)


def await_done(struck: Struck, count: int) -> None:
    deadline_s = time.monotonic() + 20
    while len(struck.done) < count:
        assert time.monotonic() < deadline_s, struck.done
        time.sleep(0.001)


def fault(kind: str, at_s: float = 0.0, **changes: object) -> Fault:
    return Fault(kind=FaultKind(kind), at_s=at_s, **changes)  # type: ignore[arg-type]


def test_without_faults_nothing_is_started() -> None:
    threads = threading.active_count()
    with Injector((), None, lambda: 0) as idle:
        assert threading.active_count() == threads
        assert not idle.is_server_away
        assert idle.until_next_s(0.1) == 0.1
    assert idle.faults == ()


def test_a_fault_begins_at_its_moment_and_is_undone_when_it_has_lasted() -> None:
    struck = Struck()
    with injector(struck, fault("stall", 0.05, lasts_s=0.1)) as running:
        await_done(struck, 2)
    (note,) = running.faults
    assert struck.done == ["stall", "resume"]
    assert note.began_us is not None
    assert note.began_us >= 50_000
    assert note.ended_us is not None
    assert note.ended_us >= 150_000
    assert note.problem == ""


@pytest.mark.parametrize(
    ("kind", "done", "with_network"),
    [
        ("stall", ["stall", "resume"], False),
        ("fill", ["fill", "make room"], False),
        ("network", ["network 0.5", "network 0.0"], True),
    ],
)
def test_a_fault_that_begins_where_another_ends_is_not_undone_with_it(
    kind: str, done: list[str], with_network: bool
) -> None:
    struck = SlowToUndo()
    bad = Network(round_trip_s=0.5)
    plan = [fault(kind, at_s, lasts_s=0.02, network=bad) for at_s in (0.0, 0.02, 0.04)]
    with injector(struck, *plan, with_network=with_network) as running:
        await_done(struck, 6)
    assert struck.done == done * 3
    first, second, _ = running.faults
    assert first.ended_us <= second.began_us  # type: ignore[operator]


def test_a_fault_that_waits_for_the_one_before_does_not_begin_after_the_run() -> None:
    struck = SlowToUndo()
    with injector(struck, fault("stall", lasts_s=0.02), fault("stall", 0.02, lasts_s=50)) as it:
        await_done(struck, 1)
        while it.faults[0].began_us is None or struck.now_us() < 30_000:
            time.sleep(0.001)
    assert struck.done == ["stall", "resume"]
    assert (it.faults[1].began_us, it.faults[1].problem) == (
        None,
        "the run was over before its moment",
    )


def test_a_fault_that_began_late_lasts_as_long_as_was_asked() -> None:
    struck = Struck(began_s=time.monotonic() - 100)  # its moment was a hundred seconds ago
    with injector(struck, fault("stall", lasts_s=0.1)) as running:
        await_done(struck, 2)
    (note,) = running.faults
    assert note.ended_us - note.began_us >= 100_000  # type: ignore[operator]


def test_what_is_under_way_is_undone_at_the_end() -> None:
    struck = Struck()
    with injector(struck, fault("stall", lasts_s=100), fault("fill", 0.0), fault("kill", 50)) as it:
        await_done(struck, 2)
        assert it.is_under_way
    assert sorted(struck.done) == ["fill", "make room", "resume", "stall"]
    stall, fill, kill = it.faults
    assert stall.ended_us is not None
    assert stall.ended_us < 50_000_000
    assert fill.ended_us is not None
    assert (kill.began_us, kill.problem) == (None, "the run was over before its moment")


def test_what_is_under_way_is_undone_when_the_run_fails() -> None:
    struck = Struck()

    def fail() -> None:
        with injector(struck, fault("stall", lasts_s=100)):
            await_done(struck, 1)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert struck.done == ["stall", "resume"]


def test_a_restart_that_takes_long_does_not_delay_the_next_fault() -> None:
    struck = Struck()
    with injector(struck, fault("restart"), fault("kill", 0.02, of_worker=True, worker=1)) as it:
        await_done(struck, 2)
        assert it.is_server_away
        assert it.returns == 0
        struck.comes_back.set()
    restart, kill = it.faults
    assert struck.done == ["restart", "kill 1"]
    assert restart.ended_us is not None
    assert kill.ended_us is not None
    assert restart.ended_us > kill.ended_us
    assert it.returns == 1


def test_a_server_that_was_killed_is_away_until_the_next_restart() -> None:
    struck = Struck()
    struck.comes_back.set()
    with injector(struck, fault("kill"), fault("restart", 0.05)) as it:
        await_done(struck, 2)
    kill, restart = it.faults
    assert kill.ended_us is not None
    assert restart.ended_us is not None
    assert kill.ended_us >= restart.began_us  # type: ignore[operator]


def test_a_server_that_never_came_back_has_no_end() -> None:
    struck = Struck(is_up=False)
    with injector(struck, fault("kill"), fault("stall", 60, lasts_s=1)) as it:
        await_done(struck, 1)
        assert it.is_server_away
    assert it.faults[0].began_us is not None
    assert it.faults[0].ended_us is None


@pytest.mark.parametrize(
    ("error", "has_begun"),
    [(FaultFailed("there is no worker 7"), False), (ServerUnreachable("gone: look"), True)],
)
def test_a_fault_that_fails_is_told(error: Exception, has_begun: bool) -> None:
    struck = Struck(fails=error)
    with injector(struck, fault("restart")) as it:
        deadline_s = time.monotonic() + 20
        while not it.faults[0].problem:
            assert time.monotonic() < deadline_s
    assert it.faults[0].problem == str(error)
    assert (it.faults[0].began_us is not None) is has_begun
    assert it.faults[0].ended_us is None


def test_a_worker_is_started_by_the_thread_that_takes_messages() -> None:
    struck = Struck()
    with injector(struck, fault("start", 0.03, of_worker=True, worker=2)) as it:
        assert it.until_next_s(10) <= 0.03
        it.inject_due()
        assert struck.done == []
        while it.until_next_s(10) == 0.0 or not struck.done:
            it.inject_due()
        assert it.until_next_s(10) == 10
    assert struck.done == ["start 2"]
    assert it.faults[0].ended_us is not None


def test_the_network_is_changed_and_changed_back() -> None:
    struck = Struck()
    bad = fault("network", lasts_s=0.02, network=Network(round_trip_s=0.5))
    with injector(struck, bad, fault("reset", share=0.5), with_network=True):
        await_done(struck, 3)
    assert sorted(struck.done) == ["network 0.0", "network 0.5", "network reset 0.5"]


def test_a_bad_network_needs_a_proxy() -> None:
    struck = Struck()
    with injector(struck, fault("network", lasts_s=0.02)) as it:
        deadline_s = time.monotonic() + 20
        while not it.faults[0].problem:
            assert time.monotonic() < deadline_s
    assert it.faults[0].began_us is None
    assert "straight to the server" in it.faults[0].problem


def test_the_seed_draws_the_same_connections_again() -> None:
    drawn = []
    for seed in (1, 1, 2):
        struck = Struck()
        with injector(struck, fault("reset"), seed=seed):
            await_done(struck, 1)
        drawn.append(struck.done)
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_full_memory_without_an_end_lasts_while_tasks_are_enqueued() -> None:
    struck = Struck()
    with injector(struck, fault("fill"), fault("kill", 100)) as it:
        await_done(struck, 1)
        it.enqueueing_over()
        await_done(struck, 2)
    assert struck.done == ["fill", "make room"]

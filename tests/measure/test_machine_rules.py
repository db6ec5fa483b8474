"""What about the machine makes figures doubtful is a warning, and never a verdict."""

from dataclasses import replace

import msgspec
import pytest

from bench.measure import machine_rules
from bench.measure.bottleneck import MachineUse
from bench.measure.canary import LEAST_ROUNDS, Canaries, Canary, Timing
from bench.measure.verdict_inputs import WatchedMachine

CALM = MachineUse(
    cores=4,
    user_cores=1.0,
    system_cores=0.5,
    steal_cores=0.0,
    generator_cores=0.5,
    worker_cores=0.5,
    harness_cores=0.1,
    other_cores=0.0,
)
CANARY = Canary(
    spin=Timing(1e-3, 2e-3),
    memory=Timing(5e-4, 6e-4),
    loopback=Timing(8e-6, 9e-6),
    rounds=LEAST_ROUNDS,
    took_s=0.5,
)
QUIET = WatchedMachine(
    use=CALM,
    canaries=Canaries(CANARY, CANARY),
    governor="performance",
    clock_source="tsc",
)


def found(machine: WatchedMachine) -> dict[str, str]:
    """The warnings by their codes."""
    reasons = list(machine_rules.notes(machine))
    assert all(reason.verdict is None for reason in reasons)
    return {reason.code: reason.message for reason in reasons}


def test_a_quiet_machine_is_not_mentioned_nor_is_one_of_which_nothing_is_known() -> None:
    assert found(QUIET) == {}
    assert found(WatchedMachine()) == {}
    assert found(replace(QUIET, canaries=Canaries(CANARY))) == {}


def test_a_canary_that_takes_longer_after_the_run_says_what_changed() -> None:
    slower = msgspec.structs.replace(CANARY, spin=Timing(1.2e-3, 2e-3))
    message = found(replace(QUIET, canaries=Canaries(CANARY, slower)))["machine_changed"]
    assert "a loop of the interpreter took 1.00 ms before it and 1.20 ms after it" in message


@pytest.mark.parametrize(("share", "is_told"), [(None, False), (0.005, False), (0.01, True)])
def test_a_quota_that_was_used_up_in_the_window_is_told(share: float | None, is_told: bool) -> None:
    use = msgspec.structs.replace(CALM, quota_cores=2.0, throttled_share=share, throttled_s=0.8)
    messages = found(replace(QUIET, use=use))
    assert ("throttled" in messages) == is_told
    if is_told:
        assert "2 cores was used up in 1% of its periods, 800 ms in all" in messages["throttled"]


@pytest.mark.parametrize(("cores", "is_told"), [(0.03, False), (0.04, True)])
def test_time_that_the_hypervisor_took_is_told(cores: float, is_told: bool) -> None:
    use = msgspec.structs.replace(CALM, steal_cores=cores)
    assert ("stolen" in found(replace(QUIET, use=use))) == is_told


@pytest.mark.parametrize(
    ("source", "is_told"), [(None, False), ("kvm-clock", False), ("hpet", True), ("xen", True)]
)
def test_a_clock_source_that_takes_a_system_call_is_told(source: str | None, is_told: bool) -> None:
    assert ("clock_source" in found(replace(QUIET, clock_source=source))) == is_told


def test_a_saving_governor_and_a_watcher_that_ended_are_told() -> None:
    assert list(found(replace(QUIET, governor="powersave"))) == ["powersave"]
    unwatched = found(replace(QUIET, problem="it ended"))
    assert "(bench.watcher): it ended; the" in unwatched["not_watched"]

"""What a worker was doing between two moments."""

import numpy as np
import pytest

from bench.worker.slot_states import SlotStates, change_of

START_US = 1_800_000_000_000_000


def between(states: SlotStates, begins_us: int, ends_us: int) -> tuple[float, float]:
    asked, blocked = states.between(
        np.array([START_US + begins_us]), np.array([START_US + ends_us])
    )
    return float(asked[0]), float(blocked[0])


def serving_one(states: SlotStates, at_us: int) -> None:
    """100 µs of asking, 20 of commands, 60 of service, 20 of commands, from that moment on."""
    at_us += START_US
    states.change(at_us, change_of(pops=1))
    states.change(at_us + 100, change_of(pops=-1, commands=1))
    states.change(at_us + 120, change_of(commands=-1, serving=1))
    states.change(at_us + 180, change_of(commands=1, serving=-1))
    states.change(at_us + 200, change_of(commands=-1))


def test_a_wait_is_split_by_what_the_slot_was_doing() -> None:
    states = SlotStates()
    serving_one(states, 0)
    serving_one(states, 200)
    assert between(states, 0, 200) == (100, 40)
    assert between(states, 50, 110) == (50, 10)
    assert between(states, 110, 350) == (100, 50)  # a wait over the end of the first task
    assert between(states, 130, 170) == (0, 0)  # in service


def test_before_the_worker_began_nobody_asked() -> None:
    states = SlotStates()
    serving_one(states, 1_000)
    assert between(states, 0, 1_000) == (0, 0)
    assert SlotStates().between(np.array([5]), np.array([9]))[0].tolist() == [0]


def test_slots_in_service_and_slots_with_commands_share_the_time() -> None:
    """One of two slots serves, the other one waits for a reply: half of the time each."""
    states = SlotStates(2)
    states.change(START_US, change_of(serving=1, commands=1))
    states.change(START_US + 100, change_of(commands=-1))
    states.change(START_US + 200, change_of(serving=-1))
    assert between(states, 0, 200) == (0, 50)


def test_while_one_slot_asks_the_task_is_in_delivery_whatever_the_others_do() -> None:
    states = SlotStates(2)
    states.change(START_US, change_of(serving=1, pops=1))
    states.change(START_US + 100, change_of(pops=-1, commands=1))
    states.change(START_US + 100, change_of(commands=-1))
    assert between(states, 0, 100) == (100, 0)


@pytest.mark.parametrize("tasks", [100, 15_000])
def test_memory_is_bounded_and_the_totals_stay_exact(tasks: int) -> None:
    states = SlotStates()
    for number in range(tasks):
        serving_one(states, 200 * number)
    asked, blocked = between(states, 0, 200 * tasks)
    assert [asked, blocked] == pytest.approx([100 * tasks, 40 * tasks])
    assert states.kept <= 1 << 15
    recent = 200 * (tasks - 50)
    assert between(states, recent, recent + 2_000) == (1_000, 400)

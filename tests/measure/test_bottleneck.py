"""A run's attribution names what it was bound by."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from bench.measure.bottleneck import Limit, Load, MachineUse, attribute
from bench.measure.slots import SlotUse

IDLE = MachineUse(
    cores=2,
    user_cores=0.6,
    system_cores=0.2,
    steal_cores=0.0,
    server_cores=0.3,
    generator_cores=0.3,
    worker_cores=0.2,
    harness_cores=0.0,
    other_cores=0.0,
)
LIGHT = Load(
    server_cores=0.5,
    worker_cores=0.5,
    producer_cores=0.5,
    is_closed_loop=False,
    is_late=False,
    falls_behind=False,
    slots=SlotUse(concurrency=2, busy=0.4),
    waits_for_workers=False,
    round_trip_s=52e-6,
    machine=IDLE,
)


def machine(**changes: Any) -> MachineUse:
    return msgspec.structs.replace(IDLE, **changes)


FULL = machine(
    user_cores=1.4,
    system_cores=0.38,
    server_cores=0.39,
    worker_cores=0.76,
    generator_cores=0.63,
)


@pytest.mark.parametrize(
    ("changes", "limit", "sentence"),
    [
        (
            {},
            Limit.NOTHING,
            "not CPU-bound: no core was used up by the server, the workers or the producers; of 2 "
            "cores that the run may use, 1.20 were idle",
        ),
        (
            {"machine": None, "worker_cores": None},
            Limit.NOTHING,
            "not CPU-bound: no core was used up by the server or the producers",
        ),
        (
            {"server_cores": None, "worker_cores": None},
            Limit.NOTHING,
            "no core was used up by the producers; of 2 cores",
        ),
        (
            {"server_cores": 0.9},
            Limit.SERVER,
            "server-bound: Redis used 0.90 of the core that runs its commands",
        ),
        ({"server_cores": 0.97, "worker_cores": 0.99}, Limit.SERVER, "Redis used 0.97"),
        (
            {"server_cores": None, "worker_cores": 0.95, "is_closed_loop": True},
            Limit.WORKER,
            "worker-bound: a worker process used 0.95 of its core; add workers",
        ),
        # A worker with several threads: that it used a whole core says nothing.
        ({"worker_cores": 1.4}, Limit.NOTHING, "not CPU-bound"),
        # A producer that polls while it waits uses its core and is in time.
        ({"producer_cores": 1.0}, Limit.NOTHING, "not CPU-bound"),
        (
            {"producer_cores": 1.0, "is_late": True},
            Limit.PRODUCER,
            "generator-bound: a producer process used 1.00 of its core; add producers",
        ),
        ({"producer_cores": 0.95, "is_closed_loop": True}, Limit.PRODUCER, "used 0.95"),
        (
            {"machine": FULL},
            Limit.HOST,
            "host-bound: 1.78 of 2 cores were in use (server 0.39, workers 0.76, generator 0.63, "
            "harness 0.00, others 0.00, stolen 0.00); offer less load, use a larger machine",
        ),
        (
            {"machine": machine(steal_cores=0.5, user_cores=1.0)},
            Limit.HOST,
            "others 0.00, stolen 0.50",
        ),
        (
            {"machine": machine(user_cores=1.6, other_cores=1.2)},
            Limit.HOST,
            "others 1.20, stolen 0.00); stop the other programs",
        ),
        ({"machine": machine(user_cores=1.4)}, Limit.NOTHING, "0.40 were idle"),
        (
            {"machine": machine(quota_cores=0.5, throttled_share=0.63), "server_cores": 0.99},
            Limit.QUOTA,
            "quota-bound: the CPU quota of 0.5 cores was used up in 63% of its periods",
        ),
        (
            {"machine": machine(quota_cores=1.0, throttled_share=0.01)},
            Limit.NOTHING,
            "not CPU-bound",
        ),
        (
            {"slots": SlotUse(busy=0.97)},
            Limit.SLOTS,
            "bound by slots: the worker's one slot was busy 97% of the time; raise --concurrency",
        ),
        (
            {"slots": SlotUse(concurrency=2, busy=0.9)},
            Limit.SLOTS,
            "worker's 2 slots were busy 90%",
        ),
        ({"slots": SlotUse()}, Limit.NOTHING, "not CPU-bound"),
        # A full machine is not why slots are full of tasks that sleep.
        ({"slots": SlotUse(busy=0.99, drawn=0.95), "machine": FULL}, Limit.SLOTS, "busy 99%"),
        ({"slots": SlotUse(busy=0.99, drawn=0.5), "machine": FULL}, Limit.HOST, "host-bound"),
        (
            {"is_closed_loop": True},
            Limit.ROUND_TRIP,
            "a round trip to the server takes 52 µs at best",
        ),
        ({"falls_behind": True}, Limit.ROUND_TRIP, "all parts of the run waited for replies"),
        # What an external worker's slots do is not seen.
        ({"falls_behind": True, "slots": SlotUse()}, Limit.WORKERS, "the backlog waited for them"),
        (
            {"falls_behind": True, "slots": SlotUse(workers=0, needed=2.6, offered_per_s=520.0)},
            Limit.WORKERS,
            "if each slot serves one task at a time, 520/s needs at least 3 slots (busy 87%)",
        ),
        (
            {"is_closed_loop": True, "waits_for_workers": True, "slots": SlotUse()},
            Limit.WORKERS,
            "bound by the workers",
        ),
    ],
)
def test_the_first_limit_that_applies_is_named(
    changes: dict[str, Any], limit: Limit, sentence: str
) -> None:
    found = attribute(replace(LIGHT, **changes))
    assert found.limit == limit
    assert sentence in found.sentence


def test_what_is_on_another_machine_is_no_part_of_this_one() -> None:
    load = replace(LIGHT, machine=msgspec.structs.replace(FULL, server_cores=None))
    assert "(workers 0.76, generator 0.63" in attribute(load).sentence

"""The keys of one run's tasks are found by their names, and no others."""

from typing import Any

import pytest
import redis

from bench.layouts import registry
from bench.redisio.task_keys import scan
from bench.wire import ids
from bench.wire.layout_contract import Layout

LAYOUTS = [entry.layout for entry in registry.loaded()]


@pytest.mark.parametrize("layout", LAYOUTS, ids=[layout.name for layout in LAYOUTS])
def test_all_keys_of_a_run_are_found_and_nothing_of_others(client: Any, layout: Layout) -> None:
    run, queues = ids.new_run(), [f"a{layout.separator}x", f"a{layout.separator}[y]"]
    own = [
        key
        for queue in queues
        for producer in (0, 4095)
        for sequence in (0, 7, 1 << 40)
        for key in layout.keys_of(queue, ids.format_id(ids.TaskId(run, producer, sequence)))
    ]
    other_run = ids.format_id(ids.TaskId(ids.new_run(), 0, 0))
    own_id = ids.format_id(ids.TaskId(run, 0, 0))
    others = [
        *layout.keys_of(queues[0], other_run),
        f"backup:{own_id}",
        f"{layout.task(queues[0], own_id)}:copy",
        layout.pending(queues[0]),
    ]
    for key in (*own, *others):
        client.set(key, 1)
    found = [key for keys in scan(client, layout, queues, run) for key in keys]
    assert sorted(found) == sorted({key.encode() for key in own})


def test_a_scan_that_does_not_advance_is_refused() -> None:
    """A server, or what stands before it, that always returns the same cursor."""

    class Still:
        def scan(self, _cursor: int, **_: object) -> tuple[int, list[bytes]]:
            return 7, []

    still: Any = Still()
    with pytest.raises(redis.exceptions.ResponseError, match="SCAN stays at cursor 7"):
        list(scan(still, LAYOUTS[0], ["a_x"], 1))

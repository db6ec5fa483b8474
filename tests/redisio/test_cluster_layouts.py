"""A layout that would tear a task apart on a cluster is refused, in one line that names another."""

import pytest

from bench.errors import UsageError
from bench.layouts import registry
from bench.redisio.cluster.layouts import require_one_command, require_one_slot

_CLUSTER, _SERVER = "redis+cluster://127.0.0.1:7000", "redis://127.0.0.1:6379"


@pytest.mark.parametrize("name", ["runqy", "runqy-server"])
def test_a_layout_that_spreads_a_task_over_slots_is_refused(name: str) -> None:
    layout = registry.get(name).layout
    require_one_slot(_SERVER, layout, ["a_b"])
    with pytest.raises(UsageError, match=rf"^layout {name} spreads .*: use --layout asynq, or"):
        require_one_slot(_CLUSTER, layout, ["a_b"])


def test_a_task_of_several_commands_is_refused_and_one_of_a_script_is_not() -> None:
    entry = registry.get("asynq")
    require_one_slot(_CLUSTER, entry.layout, ["a.b", "c"])
    require_one_command(_SERVER, entry.layout, "a")
    with pytest.raises(UsageError, match="with 2 commands, between which a slot"):
        require_one_command(_CLUSTER, entry.layout, "a")
    require_one_command(_CLUSTER, entry.variant(duplicate_check=True), "a")

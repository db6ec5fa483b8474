"""What keeps a process that measures time from being late."""

import gc

from bench.punctual import collect_little


def test_a_collection_looks_at_nothing_that_existed_before() -> None:
    """Whatever was imported by then; what is made afterwards is collected as ever."""
    before = gc.get_freeze_count()
    try:
        collect_little()
        assert gc.get_freeze_count() > before + 10_000
        assert not gc.get_objects(generation=2)
        cycle: list[object] = []
        cycle.append(cycle)
        del cycle
        assert gc.collect() >= 1
    finally:
        gc.unfreeze()

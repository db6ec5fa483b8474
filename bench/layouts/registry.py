"""All layouts by name: the one list that a new layout joins."""

from bench.layouts.asynq.layout import ASYNQ, ASYNQ_UNIQUE
from bench.layouts.runqy.layout import RUNQY
from bench.wire.layout import Layout

LAYOUTS: dict[str, Layout] = {RUNQY.name: RUNQY, ASYNQ.name: ASYNQ}


def find(name: str, duplicate_check: bool) -> Layout:
    """A layout by name; where it can, one whose enqueueing refuses an id that is there already."""
    layout = LAYOUTS[name]
    return ASYNQ_UNIQUE if duplicate_check and layout is ASYNQ else layout

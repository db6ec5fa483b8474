"""What one producer computes for its tasks, without a socket."""

import time

from bench.producer.lookahead import Lookahead
from bench.wire.frame_renderer import FrameRenderer
from bench.workload.feed import Feed
from bench.workload.scenario import Scenario

_PER_S = 100_000
_TICK_US = 500
_START_US = 1_700_000_000_000_000
_QUEUE = "selftest_null"


def rendered_per_s(tasks: int) -> float:
    """Returns how many tasks a second of CPU time one producer makes, renders into frames, and
    stamps in batches of a tick. At least ``tasks`` are made."""
    scenario = Scenario(queues={_QUEUE: 1.0}, rate_per_s=float(_PER_S), duration_s=86_400.0)
    renderer = FrameRenderer(scenario.wire_layout, list(scenario.queues), 1, 0, 3)
    lookahead = Lookahead(Feed(scenario, 0), _START_US, scenario.peak_per_s, renderer.render)
    made, now_us, began_s = 0, _START_US, time.process_time()
    while made < tasks:
        now_us += _TICK_US
        while (lookahead.next_due_us() or now_us) < now_us:
            frame, start, stop = lookahead.take(now_us, tasks)
            frame.stamped(now_us, start, stop)
            made += stop - start
    return made / (time.process_time() - began_s)

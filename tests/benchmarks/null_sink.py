"""What a producer computes for its tasks, without a socket. Run as a script in a tree's package.

``python null_sink.py KIND PRODUCERS PER_S`` takes the first of so many producers of an open loop
(``constant`` or ``poisson``) with so many tasks a second each: the tasks are made, rendered into
frames, stamped in the batches of a tick, and thrown away. It prints JSON with the CPU time per task
of the schedule alone, of the tasks ready to be rendered, and of the whole.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator

from bench.producer.lookahead import Lookahead
from bench.wire.frame_renderer import FrameRenderer
from bench.workload.feed import Feed, tasks_of
from bench.workload.scenario import Scenario

_TASKS = 100_000
_TICK_US = 500
_MOST = 1 << 20
_START_US = 1_700_000_000_000_000
_QUEUES = {"inference_high": 1.0, "inference_default": 2.0, "inference_low": 1.0}
_REPEAT = 3


def _cost_ns(parts: Callable[[], Iterator[int]]) -> float:
    """CPU time per task of the fastest of some repetitions, until there are enough tasks."""
    costs = []
    for _ in range(_REPEAT):
        tasks, began_s = 0, time.process_time()
        for count in parts():
            tasks += count
            if tasks >= _TASKS:
                break
        costs.append((time.process_time() - began_s) / tasks * 1e9)
    return min(costs)


def _schedule(scenario: Scenario) -> Iterator[int]:
    return (len(numbers) for numbers, _ in tasks_of(scenario, 0))


def _feed(scenario: Scenario, batch: int) -> Iterator[int]:
    feed = Feed(scenario, 0)
    while True:
        yield len(feed.take(batch))


def _frames(scenario: Scenario) -> Iterator[int]:
    renderer = FrameRenderer(scenario.wire_layout, list(scenario.queues), 1, 0, 3)
    lookahead = Lookahead(Feed(scenario, 0), _START_US, scenario.peak_per_s, renderer.render)
    now_us = _START_US
    while True:
        now_us += _TICK_US
        while (lookahead.next_due_us() or now_us) < now_us:
            frame, start, stop = lookahead.take(now_us, _MOST)
            frame.stamped(now_us, start, stop)
            yield stop - start


def main() -> None:
    """Measure the three, and print them."""
    kind, producers, per_s = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    scenario = Scenario(
        queues=_QUEUES,
        producers=producers,
        arrivals="poisson" if kind == "poisson" else "constant",
        rate_per_s=per_s * producers,
        duration_s=86_400.0,
    )
    batch = max(round(per_s * _TICK_US / 1e6), 1)
    found = {
        "schedule_ns": _cost_ns(lambda: _schedule(scenario)),
        "feed_ns": _cost_ns(lambda: _feed(scenario, batch)),
        "frames_ns": _cost_ns(lambda: _frames(scenario)),
    }
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()

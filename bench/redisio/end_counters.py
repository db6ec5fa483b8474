"""What the queues of a run count themselves: the ends of tasks."""

from collections.abc import Sequence

import redis

from bench.measure.endings import CountedEnds
from bench.wire.layout_contract import Layout


class EndCounters:
    """The counters of some queues, by what they have gained since this object was made.

    Raises redis-py's errors.
    """

    def __init__(self, client: redis.Redis, layout: Layout, queues: Sequence[str]) -> None:
        self._client = client
        self._keys = {queue: keys for queue in queues if (keys := layout.end_counters(queue))}
        self._before = self._read()

    def gained(self) -> dict[str, CountedEnds]:
        """What the counters of each queue have gained; without queues that have none, and without
        those whose counters went back: the server has lost them since."""
        now = self._read()
        return {
            queue: CountedEnds(now[queue][0] - processed, now[queue][1] - failed)
            for queue, (processed, failed) in self._before.items()
            if now[queue][0] >= processed and now[queue][1] >= failed
        }

    def _read(self) -> dict[str, tuple[int, int]]:
        if not self._keys:
            return {}
        values = self._client.mget([key for keys in self._keys.values() for key in keys])
        numbers = [int(value or 0) for value in values]
        pairs = zip(numbers[::2], numbers[1::2], strict=True)
        return dict(zip(self._keys, pairs, strict=True))
